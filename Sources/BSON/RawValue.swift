/// A borrowed BSON value: its type and its payload (without type byte and name). The same lifetime rule as for
/// ``RawDocument``.
@usableFromInline
package struct RawValue {
    @usableFromInline package let type: BSONType
    @usableFromInline package let start: UnsafeRawPointer
    @usableFromInline package let count: Int

    @inlinable @inline(__always)
    package init(type: BSONType, start: UnsafeRawPointer, count: Int) {
        self.type = type
        self.start = start
        self.count = count
    }

    @inlinable @inline(__always)
    package init(type: BSONType, bytes: UnsafeRawBufferPointer) {
        // A value without payload (null, minKey …) needs an address that is never read.
        self.init(
            type: type, start: bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 8).unsafelyUnwrapped,
            count: bytes.count)
    }

    @inlinable
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }
}

// Accessors: each gives nil when the type is another one; lengths were checked by whoever made the value.
extension RawValue {
    @inlinable @inline(__always)
    package var double: Double? {
        type == .double ? Double(bitPattern: load(UInt64.self, at: 0)) : nil
    }

    @inlinable @inline(__always)
    package var int32: Int32? { type == .int32 ? load(Int32.self, at: 0) : nil }

    @inlinable @inline(__always)
    package var int64: Int64? { type == .int64 ? load(Int64.self, at: 0) : nil }

    package var bool: Bool? { type == .bool ? start.load(as: UInt8.self) != 0 : nil }

    /// Milliseconds since 1970 UTC.
    package var date: Int64? { type == .date ? load(Int64.self, at: 0) : nil }

    /// Seconds in the high, increment in the low 32 bits.
    package var timestamp: UInt64? { type == .timestamp ? load(UInt64.self, at: 0) : nil }

    package var objectID: ObjectID? {
        guard type == .objectID, count == 12 else { return nil }
        return ObjectID(bytes)
    }

    /// The UTF-8 bytes of a string, symbol or JavaScript code, without length and NUL.
    @inlinable @inline(__always)
    package var stringBytes: UnsafeRawBufferPointer? {
        switch type {
        case .string, .symbol, .javascript: count >= 5 ? slice(4, count - 5) : nil
        default: nil
        }
    }

    /// A string (not symbol, not code) as Swift's own; for names and options, not for rows.
    package var string: String? {
        guard type == .string, let bytes = stringBytes else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    @inlinable @inline(__always)
    package var document: RawDocument? { type == .document ? RawDocument(bytes) : nil }

    @inlinable @inline(__always)
    package var array: RawDocument? { type == .array ? RawDocument(bytes) : nil }

    /// A document or an array.
    @inlinable @inline(__always)
    package var container: RawDocument? {
        type == .document || type == .array ? RawDocument(bytes) : nil
    }

    /// Subtype and data of binary; for the old subtype 2 the data includes its inner length.
    package var binary: (subtype: UInt8, data: UnsafeRawBufferPointer)? {
        guard type == .binary, count >= 5 else { return nil }
        return (start.load(fromByteOffset: 4, as: UInt8.self), slice(5, count - 5))
    }

    /// Pattern and options of a regular expression, without their NULs.
    package var regex: (pattern: UnsafeRawBufferPointer, options: UnsafeRawBufferPointer)? {
        guard type == .regex, let pattern = cStringLength(start, count),
            let options = cStringLength(start + pattern + 1, count - pattern - 1)
        else { return nil }
        return (slice(0, pattern), slice(pattern + 1, options))
    }

    /// The two halves of a Decimal128, as they lie in the document.
    package var decimalHalves: (low: UInt64, high: UInt64)? {
        guard type == .decimal128, count == 16 else { return nil }
        return (load(UInt64.self, at: 0), load(UInt64.self, at: 8))
    }

    @inlinable @inline(__always)
    func load<T: FixedWidthInteger>(_: T.Type, at offset: Int) -> T {
        T(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    @inlinable @inline(__always)
    func slice(_ offset: Int, _ length: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: start + offset, count: length)
    }
}
