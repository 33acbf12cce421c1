internal import Commands
internal import DequeModule
internal import NIOCore
internal import WireProtocol

/// A message, and what it holds of the memory for messages in flight.
struct Arrival {
    let message: InboundMessage
    var share: MemoryShare
}

/// The messages of one connection, on its event loop: where the channel's callbacks meet the session's loop.
///
/// `NIOAsyncChannel` does this, too, but its iterator and its writer leave the event loop for the global executor and
/// come back, for every message. Here reading and writing stay on the loop that the session's task runs on.
///
/// One message is read ahead at most. A client that sends without waiting for replies is read no further than that,
/// and a client that does not take its replies is not served until it does. Nobody is read either while there is no
/// room for what has come of a message (``InFlightMemory``).
//
// Safety: touched only on the event loop of its channel, where the session's task runs.
final class MessageStream: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = InboundMessage

    /// What a connection may hold of an unfinished message without asking for room: the usual command.
    private static let freeBytes = 16 * 1024
    /// Room is asked for what has come and as much again, within these bounds: a read brings some 128 kB at most.
    private static let roomBytes = 64 * 1024...1024 * 1024

    private let channel: any Channel
    private let limits: ClientLimits
    private let number: Int64
    private var waiting = Deque<Arrival>()
    private var reader: UnsafeContinuation<Arrival?, Never>?
    private var writer: UnsafeContinuation<Void, Never>?
    private var isReading = false
    private(set) var isClosed = false
    private var isFinished = false
    /// Why the connection ended, when it was not the client's doing.
    private(set) var failure: (any Error)?
    /// Called when the client has gone, also while a command runs.
    var onClose: (() -> Void)?

    /// How long the decoder before this lets a message be.
    let frameLimit: FrameLimit
    /// The client must log in, and has not.
    var isStranger: Bool {
        didSet { frameLimit.bytesMax = Self.messageBytesMax(isStranger, limits) }
    }
    private var life = ConnectionLife()

    /// Of the message that is coming.
    private var incoming: MemoryShare
    private var messagesBegun: Int64 = 0
    /// Room for the message that is coming, which is waited for.
    private var missingForIncoming: Int?
    /// The message whose command waits for room.
    private var admission: (share: MemoryShare, missing: Int, waiter: UnsafeContinuation<Bool, Never>)?

    /// - Parameter number: of the connection.
    init(_ channel: any Channel, number: Int64, limits: ClientLimits, isStranger: Bool) {
        self.channel = channel
        self.number = number
        self.limits = limits
        self.isStranger = isStranger
        frameLimit = FrameLimit(bytesMax: Self.messageBytesMax(isStranger, limits))
        incoming = MemoryShare(id: number << 32)
    }

    private static func messageBytesMax(_ isStranger: Bool, _ limits: ClientLimits) -> Int {
        isStranger ? min(limits.settings.strangerMessageBytesMax, WireLimits.messageBytes) : WireLimits.messageBytes
    }

    /// The next message, to be ended by ``end(_:reply:)``; nil when the connection is closed.
    func next() async -> Arrival? {
        if let arrival = waiting.popFirst() {
            life.beganServing()
            readAhead()
            return arrival
        }
        guard !isClosed else { return nil }
        readAhead()
        return await withUnsafeContinuation { reader = $0 }
    }

    /// Sends a frame, and waits while the client does not take what was sent before.
    func write(_ frame: ByteBuffer) async {
        let bytes = frame.readableBytes
        channel.writeAndFlush(frame, promise: nil)
        guard !channel.isWritable, !isClosed else { return }
        life.beganReplying(bytes: bytes)
        await withUnsafeContinuation { writer = $0 }
        life.beganServing()
    }

    private func readAhead() {
        guard waiting.isEmpty, !isReading, !isClosed, !isFinished, missingForIncoming == nil else { return }
        guard life.partialBytes <= Self.freeBytes || hasRoomForMore() else { return }
        isReading = true
        channel.read()
    }

    private var unsentBytes: Int {
        guard writer != nil else { return 0 }
        return (try? channel.syncOptions?.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// A second has gone by.
    func tick() {
        guard !isClosed,
            let ending = life.tick(
                limits.settings.life, pending: unsentBytes, isReading: isReading, isStranger: isStranger)
        else { return }
        limits.ended(ending)
        if failure == nil { failure = ending }
        channel.close(promise: nil)
    }
}

// What the channel tells.
extension MessageStream {
    /// Bytes have come, of which the decoder makes messages.
    func arrived(_ bytes: Int) { life.arrived(bytes) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let message = unwrapInboundIn(data)
        life.framed(message.frame.readableBytes)
        let arrival = Arrival(message: message, share: incoming)
        messagesBegun &+= 1
        incoming = MemoryShare(id: number << 32 &+ messagesBegun & 0xFFFF_FFFF)
        guard !isFinished else { return limits.memory.end(arrival.share, reply: nil) }
        guard let reader else { return waiting.append(arrival) }
        self.reader = nil
        life.beganServing()
        reader.resume(returning: arrival)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isReading = false
        // Also while a command runs: a message that is not whole yet goes on arriving, and the client's end is noticed.
        readAhead()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if channel.isWritable { resumeWriter() }
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosed = true
        onClose?()
        onClose = nil
        resumeWriter()
        if let missing = missingForIncoming { limits.memory.withdraw(incoming, missing: missing, of: .messages) }
        missingForIncoming = nil
        limits.memory.end(incoming, reply: nil)
        incoming = MemoryShare(id: incoming.id)
        if let admission {
            self.admission = nil
            limits.memory.withdraw(admission.share, missing: admission.missing, of: .answers)
            admission.waiter.resume(returning: false)
        }
        reader?.resume(returning: nil)
        reader = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if failure == nil { failure = error }
        context.close(promise: nil)
    }

    private func resumeWriter() {
        writer?.resume()
        writer = nil
    }
}

// Room for messages and replies.
extension MessageStream {
    /// - Returns: false when the message that is coming has to wait for it; reading goes on when there is room.
    private func hasRoomForMore() -> Bool {
        let partial = life.partialBytes
        let more = min(max(partial, Self.roomBytes.lowerBound), Self.roomBytes.upperBound)
        guard let missing = limits.memory.grow(&incoming, toHold: partial + more) else { return true }
        missingForIncoming = missing
        limits.memory.wait(incoming, missing: missing, of: .messages) { [self, loop = channel.eventLoop] in
            loop.execute { self.roomForIncoming() }
        }
        return false
    }

    private func roomForIncoming() {
        // The connection may be closed by now, and has given it back then.
        guard let missing = missingForIncoming else { return }
        missingForIncoming = nil
        limits.memory.granted(&incoming, missing: missing, of: .messages)
        readAhead()
    }

    /// Waits until there is room for `bytes` beside the message, and for its reply.
    ///
    /// - Parameter isUrgent: asked when there is no room: what makes room for others must not wait behind them.
    /// - Returns: false when the connection was closed before there was.
    @discardableResult
    func makeRoom(
        for bytes: Int, andReply: Bool, _ share: inout MemoryShare, isUrgent: () -> Bool
    ) async -> Bool {
        guard let missing = limits.memory.makeRoom(for: bytes, andReply: andReply, &share) else { return true }
        if isUrgent() {
            limits.memory.add(missing, to: &share)
            return true
        }
        guard !isClosed else { return false }
        let waiting = share
        let isGranted = await withUnsafeContinuation { (waiter: UnsafeContinuation<Bool, Never>) in
            admission = (waiting, missing, waiter)
            limits.memory.wait(waiting, missing: missing, of: .answers) { [self, loop = channel.eventLoop] in
                loop.execute { self.roomForCommand(waiting.id) }
            }
        }
        if isGranted { limits.memory.granted(&share, missing: missing, of: .answers) }
        return isGranted
    }

    private func roomForCommand(_ id: InFlightMemory.ID) {
        guard let admission, admission.share.id == id else { return }
        self.admission = nil
        admission.waiter.resume(returning: true)
    }

    /// The reply is there, and may be larger than was thought.
    func replied(_ bytes: Int, beside others: Int, _ share: inout MemoryShare) {
        limits.memory.replied(bytes, beside: others, &share)
    }

    /// The message is over: its reply has been taken.
    func end(_ share: MemoryShare, reply: Int?) {
        limits.memory.end(share, reply: reply)
        life.becameIdle()
    }

    /// Nobody will ask for messages any more.
    func finish() {
        isFinished = true
        while let arrival = waiting.popFirst() { limits.memory.end(arrival.share, reply: nil) }
    }
}

/// Tells a ``MessageStream`` how many bytes have come before they are cut into messages.
final class ArrivalHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let stream: MessageStream

    init(_ stream: MessageStream) { self.stream = stream }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        stream.arrived(unwrapInboundIn(data).readableBytes)
        context.fireChannelRead(data)
    }
}

/// Counts the seconds of all connections of one event loop.
//
// Safety: touched only on its event loop.
final class ConnectionSweep: @unchecked Sendable {
    private var streams: [ObjectIdentifier: MessageStream] = [:]

    /// One for each event loop, by its identity.
    static func all(of group: any EventLoopGroup) -> [ObjectIdentifier: ConnectionSweep] {
        var sweeps: [ObjectIdentifier: ConnectionSweep] = [:]
        for loop in group.makeIterator() {
            let sweep = ConnectionSweep()
            sweep.start(on: loop)
            sweeps[ObjectIdentifier(loop)] = sweep
        }
        return sweeps
    }

    private func start(on loop: any EventLoop) {
        _ = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            for stream in self.streams.values { stream.tick() }
        }
    }

    func add(_ stream: MessageStream) { streams[ObjectIdentifier(stream)] = stream }

    func remove(_ stream: MessageStream) { streams[ObjectIdentifier(stream)] = nil }
}
