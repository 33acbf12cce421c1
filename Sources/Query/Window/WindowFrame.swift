internal import BSON
internal import CommandModel

/// Which documents around one a window function sees: `window: {documents: [-1, 1]}`, `window: {range: [-10, 10]}`.
///
/// A bound is nil where it is `"unbounded"`.
enum WindowFrame {
    /// By position.
    case documents(lower: Int?, upper: Int?)
    /// By the number in the one field of `sortBy`.
    case range(lower: Number?, upper: Number?)
    /// By the date there.
    case time(lower: Int64?, upper: Int64?, DateUnit)
    /// A range of `"current"`: the documents that are equal in the order, and all before or behind them.
    case peers(fromStart: Bool, toEnd: Bool)

    static let everything = WindowFrame.documents(lower: nil, upper: nil)
}

// Syntax.
extension WindowFrame {
    private enum Bound {
        case unbounded
        case current
        case number(Number)

        var number: Number? {
            switch self {
            case .unbounded: nil
            case .current: .int32(0)
            case .number(let number): number
            }
        }

        var isKeyword: Bool { if case .number = self { false } else { true } }
        var isUnbounded: Bool { if case .unbounded = self { true } else { false } }
    }

    /// - Parameter namesOrder: whether there is a `sortBy`, be it empty.
    init(compiling value: RawValue, sortBy: SortPattern, namesOrder: Bool) throws(CommandError) {
        guard let document = value.document else { throw Self.refused("'window' field must be an object") }
        var (documents, range, unit): (RawValue?, RawValue?, RawValue?)
        for field in document {
            switch field.key {
            case "documents": documents = field.value
            case "range": range = field.value
            case "unit": unit = field.value
            default: throw Self.refused("'window' field has an unknown argument: \(field.key.string)")
            }
        }
        guard documents == nil || range == nil else {
            throw Self.refused("Window bounds can specify either 'documents' or 'range', not both.")
        }
        if let range {
            self = try Self.range(range, unit, sortBy)
        } else {
            guard unit == nil else {
                throw Self.refused("Window bounds can only specify 'unit' with range-based bounds.")
            }
            self =
                try documents.map { value throws(CommandError) in try Self.documents(value, namesOrder) } ?? .everything
        }
    }

    private static func documents(_ value: RawValue, _ namesOrder: Bool) throws(CommandError) -> WindowFrame {
        let (lower, upper) = try bounds(value)
        let first = try position(lower)
        let last = try position(upper)
        if let first, let last, first > last { throw reversed }
        guard namesOrder || lower.isUnbounded && upper.isUnbounded else {
            throw CommandError(ErrorCode(5_339_901), "Document-based bounds require a sortBy")
        }
        return .documents(lower: first, upper: last)
    }

    private static func position(_ bound: Bound) throws(CommandError) -> Int? {
        guard let number = bound.number else { return nil }
        guard let whole = number.asInt64Exact else {
            throw refused("Numeric document-based bounds must be an integer")
        }
        // No partition in memory has as many documents.
        return Int(min(max(whole, -0x8000_0000), 0x8000_0000))
    }

    private static func range(
        _ value: RawValue, _ unit: RawValue?, _ sortBy: SortPattern
    ) throws(CommandError) -> WindowFrame {
        let (lower, upper) = try bounds(value)
        let frame: WindowFrame
        if let unit {
            frame = .time(lower: try amount(lower), upper: try amount(upper), try self.unit(unit))
        } else if lower.isKeyword, upper.isKeyword {
            frame = .peers(fromStart: lower.isUnbounded, toEnd: upper.isUnbounded)
        } else {
            frame = .range(lower: lower.number, upper: upper.number)
        }
        if let first = lower.number, let last = upper.number, first.compare(to: last) > 0 { throw reversed }
        guard sortBy.fields.count == 1, let field = sortBy.fields.first else {
            throw CommandError(ErrorCode(5_339_902), "Range-based bounds require sortBy a single field")
        }
        guard !field.isDescending else {
            throw CommandError(ErrorCode(8_947_401), "Range-based bounds require an ascending sortBy")
        }
        return frame
    }

    private static func amount(_ bound: Bound) throws(CommandError) -> Int64? {
        guard let number = bound.number else { return nil }
        guard let whole = number.asInt64Exact else {
            throw refused("With 'unit', range-based bounds must be an integer")
        }
        return whole
    }

    static func unit(_ value: RawValue) throws(CommandError) -> DateUnit {
        guard value.type == .string, let bytes = value.stringBytes, let start = bytes.baseAddress else {
            throw refused("'unit' must be a string, not \(value.type.alias)")
        }
        guard let unit = DateUnit(RawKey(start: start, count: bytes.count)) else {
            throw refused("unknown time unit value: \(value.errorText)")
        }
        return unit
    }

    private static func bounds(_ value: RawValue) throws(CommandError) -> (Bound, Bound) {
        guard let array = value.array, array.elementCount == 2 else {
            throw refused("Window bounds must be a 2-element array: \(value.errorText)")
        }
        var bounds: [Bound] = []
        for element in array { bounds.append(try bound(element.value)) }
        return (bounds[0], bounds[1])
    }

    private static func bound(_ value: RawValue) throws(CommandError) -> Bound {
        if let number = value.number { return .number(number) }
        switch value.string {
        case "unbounded": return .unbounded
        case "current": return .current
        default: throw refused("Window bounds must be 'unbounded', 'current', or a number: \(value.errorText)")
        }
    }

    static func refused(_ message: String) -> CommandError { CommandError(.failedToParse, message) }

    private static var reversed: CommandError {
        CommandError(ErrorCode(5_339_900), "Lower bound must not exceed upper bound")
    }
}
