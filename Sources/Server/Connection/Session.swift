internal import BSON
internal import CommandModel
internal import Commands
internal import Logging
internal import NIOCore
internal import Synchronization
internal import WireProtocol

/// One client connection: reads a message, runs its command, writes the reply, reads the next.
///
/// Used by one task, which runs on the event loop of the channel (``LoopExecutor``), so that a command costs no thread
/// hop but the one to the database thread and back. Commands of one connection run one after the other, in the order
/// they came.
final class Session {
    private let channel: any Channel
    let stream: MessageStream
    let dispatcher: Dispatcher
    private let activity: Activity
    private let requests: RequestCounters
    let logger: Logger
    private let compression = CompressionContext()
    private var lastRequestID: Int32 = 0

    init(
        _ connection: AcceptedConnection, dispatcher: Dispatcher, activity: Activity, requests: RequestCounters,
        logger: Logger
    ) {
        channel = connection.channel
        stream = connection.stream
        self.dispatcher = dispatcher
        self.activity = activity
        self.requests = requests
        self.logger = logger
    }

    /// Serves until the client goes away, sends what is no message, or the task is cancelled.
    func run() async {
        let channel = self.channel
        let connection = dispatcher.context.connection
        if stream.isClosed { connection.clientLeft() } else { stream.onClose = { connection.clientLeft() } }
        await withTaskCancellationHandler {
            while let arrival = await stream.next() {
                guard await serve(arrival) else { break }
            }
        } onCancel: {
            channel.close(promise: nil)
        }
        stream.finish()
        channel.close(promise: nil)
        if let failure = stream.failure { report(failure) }
    }

    /// - Returns: false when the connection is to be closed.
    private func serve(_ arrival: Arrival) async -> Bool {
        var exchange = Exchange(arrival)
        let goesOn = await serve(&exchange)
        stream.end(exchange.share, reply: exchange.reply)
        let access = dispatcher.context.server.access
        if access.isEnforced { stream.isStranger = !dispatcher.context.connection.hasUser }
        return goesOn
    }

    private func serve(_ exchange: inout Exchange) async -> Bool {
        guard await makeRoomToUncompress(&exchange) else { return false }
        let request: Request
        do throws(RequestError) {
            request = try Request(exchange.message, compression: compression)
        } catch {
            return await refuse(error)
        }
        guard case .msg(let operation) = request.operation else {
            return await serveQuery(request)
        }
        guard operation.body.withRaw({ $0["$db"] != nil }) else {
            guard request.envelope.expectsReply else { return true }
            let reply = dispatcher.refuse(CommandError(ErrorCode(40571), "OP_MSG requests require a $db argument"))
            await write(reply, to: request.envelope, [], false)
            return true
        }
        if operation.flags.contains(.exhaustAllowed), Dispatcher.isHandshake(operation.body) {
            return await streamHello(operation.body, request.envelope)
        }
        return await serve(operation, request.envelope, &exchange)
    }

    private func serve(_ operation: OpMsg, _ envelope: Envelope, _ exchange: inout Exchange) async -> Bool {
        // Also when the client has gone: a write that it wants no answer for is to be done all the same.
        await stream.makeRoom(for: 0, andReply: true, &exchange.share) {
            UrgentCommands.contain(operation.body)
        }
        let sequences = operation.sequences.map {
            DocumentSequenceArgument(identifier: $0.identifier, documents: $0.documents)
        }
        requests.begin(bytes: exchange.message.frame.readableBytes)
        let reply = await activity.during { await dispatcher.run(operation.body, sequences) }
        let count = reply.builder.count
        requests.end(bytes: envelope.expectsReply ? count : 0, isFailure: reply.isFailure)
        if reply.closesConnection { return false }
        if envelope.expectsReply {
            exchange.reply = count
            stream.replied(count, beside: exchange.uncompressed, &exchange.share)
            let mayCompress = envelope.compressor != nil && Self.mayCompress(operation.body)
            await write(reply, to: envelope, [], mayCompress)
        }
        return true
    }

    /// A few bytes may stand for 48 MB: they are not uncompressed before there is room for that, and not at all where
    /// the client may not send as much.
    private func makeRoomToUncompress(_ exchange: inout Exchange) async -> Bool {
        guard let size = exchange.message.uncompressedBytes else { return true }
        guard size <= stream.frameLimit.bytesMax else {
            refuseLength(size)
            return false
        }
        exchange.uncompressed = size
        return await stream.makeRoom(for: size, andReply: false, &exchange.share) { false }
    }

    /// The legacy handshake.
    private func serveQuery(_ request: Request) async -> Bool {
        guard case .query(let query) = request.operation else { return false }
        let reply: CommandReply
        if Dispatcher.isHandshake(query.command) {
            reply = await activity.during { await dispatcher.run(query.command, []) }
        } else {
            reply = dispatcher.refuse(
                CommandError(
                    ErrorCode(352, "UnsupportedOpQueryCommand"),
                    "Unsupported OP_QUERY command. The client driver may require an upgrade."))
        }
        if reply.closesConnection { return false }
        await write(reply, to: request.envelope, [], false)
        return true
    }

    /// A streaming `hello`: replies follow each other, each an answer to the one before, until the client closes the
    /// connection. Waiting for the next one does not count as activity.
    private func streamHello(_ body: Document, _ envelope: Envelope) async -> Bool {
        var envelope = envelope
        // An exhaust request that does not wait has one reply, like any other.
        let isStream = body.withRaw { $0["topologyVersion"] != nil }
        var counter: Int64?
        repeat {
            let (reply, next) = await dispatcher.nextHello(body, after: counter)
            if reply.closesConnection { return false }
            let goesOn = isStream && next != nil
            envelope.requestID = await write(reply, to: envelope, goesOn ? [.moreToCome] : [], false)
            guard goesOn else { return true }
            counter = next
        } while !Task.isCancelled && !stream.isClosed
        return false
    }

    private func refuse(_ error: RequestError) async -> Bool {
        switch error {
        case .malformed(let violation):
            report(violation)
            return false
        case .invalid(let invalid):
            logger.info("invalid message refused", metadata: ["reason": "\(invalid.reason)"])
            guard invalid.envelope.expectsReply else { return true }
            let reply = dispatcher.refuse(CommandError(invalid.reason))
            await write(reply, to: invalid.envelope, [], false)
            return true
        }
    }

    /// - Returns: the number of the reply.
    @discardableResult
    private func write(
        _ reply: consuming CommandReply, to envelope: Envelope, _ flags: OpMsgFlags, _ mayCompress: Bool
    ) async -> Int32 {
        lastRequestID &+= 1
        let requestID = lastRequestID
        var frame = ReplyEncoder.frame(
            around: reply.builder, headroom: CommandReply.headroom, to: envelope, requestID: requestID, flags: flags)
        if mayCompress, let compressor = envelope.compressor {
            frame = compression.compress(frame, with: compressor)
        }
        await stream.write(frame)
        return requestID
    }

    private static func mayCompress(_ body: Document) -> Bool {
        body.withRaw { raw in
            guard let name = raw.firstElement?.key else { return false }
            return Compressor.mayCompress(command: name)
        }
    }
}

extension CommandError {
    init(_ reason: InvalidMessage.Reason) {
        switch reason {
        case .invalidBSON(.tooDeep): self.init(.overflow, "\(reason)")
        case .invalidBSON: self.init(.invalidBSON, "\(reason)")
        case .documentTooLarge: self.init(.bsonObjectTooLarge, "\(reason)")
        case .duplicateSequence, .sequenceIsAlsoField: self.init(.idlDuplicateField, "\(reason)")
        }
    }
}

/// Counts the commands that are running, so that a shutdown can wait for them.
final class Activity: Sendable {
    private let running = Atomic<Int>(0)

    var isIdle: Bool { running.load(ordering: .acquiring) == 0 }

    func during<R>(_ body: () async -> R) async -> R {
        running.add(1, ordering: .relaxed)
        defer { running.subtract(1, ordering: .releasing) }
        return await body()
    }
}
