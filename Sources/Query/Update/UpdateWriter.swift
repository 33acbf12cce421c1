internal import BSON
internal import CommandModel
internal import NIOCore

/// Writes the result of an update: single elements, and whole runs of elements taken over as bytes.
struct UpdateWriter {
    static let depthMax = RawDocument.storedDepthMax

    private var buffer = ByteBuffer()
    private var open: [Int] = []

    var byteCount: Int { buffer.writerIndex }

    mutating func reserve(_ count: Int) { buffer.reserveCapacity(count) }

    mutating func begin() {
        open.append(buffer.writerIndex)
        buffer.writeInteger(Int32(0), endianness: .little)
    }

    mutating func begin(_ type: BSONType, _ key: RawKey) {
        header(type, key)
        begin()
    }

    mutating func end() throws(CommandError) {
        guard open.count <= Self.depthMax else {
            throw CommandError(.overflow, "the update makes a document nested deeper than \(Self.depthMax) levels")
        }
        guard let start = open.popLast() else { return }
        buffer.writeInteger(UInt8(0))
        buffer.setInteger(Int32(truncatingIfNeeded: buffer.writerIndex - start), at: start, endianness: .little)
    }

    mutating func append(_ key: RawKey, _ value: RawValue) {
        header(value.type, key)
        buffer.writeBytes(value.bytes)
    }

    mutating func append(_ key: RawKey, _ value: Value) {
        value.withRaw { append(key, $0) }
    }

    mutating func append(index: Int, _ value: RawValue) {
        withIndexName(index) { append($0, value) }
    }

    /// Copies elements as they lie.
    mutating func copy(from start: UnsafeRawPointer?, to end: UnsafeRawPointer?) {
        guard let start, let end, end > start else { return }
        buffer.writeBytes(UnsafeRawBufferPointer(start: start, count: end - start))
    }

    mutating func finish() -> Document { Document(unchecked: buffer) }

    private mutating func header(_ type: BSONType, _ key: RawKey) {
        buffer.writeInteger(type.rawValue)
        buffer.writeBytes(key.bytes)
        buffer.writeInteger(UInt8(0))
    }
}
