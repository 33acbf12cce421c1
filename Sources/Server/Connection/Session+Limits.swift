internal import BSON
internal import Commands
internal import Logging
internal import Metrics
internal import NIOCore
internal import WireProtocol

/// A message on its way through a session.
struct Exchange {
    let message: InboundMessage
    var share: MemoryShare
    /// Bytes of its uncompressed form, where that is another one.
    var uncompressed = 0
    /// The size of the reply, once there is one.
    var reply: Int?

    init(_ arrival: Arrival) {
        message = arrival.message
        share = arrival.share
    }
}

/// Commands with small replies that do not wait for memory: they free some, end what others wait for, or are how an
/// operator finds out what is going on.
enum UrgentCommands {
    private static let names: Set<String> = [
        "abortTransaction", "commitTransaction", "connectionStatus", "currentOp", "endSessions", "hello", "isMaster",
        "ismaster", "killAllSessions", "killCursors", "killOp", "killSessions", "ping", "saslContinue", "saslStart",
        "serverStatus", "shutdown",
    ]

    static func contain(_ body: Document) -> Bool {
        body.withRaw { raw in raw.firstElement.map { names.contains($0.key.string) } ?? false }
    }
}

// How connections end that the server ends.
extension Session {
    private var limits: ClientLimits { dispatcher.context.server.limits }

    func report(_ failure: any Error) {
        if let ending = failure as? ConnectionLife.Ending {
            log(.info, "connection closed: its time was over", ["limit": "\(ending.rawValue)"])
        } else if let violation = failure as? ProtocolError {
            if case .frameLength(let length) = violation.violation, (0...WireLimits.messageBytes).contains(Int(length)),
                stream.isStranger
            {
                return refuseLength(Int(length))
            }
            log(.warning, "connection closed: malformed message", ["reason": "\(violation)"])
        } else {
            // The client went away in the middle of something: nothing to do about it.
            logger.debug("connection ended", metadata: ["reason": "\(failure)"])
        }
    }

    func refuseLength(_ length: Int) {
        guard stream.isStranger else {
            return log(.warning, "connection closed: malformed message", ["reason": "uncompressed size \(length)"])
        }
        limits.messagesRefused.count()
        log(.warning, "connection closed: a message too long for who has not logged in", ["bytes": "\(length)"])
    }

    /// Whoever reaches the port must not fill the log.
    private func log(_ level: Logger.Level, _ message: Logger.Message, _ metadata: Logger.Metadata) {
        guard let untold = limits.mayLog() else { return }
        var metadata = metadata
        metadata["remote"] = "\(dispatcher.context.connection.remoteAddress)"
        if untold > 0 { metadata["untold"] = "\(untold)" }
        logger.log(level: level, message, metadata: metadata)
    }
}
