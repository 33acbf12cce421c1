package import BSON
internal import NIOCore

/// What a reply must know of the request that it answers.
package struct Envelope: Sendable, Equatable {
    package enum Format: Sendable {
        /// OP_MSG, answered with OP_MSG.
        case msg
        /// OP_QUERY, answered with OP_REPLY.
        case query
    }

    /// Becomes the reply's `responseTo`. In a stream of exhaust replies the sender moves it to the reply before.
    package var requestID: Int32
    package let format: Format
    /// What the request was compressed with, and so what the reply may be compressed with.
    package let compressor: Compressor?
    /// False for unacknowledged writes: whatever happens, nothing is sent.
    package let expectsReply: Bool
}

/// A request, read and validated.
package struct Request: Sendable {
    package enum Operation: Sendable {
        case msg(OpMsg)
        case query(OpQuery)
    }

    package let envelope: Envelope
    package let operation: Operation

    /// - Parameter compression: the state of this thread for messages that are compressed.
    package init(_ message: InboundMessage, compression: CompressionContext) throws(RequestError) {
        let (plain, compressor) = try Self.uncompress(message, compression)
        envelope = Envelope(plain, compressor: compressor)
        do throws(ParseError) {
            operation = try Operation(parsing: plain)
        } catch {
            switch error {
            case .malformed(let error): throw .malformed(error)
            case .invalid(let reason): throw .invalid(InvalidMessage(envelope: envelope, reason: reason))
            }
        }
    }

    private static func uncompress(
        _ message: InboundMessage, _ compression: CompressionContext
    ) throws(RequestError) -> (InboundMessage, Compressor?) {
        guard message.opCode == .compressed else { return (message, nil) }
        do throws(ProtocolError) {
            return try OpCompressed.unwrap(message, role: .server, compression: compression)
        } catch {
            throw .malformed(error)
        }
    }
}

extension Request.Operation {
    fileprivate init(parsing message: InboundMessage) throws(ParseError) {
        if message.opCode == .query {
            self = .query(try OpQuery(parsing: message.frame))
        } else {
            self = .msg(try OpMsg(parsing: message.frame))
        }
    }
}

extension Envelope {
    /// Reads no further than the flags: an envelope is needed for messages that turn out to be invalid, too.
    fileprivate init(_ message: InboundMessage, compressor: Compressor?) {
        requestID = message.requestID
        format = message.opCode == .query ? .query : .msg
        self.compressor = compressor
        expectsReply = format == .query || !OpMsg.flags(of: message.frame).contains(.moreToCome)
    }
}

/// Why a message is not a request.
package enum RequestError: Error {
    /// Log it and close the connection.
    case malformed(ProtocolError)
    /// Answer with an error; the connection lives.
    case invalid(InvalidMessage)
}

/// A message whose frame is in order, but not what is inside it.
package struct InvalidMessage: Error {
    package enum Reason: Error {
        case invalidBSON(BSONValidationError)
        case documentTooLarge(Int)
        case duplicateSequence(String)
        case sequenceIsAlsoField(String)
    }

    package let envelope: Envelope
    package let reason: Reason
}

extension InvalidMessage.Reason: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalidBSON(let error): "invalid BSON: \(error)"
        case .documentTooLarge(let size):
            "a document of \(size) bytes exceeds the limit of \(WireLimits.messageDocumentBytes)"
        case .duplicateSequence(let name): "two document sequences are named '\(name)'"
        case .sequenceIsAlsoField(let name): "'\(name)' is both a field of the body and a document sequence"
        }
    }
}
