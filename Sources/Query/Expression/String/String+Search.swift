internal import BSON
internal import CommandModel

// `$strLenBytes $strLenCP $indexOfBytes $indexOfCP`.
extension StringOperator {
    static func length(
        _ operands: ArenaList<Expression>, isBytes: Bool, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let value = try operands[0].evaluate(run)
        let text = try text(value, isBytes ? 34473 : 34471, isBytes ? "$strLenBytes" : "$strLenCP")
        if !isBytes { try run.spend(bytes: text.count) }
        return try run.scratch.int32(Int32(truncatingIfNeeded: isBytes ? text.count : text.codePointCount))
    }

    /// Operands: text, what is looked for, start, end.
    static func index(
        _ operands: ArenaList<Expression>, isBytes: Bool, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let name: StaticString = isBytes ? "$indexOfBytes" : "$indexOfCP"
        let input = try operands[0].evaluate(run)
        if input.isNullish { return .nothing(.null) }
        let text = try text(input, isBytes ? 40091 : 40093, name)
        let other = try self.text(try operands[1].evaluate(run), isBytes ? 40092 : 40094, name)
        try run.spend((text.count + other.count) / 4)
        let start = operands.count > 2 ? try position(try operands[2].evaluate(run), "starting", name) : 0
        let end = operands.count > 3 ? try position(try operands[3].evaluate(run), "ending", name) : .max
        let found = isBytes ? bytes(text, other, start, end) : codePoints(text, other, start, end)
        return try run.scratch.int32(Int32(truncatingIfNeeded: found ?? -1))
    }

    private static func position(
        _ value: RawValue?, _ which: StaticString, _ name: StaticString
    ) throws(CommandError) -> Int {
        guard let number = value?.number?.asInt64Exact, let position = Int32(exactly: number) else {
            throw CommandError(
                ErrorCode(40096),
                "\(name) requires an integral \(which) index, found a value of type: \(value.typeName)")
        }
        guard position >= 0 else {
            throw CommandError(ErrorCode(40097), "\(name) requires a nonnegative \(which) index, found: \(position)")
        }
        return Int(position)
    }

    private static func bytes(
        _ text: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer, _ start: Int, _ end: Int
    ) -> Int? {
        guard start <= text.count, start <= end else { return nil }
        return text.firstIndex(of: other, in: start..<min(end, text.count))
    }

    private static func codePoints(
        _ text: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer, _ start: Int, _ end: Int
    ) -> Int? {
        if text.isEmpty, other.isEmpty, start == 0 { return 0 }
        // Unlike with bytes, what is found may reach beyond the end: it only begins before.
        guard start < end else { return nil }
        let first = text.offset(ofCodePoint: start)
        let last = end == .max ? text.count : text.offset(ofCodePoint: end - start, after: first)
        guard let found = text.firstIndex(of: other, in: first..<text.count), found < last else { return nil }
        return text.slice(0..<found).codePointCount
    }
}
