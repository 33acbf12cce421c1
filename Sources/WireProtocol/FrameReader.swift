internal import BSON
internal import NIOCore

/// Why a message could not be read, before it is known whom to tell (see ``RequestError``).
enum ParseError: Error {
    case malformed(ProtocolError)
    case invalid(InvalidMessage.Reason)
}

/// Reads the fields of one frame in order. Each read is checked against `end`, which moves inwards when something
/// that lies at the end (the checksum) has been read, or while a section is read.
struct FrameReader {
    let frame: UnsafeRawBufferPointer
    private(set) var offset: Int
    var end: Int

    /// Starts behind the header, which the frame decoder has checked.
    init(_ frame: UnsafeRawBufferPointer) {
        self.frame = frame
        offset = WireLimits.headerBytes
        end = frame.count
    }

    var remaining: Int { end - offset }

    func malformed(_ violation: ProtocolError.Violation) -> ParseError {
        .malformed(ProtocolError(violation, in: frame))
    }

    @inline(__always)
    mutating func readInteger<T: FixedWidthInteger>(as _: T.Type = T.self) throws(ParseError) -> T {
        let size = MemoryLayout<T>.size
        guard remaining >= size else { throw malformed(.endOfFrame) }
        defer { offset += size }
        return T(littleEndian: frame.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// A NUL-terminated UTF-8 name.
    mutating func readCString() throws(ParseError) -> String {
        let rest = frame[offset..<end]
        guard let terminator = rest.firstIndex(of: 0) else { throw malformed(.endOfFrame) }
        guard let name = String(validating: rest[..<terminator], as: UTF8.self) else {
            throw malformed(.identifierNotUTF8)
        }
        offset = terminator + 1
        return name
    }

    /// Steps over a document by its length alone and gives where it lies.
    @inline(__always)
    mutating func skipDocument() throws(ParseError) -> Range<Int> {
        let start = offset
        let length: Int32 = try readInteger()
        guard length >= 5, Int(length) <= end - start else { throw malformed(.documentLength(length)) }
        offset = start + Int(length)
        return start..<offset
    }

    /// A document that was checked to its depths.
    @inline(__always)
    mutating func readDocument() throws(ParseError) -> Range<Int> {
        let range = try skipDocument()
        guard range.count <= WireLimits.messageDocumentBytes else { throw .invalid(.documentTooLarge(range.count)) }
        do throws(BSONValidationError) {
            try RawDocument.validate(UnsafeRawBufferPointer(rebasing: frame[range]))
        } catch {
            throw .invalid(.invalidBSON(error))
        }
        return range
    }

    func expectEnd() throws(ParseError) {
        guard remaining == 0 else { throw malformed(.trailingBytes(remaining)) }
    }
}

extension ByteBuffer {
    /// A document that lies at `range` of the readable bytes, sharing this buffer's memory.
    ///
    /// Moves the indices of a copy of the handle: NIO's own slices cannot begin beyond 16 MiB and silently copy there,
    /// which would double the memory of a large bulk insert.
    func document(in range: Range<Int>) -> Document {
        var part = self
        part.moveWriterIndex(to: readerIndex + range.upperBound)
        part.moveReaderIndex(to: readerIndex + range.lowerBound)
        return Document(unchecked: part)
    }
}
