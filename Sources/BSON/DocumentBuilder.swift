package import NIOCore

/// Writes one BSON document into a buffer: fields in the order of the calls, nested documents and arrays between
/// `begin…` and ``end()``.
///
/// A length is written as zero and patched by ``end()`` and ``finish()``. The buffer may already hold bytes (the
/// frame of a reply); the document begins where they end.
package struct DocumentBuilder {
    package private(set) var buffer: ByteBuffer
    /// Where the innermost open document's length lies; negative when none is open. In place of its length each open
    /// document holds where the one around it lies, so that nesting takes no memory of its own.
    private var innermost = -1
    private let origin: Int

    package init(into buffer: ByteBuffer = ByteBuffer()) {
        self.buffer = buffer
        origin = buffer.writerIndex
        beginLength()
    }

    /// Begins a document behind what is in a buffer, which is empty until ``finish(into:)`` gives it back.
    ///
    /// For many documents in one buffer: whoever hands over a copy of it shares its bytes, and the first change of one
    /// of the two copies them all.
    package init(taking other: inout ByteBuffer) {
        buffer = ByteBuffer()
        origin = other.writerIndex
        swap(&buffer, &other)
        beginLength()
    }

    /// Closes the document and gives the buffer back that was taken.
    package mutating func finish(into other: inout ByteBuffer) {
        while innermost >= 0 { end() }
        swap(&buffer, &other)
    }

    package init(reserving bytes: Int) {
        self.init(into: ByteBufferAllocator().buffer(capacity: bytes))
    }

    /// Bytes written so far to this document.
    package var count: Int { buffer.writerIndex - origin }

    /// Closes the document and gives it.
    package consuming func finish() -> Document {
        let origin = self.origin
        var buffer = finishBuffer()
        buffer.moveReaderIndex(to: origin)
        return Document(unchecked: buffer)
    }

    /// Closes the document and gives the whole buffer, with what stood before it.
    package consuming func finishBuffer() -> ByteBuffer {
        while innermost >= 0 { end() }
        return buffer
    }

    package mutating func end() {
        guard innermost >= 0 else { return }
        let start = innermost
        innermost = buffer.getInteger(at: start, as: Int32.self).map(Int.init) ?? -1
        buffer.writeInteger(UInt8(0))
        buffer.setInteger(Int32(truncatingIfNeeded: buffer.writerIndex - start), at: start, endianness: .little)
    }

    // A buffer holds less than 2 GB: a frame, or a batch.
    private mutating func beginLength() {
        let start = buffer.writerIndex
        buffer.writeInteger(Int32(truncatingIfNeeded: innermost))
        innermost = start
    }
}

extension DocumentBuilder {
    @inline(__always)
    package mutating func header(_ type: BSONType, _ key: RawKey) {
        buffer.writeInteger(type.rawValue)
        buffer.writeBytes(key.bytes)
        buffer.writeInteger(UInt8(0))
    }

    /// The payload after a ``header(_:_:)``.
    package mutating func appendPayload(_ value: some FixedWidthInteger) {
        buffer.writeInteger(value, endianness: .little)
    }

    package mutating func append(_ key: RawKey, _ value: RawValue) {
        header(value.type, key)
        buffer.writeBytes(value.bytes)
    }

    package mutating func append(_ element: RawElement) {
        append(element.key, element.value)
    }

    /// As ``append(_:)``, for an element as an iteration over a document gave it: type, name and value lie there one
    /// after the other and are copied at once.
    package mutating func append(copying element: RawElement) {
        buffer.writeBytes(
            UnsafeRawBufferPointer(start: element.key.start - 1, count: element.key.count + 2 + element.value.count))
    }

    package mutating func append(_ key: RawKey, _ value: Value) {
        header(value.type, key)
        var payload = value.buffer
        buffer.writeBuffer(&payload)
    }

    package mutating func append(_ key: RawKey, document: RawDocument) {
        header(.document, key)
        buffer.writeBytes(document.bytes)
    }

    package mutating func beginDocument(_ key: RawKey) {
        header(.document, key)
        beginLength()
    }

    package mutating func beginArray(_ key: RawKey) {
        header(.array, key)
        beginLength()
    }
}

// Conveniences for the replies that we write ourselves.
extension DocumentBuilder {
    package mutating func append(_ key: StaticString, _ value: RawValue) { append(RawKey(key), value) }
    package mutating func append(_ key: StaticString, _ value: Value) { append(RawKey(key), value) }
    package mutating func append(_ key: StaticString, document: Document) {
        append(RawKey(key), .document(document))
    }

    package mutating func append(_ key: StaticString, int32 value: Int32) {
        header(.int32, RawKey(key))
        buffer.writeInteger(value, endianness: .little)
    }

    package mutating func append(_ key: StaticString, int64 value: Int64) {
        header(.int64, RawKey(key))
        buffer.writeInteger(value, endianness: .little)
    }

    package mutating func append(_ key: StaticString, double value: Double) {
        header(.double, RawKey(key))
        buffer.writeInteger(value.bitPattern, endianness: .little)
    }

    package mutating func append(_ key: StaticString, bool value: Bool) {
        header(.bool, RawKey(key))
        buffer.writeInteger(UInt8(value ? 1 : 0))
    }

    /// - Parameter milliseconds: since 1970 UTC.
    package mutating func append(_ key: StaticString, date milliseconds: Int64) {
        header(.date, RawKey(key))
        buffer.writeInteger(milliseconds, endianness: .little)
    }

    /// - Parameter timestamp: seconds in the high, increment in the low 32 bits.
    package mutating func append(_ key: StaticString, timestamp: UInt64) {
        header(.timestamp, RawKey(key))
        buffer.writeInteger(timestamp, endianness: .little)
    }

    package mutating func append(_ key: StaticString, objectID value: ObjectID) {
        header(.objectID, RawKey(key))
        value.withBytes { _ = buffer.writeBytes($0) }
    }

    package mutating func append(_ key: StaticString, string value: some StringProtocol) {
        header(.string, RawKey(key))
        appendString(value)
    }

    package mutating func appendNull(_ key: StaticString) { header(.null, RawKey(key)) }

    /// - Parameter subtype: 0 generic, 4 UUID, 5 MD5.
    package mutating func append(_ key: StaticString, binary: some Collection<UInt8>, subtype: UInt8) {
        header(.binary, RawKey(key))
        buffer.writeInteger(Int32(binary.count), endianness: .little)
        buffer.writeInteger(subtype)
        buffer.writeBytes(binary)
    }

    package mutating func beginDocument(_ key: StaticString) { beginDocument(RawKey(key)) }
    package mutating func beginArray(_ key: StaticString) { beginArray(RawKey(key)) }

    private mutating func appendString(_ value: some StringProtocol) {
        let start = buffer.writerIndex
        buffer.writeInteger(Int32(0), endianness: .little)
        let count = buffer.writeString(String(value))
        buffer.writeInteger(UInt8(0))
        buffer.setInteger(Int32(count + 1), at: start, endianness: .little)
    }
}

// Array elements: the name is the index in decimal.
extension DocumentBuilder {
    package mutating func append(index: Int, _ value: RawValue) {
        withIndexName(index) { append($0, value) }
    }

    package mutating func append(index: Int, _ value: Value) {
        withIndexName(index) { append($0, value) }
    }

    package mutating func append(index: Int, string value: String) {
        withIndexName(index) { header(.string, $0) }
        appendString(value)
    }

    package mutating func beginDocument(index: Int) {
        withIndexName(index) { beginDocument($0) }
    }

    package mutating func beginArray(index: Int) {
        withIndexName(index) { beginArray($0) }
    }

    /// Copies a whole row as an array element: the hot path of every reply with documents.
    @inline(__always)
    package mutating func append(index: Int, documentBytes: UnsafeRawBufferPointer) {
        withIndexName(index) { header(.document, $0) }
        buffer.writeBytes(documentBytes)
    }
}

/// Calls `body` with the decimal spelling of `index` in memory of the stack.
@inline(__always)
package func withIndexName<R>(_ index: Int, _ body: (RawKey) -> R) -> R {
    withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
        var position = 20
        var rest = UInt(bitPattern: index)
        repeat {
            position -= 1
            digits[position] = 48 + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        let start = UnsafeRawPointer(digits.baseAddress.unsafelyUnwrapped) + position
        return body(RawKey(start: start, count: 20 - position))
    }
}
