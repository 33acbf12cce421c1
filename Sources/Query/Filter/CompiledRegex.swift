internal import BSON
internal import CPCRE2
internal import CommandModel
internal import Synchronization

/// One regular expression, compiled once per filter.
///
/// Subjects come from clients and so do patterns: a limit on the matcher's steps keeps any pattern from hanging a
/// thread. A subject that exceeds it does not match.
///
// Safety: the code is read-only after init; the match block is handed out to one thread at a time.
final class CompiledRegex: @unchecked Sendable {
    /// Above PCRE2's default cost of any sensible pattern, far below what takes seconds.
    private static let matchLimit: UInt32 = 1_000_000
    private static let heapLimitKibibytes: UInt32 = 20_000
    /// As MongoDB has it.
    private static let patternBytesMax = 16 * 1024

    private let code: OpaquePointer
    private let context: OpaquePointer?
    private let spareBlock: Mutex<UInt>
    let source: RawValue

    /// - Parameters:
    ///   - source: the expression as a BSON value that lives as long as this object; a stored expression equal to it
    ///     matches too.
    init(
        pattern: UnsafeRawBufferPointer, options: UnsafeRawBufferPointer, source: RawValue
    ) throws(CommandError) {
        guard pattern.count <= Self.patternBytesMax else {
            throw CommandError(ErrorCode(51091), "Regular expression is invalid: regular expression is too large")
        }
        code = try Self.compile(pattern, flags: try Self.flags(options))
        // Without a JIT (a hardened kernel) the interpreter does the work.
        pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE)
        context = pcre2_match_context_create_8(nil)
        pcre2_set_match_limit_8(context, Self.matchLimit)
        pcre2_set_heap_limit_8(context, Self.heapLimitKibibytes)
        spareBlock = Mutex(0)
        self.source = source
    }

    deinit {
        pcre2_code_free_8(code)
        pcre2_match_context_free_8(context)
        pcre2_match_data_free_8(spareBlock.withLock { OpaquePointer(bitPattern: $0) })
    }

    func matches(_ value: RawValue) -> Bool {
        switch value.type {
        case .string, .symbol: value.stringBytes.map(matches(bytes:)) ?? false
        case .regex: source.type == .regex && source.equals(value)
        default: false
        }
    }

    /// - Parameter subject: UTF-8.
    func matches(bytes subject: UnsafeRawBufferPointer) -> Bool {
        guard let block = takeBlock() else { return false }
        defer { giveBack(block) }
        return match(subject, from: 0, block) >= 0
    }

    private func match(_ subject: UnsafeRawBufferPointer, from start: Int, _ block: OpaquePointer) -> Int32 {
        let result = match(subject, from: start, block, 0)
        // The JIT's stack is small; the interpreter has the heap.
        return result == PCRE2_ERROR_JIT_STACKLIMIT ? match(subject, from: start, block, PCRE2_NO_JIT) : result
    }

    private func match(
        _ subject: UnsafeRawBufferPointer, from start: Int, _ block: OpaquePointer, _ options: UInt32
    ) -> Int32 {
        subject.withMemoryRebound(to: UInt8.self) { bytes in
            pcre2_match_8(code, bytes.baseAddress, bytes.count, start, options, block, context)
        }
    }

    private func takeBlock() -> OpaquePointer? {
        let spare = spareBlock.withLock { spare in
            let taken = spare
            spare = 0
            return taken
        }
        return OpaquePointer(bitPattern: spare) ?? pcre2_match_data_create_from_pattern_8(code, nil)
    }

    private func giveBack(_ block: OpaquePointer) {
        let surplus = spareBlock.withLock { spare in
            let old = spare
            spare = UInt(bitPattern: block)
            return old
        }
        pcre2_match_data_free_8(OpaquePointer(bitPattern: surplus))
    }
}

// Matches with their captures.
extension CompiledRegex {
    /// Where a match is, and each of its groups; number 0 is the whole.
    struct Match {
        let groupCount: Int
        fileprivate let offsets: UnsafeMutablePointer<Int>

        var range: Range<Int> { range(of: 0) ?? 0..<0 }

        /// - Returns: nil for a group that has no part in the match: PCRE2 has -1 for it.
        func range(of group: Int) -> Range<Int>? {
            let (start, end) = (offsets[2 * group], offsets[2 * group + 1])
            // With `\K` in a look-ahead a match may begin behind its end.
            return start < 0 || end < 0 ? nil : min(start, end)..<max(start, end)
        }
    }

    /// - Throws: 51156 if the matcher gives up.
    func finds(in subject: UnsafeRawBufferPointer) throws(CommandError) -> Bool {
        var found = false
        try eachMatch(in: subject) { _ in
            found = true
            return false
        }
        return found
    }

    /// Calls `body` for the matches from left to right, which do not overlap, until it returns false. After an empty
    /// one the search goes on behind the next code point; at the end of a text that is not empty, none is looked for.
    ///
    /// - Throws: 51156 if the matcher gives up.
    func eachMatch(
        in subject: UnsafeRawBufferPointer, _ body: (Match) throws(CommandError) -> Bool
    ) throws(CommandError) {
        guard let block = takeBlock() else {
            throw CommandError(.exceededMemoryLimit, "a regular expression could not be given memory")
        }
        defer { giveBack(block) }
        var start = 0
        repeat {
            let result = match(subject, from: start, block)
            guard result != PCRE2_ERROR_NOMATCH else { return }
            guard result > 0, let offsets = pcre2_get_ovector_pointer_8(block) else {
                throw CommandError(
                    ErrorCode(51156), "Error occurred while executing the regular expression. Result code: \(result)")
            }
            let found = Match(groupCount: Int(pcre2_get_ovector_count_8(block)), offsets: offsets)
            guard try body(found) else { return }
            let end = found.range.upperBound
            start = found.range.isEmpty || end <= start ? subject.end(ofCodePoint: max(end, start)) : end
        } while start < subject.count
    }
}

extension CompiledRegex {
    private static func flags(_ options: UnsafeRawBufferPointer) throws(CommandError) -> UInt32 {
        var flags = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF
        for option in options {
            switch option {
            case UInt8(ascii: "i"): flags |= PCRE2_CASELESS
            case UInt8(ascii: "m"): flags |= PCRE2_MULTILINE
            case UInt8(ascii: "s"): flags |= PCRE2_DOTALL
            case UInt8(ascii: "x"): flags |= PCRE2_EXTENDED
            case UInt8(ascii: "u"): continue
            default:
                let name = String(decoding: CollectionOfOne(option), as: UTF8.self)
                throw CommandError(ErrorCode(51108), "invalid flag in regex options: \(name)")
            }
        }
        return flags
    }

    private static func compile(
        _ pattern: UnsafeRawBufferPointer, flags: UInt32
    ) throws(CommandError) -> OpaquePointer {
        var number: Int32 = 0
        var offset = 0
        let code = pattern.withMemoryRebound(to: UInt8.self) { bytes in
            pcre2_compile_8(bytes.baseAddress, bytes.count, flags, &number, &offset, nil)
        }
        guard let code else {
            throw CommandError(ErrorCode(51091), "Regular expression is invalid: \(message(number))")
        }
        return code
    }

    private static func message(_ number: Int32) -> String {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { buffer in
            let length = pcre2_get_error_message_8(number, buffer.baseAddress, buffer.count)
            guard length > 0 else { return "error \(number)" }
            return String(decoding: UnsafeBufferPointer(rebasing: buffer[..<Int(length)]), as: UTF8.self)
        }
    }
}
