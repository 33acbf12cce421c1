internal import BSON
internal import CommandModel

/// Strings: bytes of UTF-8, counted as bytes or as code points. Letters beyond ASCII have no case.
enum StringOperator {
    case concat, split, lower, upper, compareIgnoringCase
    case byteCount, codePointCount, indexOfBytes, indexOfCodePoints
    case substringOfBytes, substringOfCodePoints
    case trim, trimLeft, trimRight
    case replaceOne, replaceAll

    static let rules: [OperatorRule] = [
        .variadic("$concat", .string(.concat)), .exactly(2, "$split", .string(.split)),
        .exactly(1, "$toLower", .string(.lower)), .exactly(1, "$toUpper", .string(.upper)),
        .exactly(2, "$strcasecmp", .string(.compareIgnoringCase)),
        .exactly(1, "$strLenBytes", .string(.byteCount)), .exactly(1, "$strLenCP", .string(.codePointCount)),
        .list("$indexOfBytes", .string(.indexOfBytes), 2...4), .list("$indexOfCP", .string(.indexOfCodePoints), 2...4),
        .exactly(3, "$substr", .string(.substringOfBytes)), .exactly(3, "$substrBytes", .string(.substringOfBytes)),
        .exactly(3, "$substrCP", .string(.substringOfCodePoints)),
        .named("$trim", .string(.trim), trimOperands), .named("$ltrim", .string(.trimLeft), trimOperands),
        .named("$rtrim", .string(.trimRight), trimOperands),
        .named("$replaceOne", .string(.replaceOne), replaceOperands),
        .named("$replaceAll", .string(.replaceAll), replaceOperands),
    ]

    private static let trimOperands = NamedOperands(
        required: ["input"], optional: ["chars"], notDocument: ErrorCode(50696), unknown: ErrorCode(50694),
        absent: ErrorCode(50695))
    private static let replaceOperands = NamedOperands(
        required: ["input", "find", "replacement"], optional: [], notDocument: ErrorCode(51751),
        unknown: ErrorCode(51750), absent: [ErrorCode(51749), ErrorCode(51748), ErrorCode(51747)])

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        switch self {
        case .concat: try Self.concat(operands, run)
        case .split: try Self.split(operands, run)
        case .lower: try Self.mapCase(operands, isUpper: false, run)
        case .upper: try Self.mapCase(operands, isUpper: true, run)
        case .compareIgnoringCase: try Self.compareIgnoringCase(operands, run)
        case .byteCount: try Self.length(operands, isBytes: true, run)
        case .codePointCount: try Self.length(operands, isBytes: false, run)
        case .indexOfBytes: try Self.index(operands, isBytes: true, run)
        case .indexOfCodePoints: try Self.index(operands, isBytes: false, run)
        case .substringOfBytes: try Self.substringOfBytes(operands, run)
        case .substringOfCodePoints: try Self.substringOfCodePoints(operands, run)
        case .trim: try Self.trim(operands, isLeft: true, isRight: true, run)
        case .trimLeft: try Self.trim(operands, isLeft: true, isRight: false, run)
        case .trimRight: try Self.trim(operands, isLeft: false, isRight: true, run)
        case .replaceOne: try Self.replace(operands, isAll: false, run)
        case .replaceAll: try Self.replace(operands, isAll: true, run)
        }
    }

    /// A string must be shorter, read or made.
    static let bytesMax = 16 * 1024 * 1024

    static func check(_ byteCount: Int) throws(CommandError) {
        guard byteCount < bytesMax else {
            throw CommandError(ErrorCode(16493), "a string of \(byteCount) bytes is too long")
        }
    }

    /// The bytes of a string; any other type is refused.
    static func text(_ value: RawValue?, _ code: Int32, _ name: StaticString) throws(CommandError)
        -> UnsafeRawBufferPointer
    {
        guard let value, value.type == .string, let bytes = value.stringBytes else {
            throw CommandError(ErrorCode(code), "\(name) requires a string, found: \(value.typeName)")
        }
        try check(bytes.count)
        return bytes
    }

    static func make(_ bytes: UnsafeRawBufferPointer, _ run: Evaluator) throws(CommandError) -> RawValue {
        try check(bytes.count)
        return try run.scratch.string(bytes)
    }
}

// `$concat $split`.
extension StringOperator {
    /// Operands after a null are not looked at.
    fileprivate static func concat(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let base = run.stack.count
        var byteCount = 0
        for index in 0..<operands.count {
            guard let value = try operands[index].evaluate(run), !(value as RawValue?).isNullish else {
                run.stack.removeAll(from: base)
                return .nothing(.null)
            }
            guard value.type == .string, let bytes = value.stringBytes else {
                throw CommandError(ErrorCode(16702), "$concat only supports strings, not \(value.type.alias)")
            }
            byteCount += bytes.count
            try check(byteCount)
            try run.push(value)
        }
        try check(byteCount)
        try run.spend(bytes: byteCount)
        let (result, target) = try run.scratch.string(byteCount: byteCount)
        var offset = 0
        for element in run.stack.elements(from: base) {
            guard let bytes = element.value.stringBytes else { continue }
            UnsafeMutableRawBufferPointer(rebasing: target[offset...]).copyMemory(from: bytes)
            offset += bytes.count
        }
        run.stack.removeAll(from: base)
        return result
    }

    fileprivate static func split(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let input = try operands[0].evaluate(run)
        let separator = try operands[1].evaluate(run)
        if input.isNullish || separator.isNullish { return .nothing(.null) }
        let text = try text(input, 40085, "$split")
        let delimiter = try self.text(separator, 10_503_900, "$split")
        guard !delimiter.isEmpty else {
            throw CommandError(ErrorCode(40087), "$split requires a non-empty separator")
        }
        try run.spend(text.count / 4)
        let base = run.stack.count
        var start = 0
        while let end = text.firstIndex(of: delimiter, in: start..<text.count) {
            try run.push(try run.scratch.string(text.slice(start..<end)))
            start = end + delimiter.count
        }
        try run.push(try run.scratch.string(text.slice(start..<text.count)))
        return try run.popArray(from: base)
    }
}

// `$toLower $toUpper $strcasecmp`.
extension StringOperator {
    fileprivate static func mapCase(
        _ operands: ArenaList<Expression>, isUpper: Bool, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let text = try coerced(try operands[0].evaluate(run), run)
        try check(text.count)
        try run.spend(text.count)
        let (result, target) = try run.scratch.string(byteCount: text.count)
        if isUpper {
            for (index, byte) in text.enumerated() { target[index] = upper(byte) }
        } else {
            for (index, byte) in text.enumerated() { target[index] = (65...90).contains(byte) ? byte | 0x20 : byte }
        }
        return result
    }

    @inline(__always)
    private static func upper(_ byte: UInt8) -> UInt8 { (97...122).contains(byte) ? byte & ~0x20 : byte }

    fileprivate static func compareIgnoringCase(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let first = try operands[0].evaluate(run)
        let second = try operands[1].evaluate(run)
        let left = try coerced(first, run)
        let right = try coerced(second, run)
        try check(left.count)
        try check(right.count)
        try run.spend(min(left.count, right.count) / 4)
        for index in 0..<min(left.count, right.count) {
            let (one, other) = (upper(left[index]), upper(right[index]))
            if one != other { return try run.scratch.int32(one < other ? -1 : 1) }
        }
        return try run.scratch.int32(Int32((left.count - right.count).signum()))
    }
}
