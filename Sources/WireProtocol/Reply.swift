package import BSON
internal import NIOCore

/// A reply as a client sees it: whichever way it came.
package struct Reply: Sendable {
    /// The request that it answers.
    package let responseTo: Int32
    /// None for OP_REPLY.
    package let flags: OpMsgFlags
    package let document: Document

    package init(_ message: InboundMessage, compression: CompressionContext) throws(ProtocolError) {
        var plain = message
        if message.opCode == .compressed {
            plain = try OpCompressed.unwrap(message, role: .client, compression: compression).0
        }
        responseTo = plain.responseTo
        do throws(ParseError) {
            (flags, document) = try Self.parse(plain)
        } catch {
            throw error.asProtocolError(in: plain)
        }
    }

    private static func parse(_ message: InboundMessage) throws(ParseError) -> (OpMsgFlags, Document) {
        if message.opCode == .reply { return ([], try OpReply.parse(message.frame)) }
        let msg = try OpMsg(parsing: message.frame)
        return (msg.flags, msg.body)
    }
}

extension ParseError {
    /// A client has nobody to complain to: what a server would answer ends the connection here.
    fileprivate func asProtocolError(in message: InboundMessage) -> ProtocolError {
        switch self {
        case .malformed(let error): error
        case .invalid(let reason):
            withReadable(message.frame) { ProtocolError(.invalidReply(reason.description), in: $0) }
        }
    }
}
