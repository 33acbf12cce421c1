internal import CICU

/// Characters of a text, as far as they decide where words end and which are alike.
enum TextScalars {
    /// Whether the character stands between words: white space, punctuation, quotation marks, dashes and the symbols
    /// that Unicode keeps for syntax. An apostrophe does by itself; some languages join words by it.
    static func isDelimiter(_ scalar: UInt32) -> Bool {
        if scalar < table.count { return table[Int(scalar)] }
        return cicu_is_delimiter(Int32(truncatingIfNeeded: scalar))
    }

    /// The scripts of most texts, General Punctuation and the symbols.
    private static let table: [Bool] = (0..<0x3100).map { $0 == 0 || cicu_is_delimiter($0) }

    /// Nil for what cannot be read; bytes from clients are well-formed.
    @inline(__always)
    static func decode(_ bytes: UnsafeRawBufferPointer, _ offset: inout Int) -> UInt32 {
        let first = bytes[offset]
        offset += 1
        guard first >= 0xC0 else { return UInt32(first) }
        let more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1
        var scalar = UInt32(first) & (0x3F >> UInt32(more))
        for _ in 0..<more where offset < bytes.count {
            scalar = scalar << 6 | UInt32(bytes[offset] & 0x3F)
            offset += 1
        }
        return scalar
    }

    static func append(_ scalar: UInt32, to bytes: inout [UInt8]) {
        guard scalar >= 0x80 else { return bytes.append(UInt8(truncatingIfNeeded: scalar)) }
        for byte in UTF8.encode(Unicode.Scalar(scalar) ?? "\u{FFFD}") ?? .init() { bytes.append(byte) }
    }

    static func foldingCase(_ text: UnsafeRawBufferPointer, hasDotlessI: Bool, into folded: inout [UInt8]) {
        folded.removeAll(keepingCapacity: true)
        var offset = 0
        while offset < text.count {
            let byte = text[offset]
            if byte < 0x80, !hasDotlessI || byte != UInt8(ascii: "I") {
                folded.append(byte &- 0x41 < 26 ? byte | 0x20 : byte)
                offset += 1
            } else {
                let scalar = Int32(truncatingIfNeeded: decode(text, &offset))
                append(UInt32(bitPattern: cicu_fold_case(scalar, hasDotlessI)), to: &folded)
            }
        }
    }

    static func foldingDiacritics(_ text: UnsafeRawBufferPointer, into folded: inout [UInt8]) {
        folded.removeAll(keepingCapacity: true)
        var offset = 0
        while offset < text.count {
            let byte = text[offset]
            if byte < 0x80 {
                folded.append(byte)
                offset += 1
            } else {
                let base = cicu_fold_diacritics(Int32(truncatingIfNeeded: decode(text, &offset)))
                if base >= 0 { append(UInt32(bitPattern: base), to: &folded) }
            }
        }
    }
}
