internal import BSON
internal import CommandModel

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// `$arrayToObject $getField $mergeObjects $objectToArray $setField $unsetField`.
enum ObjectOperator {
    case fromArray, getField, merge, toArray
    /// The operands are the document and the value, which is missing for `$unsetField`.
    case setField(RawKey)

    static let rules: [OperatorRule] = [
        .exactly(1, "$arrayToObject", .object(.fromArray)), .special("$getField", .getField),
        .variadic("$mergeObjects", .object(.merge)), .exactly(1, "$objectToArray", .object(.toArray)),
        .special("$setField", .setField), .special("$unsetField", .unsetField),
    ]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        switch self {
        case .fromArray: try Self.document(from: try operands[0].evaluate(run), run)
        case .getField: try Self.field(operands, run)
        case .merge: try Self.merge(operands, run)
        case .toArray: try Self.array(from: try operands[0].evaluate(run), run)
        case .setField(let key): try Self.set(key, operands, run)
        }
    }
}

// Fields.
extension ObjectOperator {
    /// The operands are the name and the document.
    private static func field(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let name = try operands[0].evaluate(run)
        guard let name, name.type == .string, let bytes = name.stringBytes else {
            throw CommandError(
                ErrorCode(3_041_704),
                "$getField requires 'field' to evaluate to type String, but got \(name.typeName)")
        }
        let input = try operands[1].evaluate(run)
        guard let document = input?.document else { return input.isNullish ? input.map { _ in .nothing(.null) } : nil }
        try run.spend(bytes: document.bytes.count)
        return document[RawKey(start: UnsafeRawPointer(bytes.baseAddress.unsafelyUnwrapped), count: bytes.count)]
    }

    private static func set(
        _ key: RawKey, _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let input = try operands[0].evaluate(run)
        if input.isNullish { return .nothing(.null) }
        guard let document = input?.document else {
            throw CommandError(
                ErrorCode(4_161_105), "$setField requires 'input' to evaluate to type Object, but got \(input.typeName)"
            )
        }
        let value = try operands[1].evaluate(run)
        let base = run.stack.count
        var isSet = false
        for element in document {
            try run.spend()
            guard element.key == key else {
                try run.stack.push(element)
                continue
            }
            if let value, !isSet { try run.stack.push(RawElement(key: key, value: value)) }
            isSet = true
        }
        if let value, !isSet { try run.stack.push(RawElement(key: key, value: value)) }
        return try run.popDocument(from: base)
    }

    private static func merge(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        var fields = FieldSet(run)
        for index in 0..<operands.count {
            let value = try operands[index].evaluate(run)
            // A single array stands for its elements.
            if operands.count == 1, let array = value?.array {
                for element in array {
                    try run.spend()
                    try merge(element.value, into: &fields)
                }
            } else {
                try merge(value, into: &fields)
            }
        }
        return try fields.pop()
    }

    private static func merge(_ value: RawValue?, into fields: inout FieldSet) throws(CommandError) {
        guard let value, !(value as RawValue?).isNullish else { return }
        guard let document = value.document else {
            throw CommandError(
                ErrorCode(40400),
                "$mergeObjects requires object inputs, but input \(value.errorText) is of type \(value.type.alias)")
        }
        for element in document { try fields.put(element) }
    }
}

// Documents and arrays.
extension ObjectOperator {
    private static func array(from value: RawValue?, _ run: Evaluator) throws(CommandError) -> RawValue? {
        if value.isNullish { return .nothing(.null) }
        guard let document = value?.document else {
            throw CommandError(
                ErrorCode(40390), "$objectToArray requires a document input, found: \(value.typeName)")
        }
        let base = run.stack.count
        for element in document {
            let pair = run.stack.count
            let name = try run.scratch.string(element.key.bytes)
            try run.stack.push(RawElement(key: RawKey("k"), value: name))
            try run.stack.push(RawElement(key: RawKey("v"), value: element.value))
            try run.push(try run.popDocument(from: pair))
        }
        return try run.popArray(from: base)
    }

    private static func document(from value: RawValue?, _ run: Evaluator) throws(CommandError) -> RawValue? {
        if value.isNullish { return .nothing(.null) }
        guard let array = value?.array else {
            throw CommandError(ErrorCode(40386), "$arrayToObject requires an array input, found: \(value.typeName)")
        }
        var fields = FieldSet(run)
        switch array.firstElement?.value.type {
        case nil: break
        case .array?: for element in array { try fields.put(try pair(element.value)) }
        case .document?: for element in array { try fields.put(try keyed(element.value)) }
        case let other?:
            throw CommandError(
                ErrorCode(40398), "Unrecognised input type format for $arrayToObject: \(other.alias)")
        }
        return try fields.pop()
    }

    /// `[name, value]`.
    private static func pair(_ element: RawValue) throws(CommandError) -> RawElement {
        guard let array = element.array else {
            throw CommandError(
                ErrorCode(40396),
                "$arrayToObject requires a consistent input format: expected an array, found \(element.type.alias)")
        }
        var values = array.makeIterator()
        guard let name = values.next()?.value, let value = values.next()?.value, values.next() == nil else {
            throw CommandError(
                ErrorCode(40397), "$arrayToObject requires arrays of length 2, found \(array.elementCount)")
        }
        return RawElement(key: try key(name, notString: 40395, hasNUL: 4_940_400), value: value)
    }

    /// `{k: name, v: value}`.
    private static func keyed(_ element: RawValue) throws(CommandError) -> RawElement {
        guard let document = element.document else {
            throw CommandError(
                ErrorCode(40391),
                "$arrayToObject requires a consistent input format: expected an object, found \(element.type.alias)")
        }
        guard document.elementCount == 2 else {
            throw CommandError(
                ErrorCode(40392),
                "$arrayToObject requires an object with keys 'k' and 'v', found \(document.elementCount) keys")
        }
        guard let name = document["k"], let value = document["v"] else {
            throw CommandError(
                ErrorCode(40393), "$arrayToObject requires an object with keys 'k' and 'v': \(document.errorText)")
        }
        return RawElement(key: try key(name, notString: 40394, hasNUL: 4_940_401), value: value)
    }

    private static func key(_ name: RawValue, notString: Int32, hasNUL: Int32) throws(CommandError) -> RawKey {
        guard name.type == .string, let bytes = name.stringBytes else {
            throw CommandError(
                ErrorCode(notString), "$arrayToObject requires a name to be of type string, found \(name.type.alias)")
        }
        // An empty string has an address too: that of its NUL.
        let key = RawKey(start: UnsafeRawPointer(bytes.baseAddress.unsafelyUnwrapped), count: bytes.count)
        guard memchr(key.start, 0, key.count) == nil else {
            throw CommandError(ErrorCode(hasNUL), "Key field cannot contain an embedded null byte")
        }
        return key
    }
}
