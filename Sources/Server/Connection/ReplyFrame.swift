internal import BSON
internal import NIOCore
internal import WireProtocol

extension ReplyEncoder {
    /// Makes a message of a document that was built behind `headroom` free bytes: an OP_MSG header fits exactly there,
    /// so that the usual reply is not copied; the longer one of the legacy OP_REPLY takes a copy.
    static func frame(
        around body: consuming DocumentBuilder, headroom: Int, to envelope: Envelope, requestID: Int32,
        flags: OpMsgFlags
    ) -> ByteBuffer {
        var buffer = body.finishBuffer()
        switch envelope.format {
        case .msg:
            buffer.setInteger(Int32(truncatingIfNeeded: buffer.writerIndex), at: 0, endianness: .little)
            buffer.setInteger(requestID, at: 4, endianness: .little)
            buffer.setInteger(envelope.requestID, at: 8, endianness: .little)
            buffer.setInteger(OpCode.msg.rawValue, at: 12, endianness: .little)
            buffer.setInteger(flags.rawValue, at: 16, endianness: .little)
            buffer.setInteger(UInt8(0), at: 20)
            return buffer
        case .query:
            var encoder = ReplyEncoder(to: envelope, requestID: requestID)
            buffer.moveReaderIndex(to: headroom)
            Document(unchecked: buffer).withRaw { raw in
                for field in raw { encoder.body.append(field) }
            }
            return encoder.finish()
        }
    }
}
