internal import BSON
internal import CommandModel

/// What happens to one field. The values lie in the plan's arena.
enum Modifier {
    case set(RawValue)
    case unset
    case increment(Number)
    case multiply(Number)
    case minimum(RawValue)
    case maximum(RawValue)
    case currentDate(asTimestamp: Bool)
    case bits([BitOperation])
    case push(Push)
    case addToSet([RawValue])
    case pop(first: Bool)
    case pull(PullCondition)
    case pullAll([RawValue])
    /// The two ends of `$rename`.
    case moveAway
    case moveHere(from: RawKey)
}

struct BitOperation {
    enum Kind { case and, or, xor }
    let kind: Kind
    let operand: Number
}

extension UpdateRun {
    /// Whether the modifier makes a field that is not there.
    func creates(_ modifier: Modifier) -> Bool {
        switch modifier {
        case .set, .increment, .multiply, .minimum, .maximum, .currentDate, .bits, .push, .addToSet: true
        case .unset, .pop, .pull, .pullAll, .moveAway: false
        case .moveHere(let source): original.value(atDocumentPath: source) != nil
        }
    }

    /// Writes what becomes of a field; nothing, when it is removed or not made.
    ///
    /// - Parameter isElement: of an array, from which nothing is removed: the others would change their places.
    mutating func apply(
        _ modifier: Modifier, _ key: RawKey, _ value: RawValue?, isElement: Bool
    ) throws(CommandError) {
        switch modifier {
        case .set(let new): writer.append(key, new)
        case .unset, .moveAway:
            if isElement, value != nil { writer.append(key, RawValue(type: .null, start: key.start, count: 0)) }
        case .increment(let number): try applyIncrement(number, key, value)
        case .multiply(let number): try applyMultiply(number, key, value)
        case .minimum(let new): appendBetter(key, value, new) { $0 < 0 }
        case .maximum(let new): appendBetter(key, value, new) { $0 > 0 }
        case .currentDate(let asTimestamp): appendTime(key, asTimestamp: asTimestamp)
        case .bits(let operations): try applyBits(operations, key, value)
        case .push(let push): try applyPush(push, key, value)
        case .addToSet(let values): try applyAddToSet(values, key, value)
        case .pop(let first): try applyPop(first: first, key, value)
        case .pull(let condition):
            let order = plan.order
            try applyPull(key, value) { element throws(CommandError) in try condition.matches(element, order) }
        case .pullAll(let values):
            let removed = try ValueIndex(values, plan.order, &meter)
            try applyPull(key, value) { removed.contains($0) }
        case .moveHere(let source):
            guard let moved = original.value(atDocumentPath: source) else {
                if let value { writer.append(key, value) }
                return
            }
            guard pathText != "_id" else {
                throw CommandError(
                    .immutableField, "Performing an update on the path '_id' would modify the immutable field '_id'")
            }
            writer.append(key, moved)
        }
    }

    private mutating func appendBetter(
        _ key: RawKey, _ value: RawValue?, _ new: RawValue, _ isBetter: (Int) -> Bool
    ) {
        guard let value, !isBetter(plan.order.compare(new, value)) else { return writer.append(key, new) }
        writer.append(key, value)
    }

    private mutating func appendTime(_ key: RawKey, asTimestamp: Bool) {
        let time = plan.time
        writer.append(key, asTimestamp ? .timestamp(time.timestamp) : .date(time.milliseconds))
    }
}

// Arithmetic.
extension UpdateRun {
    private mutating func applyIncrement(
        _ operand: Number, _ key: RawKey, _ value: RawValue?
    ) throws(CommandError) {
        guard let value else { return writer.append(key, operand.value) }
        guard let number = value.number else { throw notNumeric("$inc", key, value) }
        guard let sum = number.adding(operand) else { throw overflow("$inc", value) }
        append(key, sum, replacing: value)
    }

    /// A missing field is a zero of the operand's type.
    private mutating func applyMultiply(
        _ operand: Number, _ key: RawKey, _ value: RawValue?
    ) throws(CommandError) {
        guard let value else { return writer.append(key, operand.zero.value) }
        guard let number = value.number else { throw notNumeric("$mul", key, value) }
        guard let product = number.multiplied(by: operand) else { throw overflow("$mul", value) }
        append(key, product, replacing: value)
    }

    /// A result equal to what is there changes nothing, not the sign of a zero nor the digits of a decimal.
    private mutating func append(_ key: RawKey, _ result: Number, replacing value: RawValue) {
        if result.type == value.type, value.number?.compare(to: result) == 0 {
            writer.append(key, value)
        } else {
            writer.append(key, result.value)
        }
    }

    private mutating func applyBits(
        _ operations: [BitOperation], _ key: RawKey, _ value: RawValue?
    ) throws(CommandError) {
        var result: Number
        switch value?.number {
        case .none where value == nil: result = .int32(0)
        case .some(.int32(let number)): result = .int32(number)
        case .some(.int64(let number)): result = .int64(number)
        default:
            throw CommandError(
                .badValue,
                "Cannot apply $bit to a value of non-integral type.\(documentText) has the field \(key.string) "
                    + "of non-integer type \(value?.type.alias ?? "missing")")
        }
        for operation in operations { result = operation.applied(to: result) }
        writer.append(key, result.value)
    }

    private func notNumeric(_ name: StaticString, _ key: RawKey, _ value: RawValue) -> CommandError {
        CommandError(
            .typeMismatch,
            "Cannot apply \(name) to a value of non-numeric type. {\(documentText)} has the field '\(key.string)' "
                + "of non-numeric type \(value.type.alias)")
    }

    private func overflow(_ name: StaticString, _ value: RawValue) -> CommandError {
        CommandError(
            .badValue,
            "Failed to apply \(name) operations to current value (\(value.errorText)) for document {\(documentText)}")
    }

    /// What messages call the document.
    var documentText: String { "_id: \(original["_id"]?.errorText ?? "missing")" }
}

extension BitOperation {
    func applied(to number: Number) -> Number {
        if case .int32(let left) = number, case .int32(let right) = operand { return .int32(combine(left, right)) }
        return .int64(combine(number.asInt64Exact ?? 0, operand.asInt64Exact ?? 0))
    }

    private func combine<Integer: FixedWidthInteger>(_ left: Integer, _ right: Integer) -> Integer {
        switch kind {
        case .and: left & right
        case .or: left | right
        case .xor: left ^ right
        }
    }
}

extension Number {
    /// Zero of the same type.
    var zero: Number {
        switch self {
        case .int32: .int32(0)
        case .int64: .int64(0)
        case .double: .double(0)
        case .decimal: .decimal(.zero)
        }
    }
}

extension Value {
    static func timestamp(_ value: UInt64) -> Value {
        let date = Value.date(Int64(bitPattern: value))
        return Value(type: .timestamp, buffer: date.buffer)
    }
}

extension RawDocument {
    /// The value at a dotted path through documents only, as `$rename` reads it.
    func value(atDocumentPath path: RawKey) -> RawValue? {
        var document: RawDocument? = self
        var value: RawValue?
        for key in path.components {
            value = document?[key]
            document = value?.document
        }
        return value
    }
}
