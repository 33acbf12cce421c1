internal import BSON
internal import CommandModel

/// A compiled `$densify: {field:, partitionByFields:, range: {step:, unit:, bounds:}}`.
///
/// Source: https://www.mongodb.com/docs/manual/reference/operator/aggregation/densify/
//
// Safety: immutable after init; the pointers in it point into the arena it owns.
package final class Densify: @unchecked Sendable {
    enum Bounds {
        /// From the least to the greatest value of all partitions.
        case full
        case partition
        /// The second one is not in.
        case explicit(DensifyValue, DensifyValue)
    }

    private let arena: ProgramArena
    let field: ArenaList<RawKey>
    let partition: [ArenaList<RawKey>]
    let step: Number
    let unit: DateUnit?
    let bounds: Bounds
    /// How values of the partitions' fields compare; nil for bytewise.
    let collator: Collator?

    init(compiling value: RawValue, collator: Collator?) throws(CommandError) {
        let arena = ProgramArena()
        var (field, partition, range): (RawKey?, [RawKey], RawDocument?) = (nil, [], nil)
        for option in arena.copy(try Self.object(value, "$densify")) {
            switch option.key {
            case "field": field = try Self.path(option.value, "$densify.field")
            case "partitionByFields":
                guard let array = option.value.array else {
                    throw Self.wrongType(option.value, "$densify.partitionByFields", "array")
                }
                for name in array { partition.append(try Self.path(name.value, "$densify.partitionByFields")) }
            case "range": range = try Self.object(option.value, "$densify.range")
            default: throw Self.unknown(option.key, "$densify")
            }
        }
        guard let field else { throw Self.absent("$densify.field") }
        guard let range else { throw Self.absent("$densify.range") }
        guard !partition.contains(where: { $0 == field }) else {
            throw CommandError(ErrorCode(8_993_000), "the field to densify cannot be one of 'partitionByFields'")
        }
        (step, unit, bounds) = try Self.range(range)
        self.field = arena.list(field.components)
        self.partition = partition.map { arena.list($0.components) }
        self.arena = arena
        self.collator = collator
    }

    private static func range(_ range: RawDocument) throws(CommandError) -> (Number, DateUnit?, Bounds) {
        var (step, unit, bounds): (Number?, DateUnit?, RawValue?)
        for option in range {
            switch option.key {
            case "step":
                guard let number = option.value.number else {
                    throw wrongType(option.value, "$densify.range.step", "number")
                }
                step = number
            case "unit":
                unit = try WindowFrame.unit(option.value)
            case "bounds": bounds = option.value
            default: throw unknown(option.key, "$densify.range")
            }
        }
        guard let step else { throw absent("$densify.range.step") }
        guard step.asDouble > 0, step.isFinite else {
            throw CommandError(
                ErrorCode(5_733_401),
                "the step parameter in a range statement must be a strictly "
                    + "positive numeric value")
        }
        guard unit == nil || step.asInt64Exact != nil else {
            throw CommandError(
                ErrorCode(6_586_400),
                "The step parameter in a range satement must be a whole number "
                    + "when densifying a date range")
        }
        guard let bounds else { throw absent("$densify.range.bounds") }
        return (step, unit, try self.bounds(bounds, unit))
    }

    private static func bounds(_ value: RawValue, _ unit: DateUnit?) throws(CommandError) -> Bounds {
        guard let array = value.array else {
            switch value.string {
            case "full": return .full
            case "partition": return .partition
            default:
                throw CommandError(
                    ErrorCode(5_946_802), "Bounds string must either be 'full' or 'partition'")
            }
        }
        let values = array.map(\.value)
        guard values.count == 2 else {
            throw CommandError(
                ErrorCode(5_733_403), "a bounding array in a range statement must have exactly two elements")
        }
        guard let lower = DensifyValue(values[0], unit), let upper = DensifyValue(values[1], unit) else {
            throw CommandError(
                ErrorCode(5_733_402), "a bounding array must be an ascending array of either two dates or two numbers")
        }
        guard lower.compare(to: upper) <= 0 else {
            throw CommandError(
                ErrorCode(5_733_402), "a bounding array must be an ascending array of either two dates or two numbers")
        }
        return .explicit(lower, upper)
    }

    // MARK: errors

    private static func object(_ value: RawValue, _ name: String) throws(CommandError) -> RawDocument {
        guard let document = value.document else { throw wrongType(value, name, "object") }
        return document
    }

    private static func path(_ value: RawValue, _ name: String) throws(CommandError) -> RawKey {
        guard value.type == .string, let bytes = value.stringBytes, let start = bytes.baseAddress else {
            throw wrongType(value, name, "string")
        }
        let path = RawKey(start: start, count: bytes.count)
        try checkFieldPath(path)
        return path
    }

    private static func wrongType(_ value: RawValue, _ name: String, _ expected: String) -> CommandError {
        CommandError(
            .typeMismatch,
            "BSON field '\(name)' is the wrong type '\(value.type.alias)', expected type '\(expected)'")
    }

    private static func unknown(_ key: RawKey, _ name: String) -> CommandError {
        CommandError(.idlFailedToParse, "BSON field '\(name).\(key.string)' is an unknown field.")
    }

    private static func absent(_ name: String) -> CommandError {
        CommandError(.idlMissingField, "BSON field '\(name)' is missing but a required field")
    }
}

/// A number or a date on the way from one end of a range to the other one.
enum DensifyValue {
    case number(Number)
    case date(Int64)

    /// Nil for what is not of the kind that the unit asks for.
    init?(_ value: RawValue, _ unit: DateUnit?) {
        if unit == nil, let number = value.number, !number.isNaN {
            self = .number(number)
        } else if unit != nil, let date = value.date {
            self = .date(date)
        } else {
            return nil
        }
    }

    func compare(to other: DensifyValue) -> Int {
        switch (self, other) {
        case (.number(let value), .number(let other)): value.compare(to: other)
        case (.date(let value), .date(let other)): value < other ? -1 : value > other ? 1 : 0
        case (.number, .date): -1
        case (.date, .number): 1
        }
    }

    var value: Value {
        switch self {
        case .number(let number): number.value
        case .date(let date): .date(date)
        }
    }
}
