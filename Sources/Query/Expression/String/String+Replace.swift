internal import BSON
internal import CommandModel

// `$replaceOne $replaceAll`.
extension StringOperator {
    /// Operands: text, what is looked for, what comes in its place.
    static func replace(
        _ operands: ArenaList<Expression>, isAll: Bool, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let input = try operands[0].evaluate(run)
        let find = try operands[1].evaluate(run)
        let replacement = try operands[2].evaluate(run)
        let name: StaticString = isAll ? "$replaceAll" : "$replaceOne"
        // Each is checked before any null counts.
        let text = input.isNullish ? nil : try text(input, 10_503_904, name)
        let old = find.isNullish ? nil : try self.text(find, 10_503_901, name)
        let new = replacement.isNullish ? nil : try self.text(replacement, 10_503_902, name)
        guard let text, let old, let new else { return .nothing(.null) }
        try run.spend(text.count / 4)
        let count =
            isAll
            ? try occurrences(of: old, in: text, run) : text.firstIndex(of: old, in: 0..<text.count) == nil ? 0 : 1
        guard count > 0 else { return input }
        // Neither is 16 MB, so that the product is far from an overflow.
        let byteCount = text.count + count * (new.count - old.count)
        try check(byteCount)
        let (result, target) = try run.scratch.string(byteCount: byteCount)
        if old.isEmpty {
            try interleave(text, new, count, target, run)
        } else {
            try replace(old, new, count, in: text, target, run)
        }
        return result
    }

    /// An empty text occurs before each code point, and at the end.
    private static func occurrences(
        of old: UnsafeRawBufferPointer, in text: UnsafeRawBufferPointer, _ run: Evaluator
    ) throws(CommandError) -> Int {
        if old.isEmpty { return text.codePointCount + 1 }
        var (count, start) = (0, 0)
        while let found = text.firstIndex(of: old, in: start..<text.count) {
            try run.spend()
            count += 1
            start = found + old.count
        }
        return count
    }

    private static func replace(
        _ old: UnsafeRawBufferPointer, _ new: UnsafeRawBufferPointer, _ count: Int, in text: UnsafeRawBufferPointer,
        _ target: UnsafeMutableRawBufferPointer, _ run: Evaluator
    ) throws(CommandError) {
        var (start, written) = (0, 0)
        func write(_ bytes: UnsafeRawBufferPointer) {
            UnsafeMutableRawBufferPointer(rebasing: target[written...]).copyMemory(from: bytes)
            written += bytes.count
        }
        for _ in 0..<count {
            try run.spend()
            guard let found = text.firstIndex(of: old, in: start..<text.count) else { break }
            write(text.slice(start..<found))
            write(new)
            start = found + old.count
        }
        write(text.slice(start..<text.count))
    }

    private static func interleave(
        _ text: UnsafeRawBufferPointer, _ new: UnsafeRawBufferPointer, _ count: Int,
        _ target: UnsafeMutableRawBufferPointer, _ run: Evaluator
    ) throws(CommandError) {
        var (start, written) = (0, 0)
        func write(_ bytes: UnsafeRawBufferPointer) {
            UnsafeMutableRawBufferPointer(rebasing: target[written...]).copyMemory(from: bytes)
            written += bytes.count
        }
        for _ in 0..<count {
            try run.spend()
            write(new)
            guard start < text.count else { break }
            let end = text.end(ofCodePoint: start)
            write(text.slice(start..<end))
            start = end
        }
        write(text.slice(start..<text.count))
    }
}
