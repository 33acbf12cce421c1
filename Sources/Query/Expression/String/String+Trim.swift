internal import BSON
internal import CommandModel

// `$trim $ltrim $rtrim`.
extension StringOperator {
    /// Operands: text, the code points to take away.
    static func trim(
        _ operands: ArenaList<Expression>, isLeft: Bool, isRight: Bool, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let input = try operands[0].evaluate(run)
        if input.isNullish { return .nothing(.null) }
        let text = try text(input, 50699, "$trim")
        guard operands[1].isGiven else {
            return try make(try trimmed(text, isLeft, isRight, run) { isSpace($0) }, run)
        }
        let charsValue = try operands[1].evaluate(run)
        if charsValue.isNullish { return .nothing(.null) }
        let chars = try self.text(charsValue, 50700, "$trim")
        return try make(
            try trimmed(text, isLeft, isRight, run) { codePoint throws(CommandError) in
                try run.spend(chars.count / 16)
                return contains(chars, codePoint)
            }, run)
    }

    private static func trimmed(
        _ text: UnsafeRawBufferPointer, _ isLeft: Bool, _ isRight: Bool, _ run: Evaluator,
        _ isTaken: (UnsafeRawBufferPointer) throws(CommandError) -> Bool
    ) throws(CommandError) -> UnsafeRawBufferPointer {
        var (start, end) = (0, text.count)
        while isLeft, start < end {
            let next = text.end(ofCodePoint: start)
            try run.spend()
            guard try isTaken(text.slice(start..<next)) else { break }
            start = next
        }
        while isRight, start < end {
            let last = text.start(ofCodePointBefore: end)
            try run.spend()
            guard try isTaken(text.slice(last..<end)) else { break }
            end = last
        }
        return text.slice(start..<end)
    }

    private static func contains(_ chars: UnsafeRawBufferPointer, _ codePoint: UnsafeRawBufferPointer) -> Bool {
        chars.firstIndex(of: codePoint, in: 0..<chars.count) != nil
    }

    /// NUL, the white space of ASCII, U+00A0, U+1680 and U+2000 … U+200A: what MongoDB trims.
    private static func isSpace(_ codePoint: UnsafeRawBufferPointer) -> Bool {
        switch (codePoint.count, codePoint[0]) {
        case (1, 0), (1, 9...13), (1, 32): true
        case (2, 0xC2): codePoint[1] == 0xA0
        case (3, 0xE1): codePoint[1] == 0x9A && codePoint[2] == 0x80
        case (3, 0xE2): codePoint[1] == 0x80 && codePoint[2] <= 0x8A
        default: false
        }
    }
}
