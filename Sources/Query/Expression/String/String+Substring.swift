internal import BSON
internal import CommandModel

// `$substr $substrBytes $substrCP`.
extension StringOperator {
    /// Operands: text, start, count. A negative count leads to the end.
    static func substringOfBytes(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let input = try operands[0].evaluate(run)
        let startValue = try operands[1].evaluate(run)
        let countValue = try operands[2].evaluate(run)
        let text = try coerced(input, run)
        try check(text.count)
        let startNumber = try number(startValue, 16034, "starting index")
        let countNumber = try number(countValue, 16035, "length")
        let start = try whole(startNumber)
        let count = try whole(countNumber)
        guard start >= 0 else {
            throw CommandError(ErrorCode(50752), "$substrBytes: starting index must be non-negative (got: \(start))")
        }
        guard start < text.count else { return try run.scratch.string(.none) }
        guard !text.isWithinCodePoint(Int(start)) else {
            throw CommandError(ErrorCode(28656), "$substrBytes: starting index is a UTF-8 continuation byte")
        }
        let left = Int64(text.count) - start
        let end = count < 0 || count > left ? text.count : Int(start + count)
        guard !text.isWithinCodePoint(end) else {
            throw CommandError(ErrorCode(28657), "$substrBytes: ending index is in the middle of a UTF-8 character")
        }
        return try run.scratch.string(text.slice(Int(start)..<end))
    }

    private static func number(
        _ value: RawValue?, _ code: Int32, _ name: StaticString
    ) throws(CommandError) -> Number {
        if let number = value?.number { return number }
        throw CommandError(
            ErrorCode(code), "$substrBytes: \(name) must be a numeric type (is BSON type \(value.typeName))")
    }

    /// Doubles are cut off, decimals rounded to the next even number. As with MongoDB a double that is no long is an
    /// error, and such a decimal is the least long.
    private static func whole(_ number: Number) throws(CommandError) -> Int64 {
        if case .decimal(let decimal) = number {
            return Number.decimal(decimal.rounded(places: 0)).asInt64Exact ?? .min
        }
        guard let whole = number.asInt64Truncated else {
            throw CommandError(ErrorCode(31109), "Can't coerce out of range value \(number.asDouble) to long")
        }
        return whole
    }

    /// Operands: text, start, count, in code points.
    static func substringOfCodePoints(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let input = try operands[0].evaluate(run)
        let startValue = try operands[1].evaluate(run)
        let countValue = try operands[2].evaluate(run)
        let text = try coerced(input, run)
        try check(text.count)
        let start = try position(startValue, 34450, 34451, "starting index")
        let count = try position(countValue, 34452, 34453, "length")
        guard count >= 0 else {
            throw CommandError(ErrorCode(34454), "$substrCP: length must be a nonnegative integer.")
        }
        guard start >= 0 else {
            throw CommandError(ErrorCode(34455), "$substrCP: the starting index must be nonnegative integer.")
        }
        try run.spend(text.count / 4)
        let first = text.offset(ofCodePoint: start)
        return try run.scratch.string(text.slice(first..<text.offset(ofCodePoint: count, after: first)))
    }

    private static func position(
        _ value: RawValue?, _ typeCode: Int32, _ valueCode: Int32, _ name: StaticString
    ) throws(CommandError) -> Int {
        guard let number = value?.number else {
            throw CommandError(
                ErrorCode(typeCode), "$substrCP: \(name) must be a numeric type (is BSON type \(value.typeName))")
        }
        guard let position = number.asInt64Exact.flatMap({ Int32(exactly: $0) }) else {
            throw CommandError(
                ErrorCode(valueCode), "$substrCP: \(name) cannot be represented as a 32-bit integral value")
        }
        return Int(position)
    }
}
