#if canImport(Glibc)
    public import Glibc
#else
    public import Darwin
#endif

/// The number of bytes before the NUL that ends the C string at `start`, or nil when there is none.
@inline(__always)
func cStringLength(_ start: UnsafeRawPointer, _ available: Int) -> Int? {
    guard available > 0, let end = memchr(start, 0, available) else { return nil }
    return UnsafeRawPointer(end) - start
}

/// A borrowed BSON document or array: the bytes of somebody else, from the length prefix to the closing NUL.
///
/// It is a pointer and nothing more, so that matching a row costs no allocation and no reference count: a
/// ``RawDocument`` may be used only inside the closure or scope that handed it out. What must live longer is a
/// ``Document``.
///
/// Iteration checks each element against the end of the document and stops at the first malformed one; bytes that
/// came from a client went through ``validate(_:)`` before, so for them the stop is never reached.
///
/// What is small and used per element or per value by other modules is `@inlinable`: of `package` declarations the
/// compiler carries nothing across modules otherwise, also with cross-module optimization, and a generic such as
/// `withRaw` then runs unspecialized (80 ns instead of 2).
@usableFromInline
package struct RawDocument {
    @usableFromInline package let bytes: UnsafeRawBufferPointer

    @inlinable @inline(__always)
    package init(unchecked bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    /// Takes the document at the start of `bytes`; nil when the length prefix does not fit.
    @inlinable @inline(__always)
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 5 else { return nil }
        let length = Int(Int32(littleEndian: bytes.loadUnaligned(as: Int32.self)))
        guard length >= 5, length <= bytes.count else { return nil }
        self.bytes = UnsafeRawBufferPointer(rebasing: bytes[..<length])
    }

    @inlinable
    package var isEmpty: Bool { bytes.count <= 5 }

    /// The first value under `key`, which is a single field name, not a path.
    package subscript(key: RawKey) -> RawValue? {
        for element in self where element.key == key { return element.value }
        return nil
    }

    package subscript(key: StaticString) -> RawValue? {
        self[RawKey(key)]
    }

    /// Of a command: its name and what it is about.
    package var firstElement: RawElement? {
        var elements = makeIterator()
        return elements.next()
    }

    /// The number of elements: a walk over the document.
    package var elementCount: Int {
        var count = 0
        for _ in self { count += 1 }
        return count
    }
}

/// A borrowed field name, without its NUL. Compared bytewise, as BSON does.
@usableFromInline
package struct RawKey: Equatable {
    @usableFromInline package let start: UnsafeRawPointer
    @usableFromInline package let count: Int

    @inlinable @inline(__always)
    package init(start: UnsafeRawPointer, count: Int) {
        self.start = start
        self.count = count
    }

    @inlinable @inline(__always)
    package init(_ name: StaticString) {
        // Every static string of ours is a literal of more than one scalar or points at UTF-8; the pointer form is
        // the only one the compiler makes for literals typed StaticString without a Unicode-scalar context.
        self.init(start: UnsafeRawPointer(name.utf8Start), count: name.utf8CodeUnitCount)
    }

    @inlinable
    package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    package var string: String { String(decoding: bytes, as: UTF8.self) }

    @inlinable @inline(__always)
    package static func == (left: RawKey, right: RawKey) -> Bool {
        left.count == right.count && memcmp(left.start, right.start, left.count) == 0
    }

    @inlinable @inline(__always)
    package static func ~= (pattern: StaticString, key: RawKey) -> Bool { RawKey(pattern) == key }

    @inlinable
    package static func == (key: RawKey, name: StaticString) -> Bool { RawKey(name) == key }

    @inlinable
    package var startsWithDollar: Bool { count > 0 && start.load(as: UInt8.self) == UInt8(ascii: "$") }

    @inlinable
    package var containsDot: Bool { memchr(start, Int32(UInt8(ascii: ".")), count) != nil }

    /// The array index that this name spells in canonical decimal ("0", "17", not "01"), if it does.
    package var arrayIndex: Int? {
        guard count > 0, count <= 9 else { return nil }
        var index = 0
        for byte in bytes {
            guard byte >= 48, byte <= 57 else { return nil }
            index = index * 10 + Int(byte - 48)
        }
        return count > 1 && bytes[0] == 48 ? nil : index
    }
}

/// One borrowed element: a name and a value.
@usableFromInline
package struct RawElement {
    @usableFromInline package let key: RawKey
    @usableFromInline package let value: RawValue

    @inlinable @inline(__always)
    package init(key: RawKey, value: RawValue) {
        self.key = key
        self.value = value
    }
}

extension RawDocument: Sequence {
    @usableFromInline
    package struct Iterator: IteratorProtocol {
        @usableFromInline var cursor: UnsafeRawPointer
        @usableFromInline let end: UnsafeRawPointer
        /// Set when the walk ended before the document did.
        package private(set) var isMalformed = false

        @inline(__always)
        init(_ bytes: UnsafeRawBufferPointer) {
            // A RawDocument has at least 5 bytes, except one made unchecked from nothing.
            let base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 8).unsafelyUnwrapped
            cursor = base + Swift.min(4, bytes.count)
            end = base + Swift.max(bytes.count - 1, Swift.min(4, bytes.count))
        }

        @usableFromInline
        package mutating func next() -> RawElement? {
            guard cursor < end else { return nil }
            let nameStart = cursor + 1
            guard let type = BSONType(rawValue: cursor.load(as: UInt8.self)),
                let nameLength = cStringLength(nameStart, end - nameStart)
            else { return stop() }
            let start = nameStart + nameLength + 1
            guard let length = type.payloadLength(at: start, available: end - start) else { return stop() }
            cursor = start + length
            return RawElement(
                key: RawKey(start: nameStart, count: nameLength),
                value: RawValue(type: type, start: start, count: length))
        }

        @inline(never)
        private mutating func stop() -> RawElement? {
            isMalformed = true
            cursor = end
            return nil
        }
    }

    @usableFromInline
    package func makeIterator() -> Iterator { Iterator(bytes) }

    @usableFromInline
    package var underestimatedCount: Int { 0 }
}
