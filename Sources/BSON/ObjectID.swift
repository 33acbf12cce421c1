internal import NIOConcurrencyHelpers

/// Twelve bytes: 4 of seconds since 1970 (big endian), 5 random per process, 3 of a counter (big endian).
///
/// Source: specifications/source/bson-objectid.
package struct ObjectID: Sendable, Hashable {
    package let high: UInt64
    package let low: UInt32

    package init(high: UInt64, low: UInt32) {
        self.high = high
        self.low = low
    }

    /// `bytes` holds exactly twelve.
    package init(_ bytes: UnsafeRawBufferPointer) {
        high = UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self))
        low = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    }

    package func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        var raw = (high.bigEndian, low.bigEndian)
        return try withUnsafeBytes(of: &raw) { try body(UnsafeRawBufferPointer(rebasing: $0[..<12])) }
    }

    package var hexString: String { withBytes(hexEncoded) }
}

/// Makes object ids: one process-random part, one counter.
package struct ObjectIDGenerator: Sendable {
    private let random: UInt64
    private let counter: NIOLockedValueBox<UInt32>

    package init() {
        random = UInt64.random(in: 0..<(1 << 40))
        counter = NIOLockedValueBox(UInt32.random(in: 0..<(1 << 24)))
    }

    /// - Parameter seconds: since 1970 UTC.
    package func next(seconds: UInt32) -> ObjectID {
        let count = counter.withLockedValue { value in
            value = (value &+ 1) & 0xFF_FFFF
            return value
        }
        return ObjectID(
            high: UInt64(seconds) << 32 | random >> 8,
            low: UInt32(truncatingIfNeeded: random & 0xFF) << 24 | count)
    }
}

/// Lower-case hexadecimal.
package func hexEncoded(_ bytes: UnsafeRawBufferPointer) -> String {
    String(unsafeUninitializedCapacity: bytes.count * 2) { target in
        for (index, byte) in bytes.enumerated() {
            target[index * 2] = hexDigit(byte >> 4)
            target[index * 2 + 1] = hexDigit(byte & 15)
        }
        return bytes.count * 2
    }
}

private func hexDigit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 48 + nibble : 87 + nibble }
