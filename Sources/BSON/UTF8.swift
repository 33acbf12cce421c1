/// Whether these bytes are well-formed UTF-8.
package func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.baseAddress.map { isUTF8($0, bytes.count) } ?? true
}

/// Whether `count` bytes at `start` are well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF.
///
/// Nearly all text of databases is ASCII, so eight bytes at a time are passed over while none has its high bit set.
///
/// Source: The Unicode Standard, table 3-7.
func isUTF8(_ start: UnsafeRawPointer, _ count: Int) -> Bool {
    var offset = 0
    while offset < count {
        if count - offset >= 8 {
            let word = start.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            if word & 0x8080_8080_8080_8080 == 0 {
                offset += 8
                continue
            }
        }
        guard let length = scalarLength(start + offset, count - offset) else { return false }
        offset += length
    }
    return true
}

/// The bytes of the scalar at `start`, or nil when there is none.
@inline(__always)
private func scalarLength(_ start: UnsafeRawPointer, _ available: Int) -> Int? {
    let first = start.load(as: UInt8.self)
    if first < 0x80 { return 1 }
    guard available >= 2 else { return nil }
    let second = start.load(fromByteOffset: 1, as: UInt8.self)
    let length: Int
    // The second byte carries the bounds, all later ones are plain continuations.
    switch (first, second) {
    case (0xC2...0xDF, 0x80...0xBF): return 2
    case (0xE0, 0xA0...0xBF), (0xE1...0xEC, 0x80...0xBF), (0xED, 0x80...0x9F), (0xEE...0xEF, 0x80...0xBF): length = 3
    case (0xF0, 0x90...0xBF), (0xF1...0xF3, 0x80...0xBF), (0xF4, 0x80...0x8F): length = 4
    default: return nil
    }
    guard available >= length else { return nil }
    for index in 2..<length where start.load(fromByteOffset: index, as: UInt8.self) & 0xC0 != 0x80 { return nil }
    return length
}
