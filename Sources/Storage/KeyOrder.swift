internal import NIOCore

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The order of encoded keys, as PostgreSQL orders `bytea`: bytewise, shorter first.
@inline(__always)
func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    guard let leftBase = left.baseAddress, let rightBase = right.baseAddress else { return left.count - right.count }
    let order = memcmp(leftBase, rightBase, min(left.count, right.count))
    return order != 0 ? Int(order) : left.count - right.count
}

@inline(__always)
func compare(_ left: ByteBuffer, _ right: UnsafeRawBufferPointer) -> Int {
    left.withUnsafeReadableBytes { compare($0, right) }
}

@inline(__always)
func compare(_ left: ByteBuffer, _ right: ByteBuffer) -> Int {
    right.withUnsafeReadableBytes { compare(left, $0) }
}
