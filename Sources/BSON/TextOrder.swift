/// How the text of strings and symbols compares: bytewise, or as a language has it. Everything else in a value compares
/// the same way whatever the order of text is.
package protocol TextOrder {
    /// Negative, zero or positive, as `left` comes before, with or after `right`.
    func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int

    /// Appends bytes that compare like the text, with an end that no such key has within: no key begins another one.
    func appendKey(of text: UnsafeRawBufferPointer, to bytes: inout [UInt8])
}

/// Text as its bytes, which in UTF-8 is the order of code points.
struct ByteOrder: TextOrder {
    @inline(__always)
    func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int { orderBytes(left, right) }

    /// 00 → 01 01 and 01 → 01 02, then 00.
    @inline(__always)
    func appendKey(of text: UnsafeRawBufferPointer, to bytes: inout [UInt8]) {
        if text.contains(where: { $0 <= 1 }) {
            for byte in text {
                bytes.append(byte <= 1 ? 1 : byte)
                if byte <= 1 { bytes.append(byte + 1) }
            }
        } else {
            bytes.append(contentsOf: text)
        }
        bytes.append(0)
    }
}

extension RawValue {
    /// Whether there is a string or symbol in the value, at any depth: if not, no order of text makes a difference to
    /// whatever it is compared with.
    package var holdsText: Bool { holdsText(depth: 0) }

    private func holdsText(depth: Int) -> Bool {
        switch type {
        case .string, .symbol: true
        case .document, .array:
            depth < RawDocument.depthMax && fields.contains { $0.value.holdsText(depth: depth + 1) }
        // The scope is a document.
        case .javascriptWithScope:
            depth < RawDocument.depthMax
                && codeWithScope?.scope.contains { $0.value.holdsText(depth: depth + 1) } == true
        default: false
        }
    }
}
