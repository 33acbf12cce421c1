internal import BSON
internal import CommandModel

extension UpdateCompiler {
    func modifier(_ name: RawKey, _ field: RawElement) throws(CommandError) -> Modifier {
        let value = field.value
        switch name {
        case "$set", "$setOnInsert": return .set(value)
        case "$unset": return .unset
        case "$inc": return .increment(try number("increment", field))
        case "$mul": return .multiply(try number("multiply", field))
        case "$min": return .minimum(value)
        case "$max": return .maximum(value)
        case "$currentDate": return try currentDate(field)
        case "$bit": return .bits(try bitOperations(field))
        case "$push": return .push(try push(value))
        case "$addToSet": return .addToSet(try addedValues(value))
        case "$pop": return .pop(first: try popsFirst(field))
        case "$pull": return .pull(try pullCondition(value))
        default: return .pullAll(try pulledValues(value))
        }
    }

    private func number(_ verb: StaticString, _ field: RawElement) throws(CommandError) -> Number {
        guard let number = field.value.number else {
            throw CommandError(
                .typeMismatch,
                "Cannot \(verb) with non-numeric argument: {\(field.key.string): \(field.value.errorText)}")
        }
        return number
    }

    private func currentDate(_ field: RawElement) throws(CommandError) -> Modifier {
        if field.value.type == .bool { return .currentDate(asTimestamp: false) }
        guard let options = field.value.document else {
            throw CommandError(
                .badValue,
                "\(field.value.type.alias) is not valid type for $currentDate. Please use a boolean ('true') or a "
                    + "$type expression ({$type: 'timestamp/date'}).")
        }
        for element in options where !(element.key == "$type") {
            throw CommandError(.badValue, "Unrecognized $currentDate option: \(element.key.string)")
        }
        switch options["$type"]?.string {
        case "date": return .currentDate(asTimestamp: false)
        case "timestamp": return .currentDate(asTimestamp: true)
        default:
            throw CommandError(
                .badValue,
                "The '$type' string field is required to be 'date' or 'timestamp': {$currentDate: {field : {$type: "
                    + "'date'}}}")
        }
    }

    private func bitOperations(_ field: RawElement) throws(CommandError) -> [BitOperation] {
        guard let document = field.value.document else {
            throw CommandError(
                .badValue,
                "The $bit modifier is not compatible with a \(field.value.type.alias). You must pass in an embedded "
                    + "document: {$bit: {field: {and/or/xor: #}}")
        }
        var operations: [BitOperation] = []
        for element in document {
            guard let kind = BitOperation.Kind(element.key) else {
                throw CommandError(
                    .badValue,
                    "The $bit modifier only supports 'and', 'or', and 'xor', not '\(element.key.string)' which is an "
                        + "unknown operator: {\(element.key.string): \(element.value.errorText)}")
            }
            guard element.value.type == .int32 || element.value.type == .int64, let operand = element.value.number
            else {
                throw CommandError(
                    .badValue,
                    "The $bit modifier field must be an Integer(32/64 bit); a '\(element.value.type.alias)' is not "
                        + "supported here: {\(element.key.string): \(element.value.errorText)}")
            }
            operations.append(BitOperation(kind: kind, operand: operand))
        }
        guard !operations.isEmpty else {
            throw CommandError(
                .badValue,
                "You must pass in at least one bitwise operation. The format is: {$bit: {field: {and/or/xor: #}}")
        }
        return operations
    }
}

extension BitOperation.Kind {
    init?(_ key: RawKey) {
        switch key {
        case "and": self = .and
        case "or": self = .or
        case "xor": self = .xor
        default: return nil
        }
    }
}

// Arrays.
extension UpdateCompiler {
    private func push(_ value: RawValue) throws(CommandError) -> Push {
        guard let clauses = value.document, clauses["$each"] != nil else { return Push(values: [value]) }
        var push = Push()
        for clause in clauses {
            switch clause.key {
            case "$each":
                guard let array = clause.value.array else {
                    throw CommandError(
                        .badValue,
                        "The argument to $each in $push must be an array but it was of type: \(clause.value.type.alias)"
                    )
                }
                push.values = array.map(\.value)
            case "$position": push.position = try integer("$position", clause.value)
            case "$slice": push.slice = try integer("$slice", clause.value)
            case "$sort": push.order = try elementOrder(clause.value)
            default: throw CommandError(.badValue, "Unrecognized clause in $push: \(clause.key.string)")
            }
        }
        return push
    }

    private func integer(_ name: StaticString, _ value: RawValue) throws(CommandError) -> Int64 {
        guard let integer = value.number?.asInt64Exact else {
            throw CommandError(
                .badValue,
                "The value for \(name) must be an integer value but was given type: \(value.type.alias)")
        }
        return integer
    }

    private func elementOrder(_ value: RawValue) throws(CommandError) -> Push.ElementOrder {
        if value.type.isNumber { return .whole(descending: try isDescending(value)) }
        guard let pattern = value.document else {
            throw CommandError(
                .badValue,
                "The $sort is invalid: use 1/-1 to sort the whole element, or {field:1/-1} "
                    + "to sort embedded fields")
        }
        guard !pattern.isEmpty else {
            throw CommandError(.badValue, "The $sort pattern is empty when it should be a set of fields.")
        }
        var fields: [(path: RawKey, descending: Bool)] = []
        for element in pattern {
            guard !element.key.components.contains(where: { $0.count == 0 }) else {
                throw CommandError(
                    .badValue,
                    "The $sort field is a dotted field but has an empty part: \(element.key.string)")
            }
            fields.append((element.key, try isDescending(element.value)))
        }
        return .fields(fields)
    }

    private func isDescending(_ value: RawValue) throws(CommandError) -> Bool {
        switch value.number?.asInt64Exact {
        case 1: return false
        case -1: return true
        default: throw CommandError(.badValue, "The $sort element value must be either 1 or -1")
        }
    }

    private func addedValues(_ value: RawValue) throws(CommandError) -> [RawValue] {
        guard let clauses = value.document, let first = clauses.firstKey, first == "$each" else { return [value] }
        guard let each = clauses["$each"]?.array else {
            throw CommandError(
                .typeMismatch,
                "The argument to $each in $addToSet must be an array but it was of type "
                    + "\(clauses["$each"]?.type.alias ?? "missing")")
        }
        for element in clauses where !(element.key == "$each") {
            throw CommandError(
                .badValue,
                "Found unexpected fields after $each in $addToSet: \(element.key.string)")
        }
        return each.map(\.value)
    }

    private func popsFirst(_ field: RawElement) throws(CommandError) -> Bool {
        switch field.value.number?.asInt64Exact {
        case 1: return false
        case -1: return true
        default:
            throw CommandError(
                .failedToParse,
                "$pop expects 1 or -1, found: {\(field.key.string): \(field.value.errorText)}")
        }
    }

    private func pullCondition(_ value: RawValue) throws(CommandError) -> PullCondition {
        if value.isConditionOnValues || value.type == .regex {
            return .value(
                try Filter(compiling: Document { $0.append("", value) }, collator: collator, patience: patience))
        }
        if let document = value.document {
            return .document(try Filter(compiling: document, collator: collator, patience: patience))
        }
        return .equal(value)
    }

    private func pulledValues(_ value: RawValue) throws(CommandError) -> [RawValue] {
        guard let array = value.array else {
            throw CommandError(
                .badValue, "$pullAll requires an array argument but was given a \(value.type.alias)")
        }
        return array.map(\.value)
    }
}
