package import BSON
package import NIOCore

/// Writes one reply, from header to the end of its document, into one buffer.
///
/// The command writes its fields straight into ``body``, which stands behind the header in the buffer that the
/// channel will send: no byte of a reply is copied. Not copyable, so that this stays so: with a second handle on the
/// buffer alive, patching the lengths would copy the whole reply.
package struct ReplyEncoder: ~Copyable {
    package var body: DocumentBuilder

    /// - Parameters:
    ///   - requestID: The reply's own number, unique on its connection.
    ///   - flags: ``OpMsgFlags/moreToCome`` for all but the last of several replies. Ignored for OP_QUERY.
    ///   - reserving: The expected size of the document.
    package init(
        to envelope: Envelope, requestID: Int32, flags: OpMsgFlags = [], reserving documentBytes: Int = 480
    ) {
        var buffer = ByteBufferAllocator().buffer(capacity: OpReply.prologueBytes &+ max(documentBytes, 0))
        switch envelope.format {
        case .msg:
            buffer.writeHeader(
                MessageHeader(requestID: requestID, responseTo: envelope.requestID, opCode: .msg))
            buffer.writeMultipleIntegers(flags.rawValue, UInt8(0), endianness: .little)
        case .query:
            buffer.writeHeader(
                MessageHeader(requestID: requestID, responseTo: envelope.requestID, opCode: .reply))
            OpReply.writePrologue(into: &buffer)
        }
        // Not copied: see the note on the type.
        body = DocumentBuilder(into: consume buffer)
    }

    /// Closes what is open and gives the message.
    package consuming func finish() -> ByteBuffer {
        // Moves, not copies: `consume` ends the life of each handle before the next one writes.
        let body = self.body
        _ = consume self
        var message = (consume body).finishBuffer()
        message.patchLength(at: 0)
        return message
    }
}
