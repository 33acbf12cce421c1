internal import DequeModule
internal import NIOCore
internal import WireProtocol

/// The messages of one connection, on its event loop: where the channel's callbacks meet the session's loop.
///
/// `NIOAsyncChannel` does this, too, but its iterator and its writer leave the event loop for the global executor and
/// come back, for every message. Here reading and writing stay on the loop that the session's task runs on.
///
/// One message is read ahead at most. A client that sends without waiting for replies is read no further than that,
/// and a client that does not take its replies is not served until it does.
//
// Safety: touched only on the event loop of its channel, where the session's task runs.
final class MessageStream: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = InboundMessage

    private let channel: any Channel
    private var waiting = Deque<InboundMessage>()
    private var reader: UnsafeContinuation<InboundMessage?, Never>?
    private var writer: UnsafeContinuation<Void, Never>?
    private var isReading = false
    private(set) var isClosed = false
    /// Why the connection ended, when it was not the client's doing.
    private(set) var failure: (any Error)?
    /// Called when the client has gone, also while a command runs.
    var onClose: (() -> Void)?

    init(_ channel: any Channel) {
        self.channel = channel
    }

    /// The next message; nil when the connection is closed.
    func next() async -> InboundMessage? {
        if let message = waiting.popFirst() {
            readAhead()
            return message
        }
        guard !isClosed else { return nil }
        readAhead()
        return await withUnsafeContinuation { reader = $0 }
    }

    /// Sends a frame, and waits while the client does not take what was sent before.
    func write(_ frame: ByteBuffer) async {
        channel.writeAndFlush(frame, promise: nil)
        guard !channel.isWritable, !isClosed else { return }
        await withUnsafeContinuation { writer = $0 }
    }

    private func readAhead() {
        guard waiting.isEmpty, !isReading, !isClosed else { return }
        isReading = true
        channel.read()
    }
}

// What the channel tells.
extension MessageStream {
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let message = unwrapInboundIn(data)
        guard let reader else { return waiting.append(message) }
        self.reader = nil
        reader.resume(returning: message)
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
