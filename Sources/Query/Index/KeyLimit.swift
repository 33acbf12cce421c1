internal import Crypto
package import NIOCore

/// How keys are kept that PostgreSQL would refuse: a B-tree entry may have some 2.7 kB.
///
/// A longer key is stored as its first ``wholeLengthMax`` bytes and the SHA-256 of the whole. A cut key is longer than
/// any whole one, so the two never collide; two cut keys are equal when the whole ones are; their mutual order is that
/// of their beginnings, and hash order beyond.
package struct KeyLimit: Sendable {
    package let wholeLengthMax: Int

    package init(wholeLengthMax: Int) {
        self.wholeLengthMax = wholeLengthMax
    }

    package func stored(_ key: [UInt8]) -> ByteBuffer {
        guard key.count > wholeLengthMax else { return ByteBuffer(bytes: key) }
        var cut = key
        apply(to: &cut)
        return ByteBuffer(bytes: cut)
    }

    package func isCut(_ key: ByteBuffer) -> Bool { key.readableBytes > wholeLengthMax }

    /// Cuts what stands from `start` on, if it is too long.
    ///
    /// - Returns: whether it was.
    @inline(__always)
    @discardableResult
    package func apply(to bytes: inout [UInt8], from start: Int = 0) -> Bool {
        guard bytes.count - start > wholeLengthMax else { return false }
        cut(&bytes, start)
        return true
    }

    private func cut(_ bytes: inout [UInt8], _ start: Int) {
        let digest = bytes.withUnsafeBytes { SHA256.hash(data: UnsafeRawBufferPointer(rebasing: $0[start...])) }
        bytes.removeLast(bytes.count - start - wholeLengthMax)
        bytes.append(contentsOf: digest)
    }
}
