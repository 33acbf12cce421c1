internal import BSON
internal import NIOCore

extension OpMsg {
    static let headerAndFlagsBytes = WireLimits.headerBytes + 4
    static let checksumBytes = 4

    /// The flags alone; none when the frame is too short to have any.
    static func flags(of frame: ByteBuffer) -> OpMsgFlags {
        let start = frame.readerIndex + WireLimits.headerBytes
        return OpMsgFlags(rawValue: frame.getInteger(at: start, endianness: .little) ?? 0)
    }

    init(parsing frame: ByteBuffer) throws(ParseError) {
        self = try withReadable(frame) { bytes throws(ParseError) in
            var parser = OpMsgParser(frame: frame, bytes: bytes)
            return try parser.parse()
        }
    }
}

private struct OpMsgParser {
    private let frame: ByteBuffer
    private var reader: FrameReader
    private var body: Document?
    private var sequences: [DocumentSequence] = []

    init(frame: ByteBuffer, bytes: UnsafeRawBufferPointer) {
        self.frame = frame
        reader = FrameReader(bytes)
    }

    mutating func parse() throws(ParseError) -> OpMsg {
        let flags = OpMsgFlags(rawValue: try reader.readInteger())
        guard flags.unknownRequired == 0 else { throw reader.malformed(.unknownRequiredFlags(flags.unknownRequired)) }
        if flags.contains(.checksumPresent) { try checkChecksum() }
        while reader.remaining > 0 { try readSection() }
        guard let body else { throw reader.malformed(.bodyCount(0)) }
        if !sequences.isEmpty { try checkIdentifiers(against: body) }
        return OpMsg(flags: flags, body: body, sequences: sequences)
    }

    /// The checksum is the last field and covers all bytes before it, header and flags included.
    private mutating func checkChecksum() throws(ParseError) {
        guard reader.remaining >= OpMsg.checksumBytes else { throw reader.malformed(.endOfFrame) }
        reader.end -= OpMsg.checksumBytes
        let stated = reader.frame.loadUnaligned(fromByteOffset: reader.end, as: UInt32.self)
        let computed = crc32c(UnsafeRawBufferPointer(rebasing: reader.frame[..<reader.end]))
        guard UInt32(littleEndian: stated) == computed else {
            throw reader.malformed(.checksum(stated: UInt32(littleEndian: stated), computed: computed))
        }
    }

    @inline(__always)
    private mutating func readSection() throws(ParseError) {
        switch try reader.readInteger(as: UInt8.self) {
        case 0: try readBody()
        case 1: try readSequence()
        case let kind: throw reader.malformed(.unknownSectionKind(kind))
        }
    }

    @inline(__always)
    private mutating func readBody() throws(ParseError) {
        guard body == nil else { throw reader.malformed(.bodyCount(2)) }
        body = frame.document(in: try reader.readDocument())
    }

    private mutating func readSequence() throws(ParseError) {
        // The body is the other section.
        guard sequences.count < WireLimits.sections - 1 else { throw reader.malformed(.tooManySections) }
        let start = reader.offset
        let length: Int32 = try reader.readInteger()
        guard length >= 5, Int(length) <= reader.end - start else { throw reader.malformed(.sequenceLength(length)) }

        let frameEnd = reader.end
        reader.end = start + Int(length)
        let identifier = try reader.readCString()
        sequences.append(DocumentSequence(identifier: identifier, documents: try readDocuments()))
        reader.end = frameEnd
    }

    private mutating func readDocuments() throws(ParseError) -> [Document] {
        var documents: [Document] = []
        documents.reserveCapacity(try countDocuments())
        while reader.remaining > 0 { documents.append(frame.document(in: try reader.readDocument())) }
        return documents
    }

    /// Hops from length to length: far cheaper than letting an array of 100,000 documents grow.
    private func countDocuments() throws(ParseError) -> Int {
        var scout = reader
        var count = 0
        while scout.remaining > 0 {
            _ = try scout.skipDocument()
            count += 1
        }
        return count
    }

    /// Each sequence stands for a field of the command, so no name may occur twice.
    private func checkIdentifiers(against body: Document) throws(ParseError) {
        for (index, sequence) in sequences.enumerated() {
            let identifier = sequence.identifier
            if sequences[..<index].contains(where: { $0.identifier.utf8.elementsEqual(identifier.utf8) }) {
                throw .invalid(.duplicateSequence(identifier))
            }
            if body.hasField(identifier) { throw .invalid(.sequenceIsAlsoField(identifier)) }
        }
    }
}

extension Document {
    fileprivate func hasField(_ name: String) -> Bool {
        withRaw { raw in raw.contains { $0.key.bytes.elementsEqual(name.utf8) } }
    }
}
