package import BSON
package import CommandModel
package import NIOCore

/// One entry of `results` in a session's row: what a statement did, in a form that is appended to what is there.
///
/// A bulk of a thousand updates appends a thousand times, hence bytes instead of documents: three for a plain update.
///
///     0x01 statement flags [matched modified] [type length bytes] [document] [document]
///     0x02 statement count          so many inserts in a row
///     0x03                          the transaction of this number is committed
///     0x04 16 bytes                 the fingerprint of the command, first of all, for an application's key
///
/// Integers are LEB128. What does not parse ends the list: a recording that cannot be read must not be taken for one.
enum Recording: Sendable {
    case statement(Int32, WriteTally)
    case failure(Int32, CommandError)
    case inserts(first: Int32, count: Int32)
    case committed
    case fingerprint([UInt8])

    private enum Tag {
        static let statement: UInt8 = 1
        static let inserts: UInt8 = 2
        static let committed: UInt8 = 3
        static let fingerprint: UInt8 = 4
    }

    private struct Flags: OptionSet {
        let rawValue: UInt8
        static let matched = Flags(rawValue: 1)
        static let modified = Flags(rawValue: 2)
        static let upserted = Flags(rawValue: 4)
        static let image = Flags(rawValue: 8)
        /// The numbers stand as such, because one of them is more than 1.
        static let counts = Flags(rawValue: 16)
        static let error = Flags(rawValue: 32)
    }

    func write(into buffer: inout ByteBuffer) {
        switch self {
        case .statement(let number, let tally):
            buffer.writeInteger(Tag.statement)
            buffer.writeVarint(number)
            Self.write(tally, into: &buffer)
        case .failure(let number, let error):
            buffer.writeInteger(Tag.statement)
            buffer.writeVarint(number)
            buffer.writeInteger(Flags.error.rawValue)
            buffer.writeImmutableBuffer(error.recorded.buffer)
        case .inserts(let first, let count):
            buffer.writeInteger(Tag.inserts)
            buffer.writeVarint(first)
            buffer.writeVarint(count)
        case .committed: buffer.writeInteger(Tag.committed)
        case .fingerprint(let bytes):
            buffer.writeInteger(Tag.fingerprint)
            buffer.writeBytes(bytes)
        }
    }

    private static func write(_ tally: WriteTally, into buffer: inout ByteBuffer) {
        var flags: Flags = []
        if tally.matched > 0 { flags.insert(.matched) }
        if tally.modified > 0 { flags.insert(.modified) }
        if tally.matched > 1 || tally.modified > 1 { flags.insert(.counts) }
        if tally.upsertedID != nil { flags.insert(.upserted) }
        if tally.image != nil { flags.insert(.image) }
        buffer.writeInteger(flags.rawValue)
        if flags.contains(.counts) {
            buffer.writeVarint(tally.matched)
            buffer.writeVarint(tally.modified)
        }
        if let id = tally.upsertedID {
            buffer.writeInteger(id.type.rawValue)
            buffer.writeVarint(id.buffer.readableBytes)
            buffer.writeImmutableBuffer(id.buffer)
        }
        if let image = tally.image { buffer.writeImmutableBuffer(image.buffer) }
    }

    static func list(in buffer: ByteBuffer) -> [Recording] {
        var buffer = buffer
        var list: [Recording] = []
        while let recording = read(from: &buffer) { list.append(recording) }
        return list
    }

    private static func read(from buffer: inout ByteBuffer) -> Recording? {
        guard let tag: UInt8 = buffer.readInteger() else { return nil }
        switch tag {
        case Tag.statement:
            guard let number = buffer.readVarint(), let raw: UInt8 = buffer.readInteger() else { return nil }
            let flags = Flags(rawValue: raw)
            if flags.contains(.error) {
                return buffer.readDocument().map { .failure(Int32(clamping: number), CommandError(recorded: $0)) }
            }
            return readTally(flags, from: &buffer).map { .statement(Int32(clamping: number), $0) }
        case Tag.inserts:
            guard let first = buffer.readVarint(), let count = buffer.readVarint() else { return nil }
            return .inserts(first: Int32(clamping: first), count: Int32(clamping: count))
        case Tag.committed: return .committed
        case Tag.fingerprint: return buffer.readBytes(length: RetryIdentity.Fingerprint.length).map { .fingerprint($0) }
        default: return nil
        }
    }

    private static func readTally(_ flags: Flags, from buffer: inout ByteBuffer) -> WriteTally? {
        var tally = WriteTally()
        tally.matched = flags.contains(.matched) ? 1 : 0
        tally.modified = flags.contains(.modified) ? 1 : 0
        if flags.contains(.counts) {
            guard let matched = buffer.readVarint(), let modified = buffer.readVarint() else { return nil }
            (tally.matched, tally.modified) = (matched, modified)
        }
        if flags.contains(.upserted) {
            guard let raw: UInt8 = buffer.readInteger(), let type = BSONType(rawValue: raw),
                let length = buffer.readVarint(), let bytes = buffer.readSlice(length: Int(clamping: length))
            else { return nil }
            tally.upsertedID = Value(type: type, buffer: bytes)
        }
        if flags.contains(.image) {
            guard let image = buffer.readDocument() else { return nil }
            tally.image = image
        }
        return tally
    }
}

extension ByteBuffer {
    fileprivate mutating func writeVarint(_ value: some BinaryInteger) {
        var rest = UInt64(truncatingIfNeeded: value)
        while rest >= 0x80 {
            writeInteger(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        writeInteger(UInt8(truncatingIfNeeded: rest))
    }

    fileprivate mutating func readVarint() -> Int64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte: UInt8 = readInteger() else { return nil }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return Int64(exactly: value) }
        }
        return nil
    }

    fileprivate mutating func readDocument() -> Document? {
        guard let length: Int32 = getInteger(at: readerIndex, endianness: .little), length >= 5 else { return nil }
        return readSlice(length: Int(length)).map(Document.init(unchecked:))
    }
}

extension CommandError {
    fileprivate var recorded: Document {
        Document { builder in
            builder.append("code", int32: code.number)
            builder.append("codeName", string: code.name)
            builder.append("errmsg", string: message)
            if let details { builder.append("details", Value.document(details)) }
        }
    }

    fileprivate init(recorded document: Document) {
        self = document.withRaw { raw in
            CommandError(
                ErrorCode(raw["code"]?.int32 ?? ErrorCode.internalError.number, raw["codeName"]?.string),
                raw["errmsg"]?.string ?? "", details: raw["details"]?.document.map(Document.init(copying:)))
        }
    }
}
