internal import BSON
internal import CommandModel

/// `$arrayElemAt $concatArrays $in $indexOfArray $isArray $range $reverseArray $size $slice`.
enum ArrayOperator {
    case elementAt, concat, contains, index, isArray, range, reverse, size, slice

    static let rules: [OperatorRule] = [
        .exactly(2, "$arrayElemAt", .array(.elementAt)), .variadic("$concatArrays", .array(.concat)),
        .exactly(2, "$in", .array(.contains)),
        .list("$indexOfArray", .array(.index), 2...4), .exactly(1, "$isArray", .array(.isArray)),
        .list("$range", .array(.range), 2...3),
        .exactly(1, "$reverseArray", .array(.reverse)), .exactly(1, "$size", .array(.size)),
        .list("$slice", .array(.slice), 2...3),
    ]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        switch self {
        case .elementAt: try Self.element(operands, run)
        case .concat: try Self.concat(operands, run)
        case .contains: try Self.contains(operands, run)
        case .index: try Self.index(operands, run)
        case .isArray: try run.bool(operands[0].evaluate(run)?.type == .array)
        case .range: try Self.range(operands, run)
        case .reverse: try Self.reversed(try operands[0].evaluate(run), run)
        case .size: try Self.size(try operands[0].evaluate(run), run)
        case .slice: try Self.slice(operands, run)
        }
    }
}

// One element.
extension ArrayOperator {
    private static func element(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let array = try operands[0].evaluate(run)
        let index = try operands[1].evaluate(run)
        if array.isNullish || index.isNullish { return .nothing(.null) }
        guard let elements = array?.array else {
            throw CommandError(
                ErrorCode(28689), "$arrayElemAt's first argument must be an array, but is \(array.typeName)")
        }
        guard let number = index?.number else {
            throw CommandError(
                ErrorCode(28690), "$arrayElemAt's second argument must be a numeric value, but is \(index.typeName)")
        }
        guard let position = number.asInt32Exact else {
            throw CommandError(
                ErrorCode(28691),
                "$arrayElemAt's second argument must be representable as a 32-bit integer: "
                    + "\(index?.errorText ?? "")")
        }
        try run.spend(bytes: elements.bytes.count)
        return elements.element(at: Int(position))
    }
}

// Whole arrays.
extension ArrayOperator {
    private static func concat(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let base = run.stack.count
        for index in 0..<operands.count {
            let value = try operands[index].evaluate(run)
            if value.isNullish {
                run.stack.removeAll(from: base)
                return .nothing(.null)
            }
            guard let array = value?.array else {
                throw CommandError(
                    ErrorCode(28664), "$concatArrays only supports arrays, not \(value.typeName)")
            }
            for element in array { try run.push(element.value) }
        }
        return try run.popArray(from: base)
    }

    private static func reversed(_ array: RawValue?, _ run: Evaluator) throws(CommandError) -> RawValue? {
        if array.isNullish { return .nothing(.null) }
        guard let elements = array?.array else {
            throw CommandError(
                ErrorCode(34435),
                "The argument to $reverseArray must be an array, but was of type: \(array.typeName)")
        }
        let base = run.stack.count
        for element in elements { try run.push(element.value) }
        var pushed = run.stack.elements(from: base)
        pushed.reverse()
        return try run.popArray(from: base)
    }

    private static func size(_ array: RawValue?, _ run: Evaluator) throws(CommandError) -> RawValue? {
        guard let elements = array?.array else {
            throw CommandError(
                ErrorCode(17124), "The argument to $size must be an array, but was of type: \(array.typeName)")
        }
        try run.spend(bytes: elements.bytes.count)
        return try run.scratch.int32(Int32(truncatingIfNeeded: elements.elementCount))
    }
}

// Search.
extension ArrayOperator {
    private static func contains(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let value = try operands[0].evaluate(run)
        let array = try operands[1].evaluate(run)
        guard let elements = array?.array else {
            throw CommandError(
                ErrorCode(40081), "$in requires an array as a second argument, found: \(array.typeName)")
        }
        for element in elements {
            try run.spend(bytes: element.value.count)
            if run.compare(value, element.value) == 0 { return try run.bool(true) }
        }
        return try run.bool(false)
    }

    private static func index(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let array = try operands[0].evaluate(run)
        if array.isNullish { return .nothing(.null) }
        guard let elements = array?.array else {
            throw CommandError(
                ErrorCode(40090),
                "$indexOfArray requires an array as a first argument, found: \(array.typeName)")
        }
        let value = try operands[1].evaluate(run)
        let start = operands.count > 2 ? try bound("starting", operands[2].evaluate(run)) : 0
        let end = operands.count > 3 ? try bound("ending", operands[3].evaluate(run)) : Int.max
        var position = 0
        for element in elements {
            guard position < end else { break }
            try run.spend(bytes: element.value.count)
            if position >= start, run.compare(value, element.value) == 0 {
                return try run.scratch.int32(Int32(truncatingIfNeeded: position))
            }
            position += 1
        }
        return try run.scratch.int32(-1)
    }

    private static func bound(_ which: StaticString, _ value: RawValue?) throws(CommandError) -> Int {
        guard let position = value?.number?.asInt32Exact else {
            throw CommandError(
                ErrorCode(9_711_600),
                "$indexOfArray requires an integral \(which) index, found a value of type: \(value.typeName)")
        }
        guard position >= 0 else {
            throw CommandError(
                ErrorCode(9_711_601), "$indexOfArray requires a nonnegative \(which) index, found: \(position)")
        }
        return Int(position)
    }
}

extension RawDocument {
    /// Of an array; a negative position counts from the end, where -1 is the last.
    func element(at position: Int) -> RawValue? {
        var wanted = position < 0 ? elementCount + position : position
        guard wanted >= 0 else { return nil }
        for element in self {
            if wanted == 0 { return element.value }
            wanted -= 1
        }
        return nil
    }
}

extension Number {
    /// The integer of whatever type, when it is one and fits into 32 bits.
    var asInt32Exact: Int32? { asInt64Exact.flatMap { Int32(exactly: $0) } }
}
