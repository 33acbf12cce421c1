public import NIOCore

/// An owned BSON document (or array): a slice of a buffer that several documents may share.
///
/// The bytes are sacred: nothing here re-encodes them. Read them through ``withRaw(_:)``.
@usableFromInline
package struct Document: Sendable {
    /// Exactly the document, from length prefix to NUL.
    @usableFromInline package let buffer: ByteBuffer

    /// The caller vouches that `buffer`'s readable bytes are one document.
    package init(unchecked buffer: ByteBuffer) {
        self.buffer = buffer
    }

    /// Copies a borrowed document.
    package init(copying raw: RawDocument) {
        buffer = ByteBuffer(bytes: raw.bytes)
    }

    package static let empty = Document(unchecked: ByteBuffer(bytes: [5, 0, 0, 0, 0]))

    package var count: Int { buffer.readableBytes }

    package var isEmpty: Bool { count <= 5 }

    @inlinable @inline(__always)
    package func withRaw<R, E: Error>(_ body: (RawDocument) throws(E) -> R) throws(E) -> R {
        try withReadable(buffer) { bytes throws(E) in try body(RawDocument(unchecked: bytes)) }
    }

    /// Makes one with a builder.
    package init(_ build: (inout DocumentBuilder) -> Void) {
        var builder = DocumentBuilder()
        build(&builder)
        self = builder.finish()
    }
}

extension Document: Equatable {
    /// The same bytes.
    @inlinable
    package static func == (left: Document, right: Document) -> Bool { left.buffer == right.buffer }
}

/// An owned BSON value: a constant of a query, a field that must outlive its document.
@usableFromInline
package struct Value: Sendable {
    @usableFromInline package let type: BSONType
    /// The payload only.
    @usableFromInline package let buffer: ByteBuffer

    package init(type: BSONType, buffer: ByteBuffer) {
        self.type = type
        self.buffer = buffer
    }

    package init(copying raw: RawValue) {
        type = raw.type
        buffer = ByteBuffer(bytes: raw.bytes)
    }

    @inlinable @inline(__always)
    package func withRaw<R, E: Error>(_ body: (RawValue) throws(E) -> R) throws(E) -> R {
        let type = self.type
        return try withReadable(buffer) { bytes throws(E) in try body(RawValue(type: type, bytes: bytes)) }
    }

    package static let null = Value(type: .null, buffer: ByteBuffer())
    package static let minKey = Value(type: .minKey, buffer: ByteBuffer())
    package static let maxKey = Value(type: .maxKey, buffer: ByteBuffer())

    package static func int32(_ value: Int32) -> Value { fixed(.int32, value) }
    package static func int64(_ value: Int64) -> Value { fixed(.int64, value) }
    package static func double(_ value: Double) -> Value { fixed(.double, value.bitPattern) }
    package static func bool(_ value: Bool) -> Value { fixed(.bool, UInt8(value ? 1 : 0)) }
    package static func date(_ milliseconds: Int64) -> Value { fixed(.date, milliseconds) }

    /// - Parameter value: seconds in the high, increment in the low 32 bits.
    package static func timestamp(_ value: UInt64) -> Value { fixed(.timestamp, value) }

    package static func string(_ value: String) -> Value {
        var buffer = ByteBuffer()
        buffer.writeInteger(Int32(value.utf8.count + 1), endianness: .little)
        buffer.writeString(value)
        buffer.writeInteger(UInt8(0))
        return Value(type: .string, buffer: buffer)
    }

    package static func objectID(_ value: ObjectID) -> Value {
        Value(type: .objectID, buffer: value.withBytes { ByteBuffer(bytes: $0) })
    }

    package static func document(_ value: Document) -> Value { Value(type: .document, buffer: value.buffer) }
    package static func array(_ value: Document) -> Value { Value(type: .array, buffer: value.buffer) }

    private static func fixed(_ type: BSONType, _ value: some FixedWidthInteger) -> Value {
        var buffer = ByteBuffer()
        buffer.writeInteger(value, endianness: .little)
        return Value(type: type, buffer: buffer)
    }
}

/// `withUnsafeReadableBytes` with a typed error, which NIO's own does not offer.
@inlinable @inline(__always)
package func withReadable<R, E: Error>(
    _ buffer: ByteBuffer, _ body: (UnsafeRawBufferPointer) throws(E) -> R
) throws(E) -> R {
    let result: Result<R, E> = buffer.withUnsafeReadableBytes { bytes in
        do throws(E) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    return try result.get()
}
