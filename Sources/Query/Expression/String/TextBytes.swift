#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

// UTF-8 text as bytes and as code points. Stored strings are well-formed.
extension UnsafeRawBufferPointer {
    /// No text; it has no address.
    static var none: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }

    /// Whether the byte at `offset` is not the first of its code point; the end is the first of none.
    @inline(__always)
    func isWithinCodePoint(_ offset: Int) -> Bool { offset < count && self[offset] & 0xC0 == 0x80 }

    var codePointCount: Int {
        var (continuations, offset) = (0, 0)
        while count - offset >= 8 {
            let word = loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            // The high bit of each byte that has it, unless the bit below is set too.
            continuations += (word & ~(word << 1) & 0x8080_8080_8080_8080).nonzeroBitCount
            offset += 8
        }
        while offset < count {
            if self[offset] & 0xC0 == 0x80 { continuations += 1 }
            offset += 1
        }
        return count - continuations
    }

    /// Where the code point with this number after `start` begins; the end, if there are not as many.
    func offset(ofCodePoint number: Int, after start: Int = 0) -> Int {
        var (offset, left) = (start, number)
        while left > 0, offset < count {
            offset = self.end(ofCodePoint: offset)
            left -= 1
        }
        return offset
    }

    func end(ofCodePoint offset: Int) -> Int {
        var end = offset + 1
        while isWithinCodePoint(end) { end += 1 }
        return Swift.min(end, count)
    }

    func start(ofCodePointBefore offset: Int) -> Int {
        var start = offset - 1
        while start > 0, isWithinCodePoint(start) { start -= 1 }
        return start
    }

    func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: self[range]) }

    /// Where `other` occurs first within the range; nil if it does not. An empty text occurs everywhere.
    func firstIndex(of other: UnsafeRawBufferPointer, in range: Range<Int>) -> Int? {
        guard other.count <= range.count else { return nil }
        guard !other.isEmpty else { return range.lowerBound }
        let text = slice(range)
        let found = other.count <= Self.shortMax ? text.firstIndex(ofShort: other) : TwoWaySearch(other).first(in: text)
        return found.map { $0 + range.lowerBound }
    }

    /// For so few bytes the product of both lengths is bearable.
    private static let shortMax = 32

    private func firstIndex(ofShort other: UnsafeRawBufferPointer) -> Int? {
        guard let base = baseAddress, let start = other.baseAddress else { return nil }
        var offset = 0
        while offset + other.count <= count {
            let candidates = count - other.count + 1 - offset
            guard let candidate = memchr(base + offset, Int32(other[0]), candidates) else { return nil }
            if memcmp(candidate, start, other.count) == 0 { return UnsafeRawPointer(candidate) - base }
            offset = UnsafeRawPointer(candidate) - base + 1
        }
        return nil
    }
}
