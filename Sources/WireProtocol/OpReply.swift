internal import BSON
internal import NIOCore

/// The answer to OP_QUERY: header, int32 flags, int64 cursor, int32 starting from, int32 number of documents,
/// documents (here always one).
enum OpReply {
    static let prologueBytes = WireLimits.headerBytes + 20

    /// Bit 3, AwaitCapable: every server since 1.6 sets it.
    private static let flags: Int32 = 8

    static func writePrologue(into buffer: inout ByteBuffer) {
        buffer.writeMultipleIntegers(flags, Int64(0), Int32(0), Int32(1), endianness: .little)
    }

    static func parse(_ frame: ByteBuffer) throws(ParseError) -> Document {
        try withReadable(frame) { bytes throws(ParseError) in
            var reader = FrameReader(bytes)
            _ = try reader.readInteger(as: Int32.self)
            _ = try reader.readInteger(as: Int64.self)
            _ = try reader.readInteger(as: Int32.self)
            let count = try reader.readInteger(as: Int32.self)
            guard count == 1 else { throw reader.malformed(.replyCount(count)) }
            let document = try reader.readDocument()
            try reader.expectEnd()
            return frame.document(in: document)
        }
    }
}
