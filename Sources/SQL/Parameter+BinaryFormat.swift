package import NIOCore

/// PostgreSQL's binary format: big-endian numbers, and arrays as one header followed by length-prefixed elements
/// (`array_recv` in PostgreSQL's source is the specification).
extension Parameter {
    /// The number of bytes ``write(to:)`` appends.
    package var byteCount: Int {
        switch self {
        case .null: 0
        case .bool: 1
        case .int4, .xid: 4
        case .int8, .float8: 8
        case .text(let text), .json(let text): text.utf8.count
        case .jsonb(let text): text.utf8.count + 1
        case .bytea(let buffer): buffer.readableBytes
        case .bytes(let bytes): bytes.count
        case .boolArray(let values): ArrayFormat.byteCount(values) { _ in 1 }
        case .int4Array(let values): ArrayFormat.byteCount(values) { _ in 4 }
        case .xidArray(let values): ArrayFormat.byteCount(values) { _ in 4 }
        case .int8Array(let values): ArrayFormat.byteCount(values) { _ in 8 }
        case .textArray(let values): ArrayFormat.byteCount(values) { $0.utf8.count }
        case .byteaArray(let values): ArrayFormat.byteCount(values) { $0.readableBytes }
        case .nullableByteaArray(let values): ArrayFormat.byteCount(values) { $0?.readableBytes ?? 0 }
        case .bytesArray(let values): ArrayFormat.byteCount(values) { $0.count }
        }
    }

    /// Appends the value, without a length before it. NULL appends nothing.
    package func write(to buffer: inout ByteBuffer) {
        switch self {
        case .null: break
        case .bool(let value): buffer.writeInteger(value ? 1 : 0, as: UInt8.self)
        case .int4(let value): buffer.writeInteger(value)
        case .int8(let value): buffer.writeInteger(value)
        case .float8(let value): buffer.writeInteger(value.bitPattern)
        case .xid(let value): buffer.writeInteger(value)
        case .text(let text), .json(let text): buffer.writeString(text)
        case .jsonb(let text):
            buffer.writeInteger(1, as: UInt8.self)  // jsonb_recv: the version of the format
            buffer.writeString(text)
        case .bytea(let bytes): buffer.writeImmutableBuffer(bytes)
        case .bytes(let bytes): buffer.writeBytes(bytes)
        default: writeArray(to: &buffer)
        }
    }

    private func writeArray(to buffer: inout ByteBuffer) {
        switch self {
        case .boolArray(let values):
            ArrayFormat.write(values, of: .bool, to: &buffer, size: { _ in 1 }) { value, buffer in
                _ = buffer.writeInteger(value ? 1 : 0, as: UInt8.self)
            }
        case .int4Array(let values):
            ArrayFormat.write(values, of: .int4, to: &buffer, size: { _ in 4 }) { _ = $1.writeInteger($0) }
        case .xidArray(let values):
            ArrayFormat.write(values, of: .xid, to: &buffer, size: { _ in 4 }) { _ = $1.writeInteger($0) }
        case .int8Array(let values):
            ArrayFormat.write(values, of: .int8, to: &buffer, size: { _ in 8 }) { _ = $1.writeInteger($0) }
        case .textArray(let values):
            ArrayFormat.write(values, of: .text, to: &buffer, size: { $0.utf8.count }) { _ = $1.writeString($0) }
        case .byteaArray(let values):
            ArrayFormat.write(values, of: .bytea, to: &buffer, size: { $0.readableBytes }) {
                _ = $1.writeImmutableBuffer($0)
            }
        case .nullableByteaArray(let values):
            let hasNull = values.contains { $0 == nil }
            ArrayFormat.write(values, of: .bytea, to: &buffer, hasNull: hasNull, size: { $0?.readableBytes }) {
                if let bytes = $0 { $1.writeImmutableBuffer(bytes) }
            }
        case .bytesArray(let values):
            ArrayFormat.write(values, of: .bytea, to: &buffer, size: { $0.count }) { _ = $1.writeBytes($0) }
        default: break
        }
    }
}

/// One-dimensional arrays in the binary format.
private enum ArrayFormat {
    /// Dimensions, null flag, element type; then length and lower bound of the one dimension.
    static let headerByteCount = 20

    static func byteCount<Element>(_ values: [Element], _ size: (Element) -> Int) -> Int {
        values.reduce(headerByteCount) { $0 + 4 + size($1) }
    }

    /// An empty array is written as one dimension of length 0, which the server reads as `{}`.
    @inline(__always)
    static func write<Element>(
        _ values: [Element], of type: TypeOID, to buffer: inout ByteBuffer, hasNull: Bool = false,
        size: (Element) -> Int?, element: (Element, inout ByteBuffer) -> Void
    ) {
        buffer.writeMultipleIntegers(
            Int32(1), Int32(hasNull ? 1 : 0), type.rawValue, Int32(truncatingIfNeeded: values.count), Int32(1))
        for value in values {
            buffer.writeInteger(size(value).map { Int32(truncatingIfNeeded: $0) } ?? -1)
            element(value, &buffer)
        }
    }
}
