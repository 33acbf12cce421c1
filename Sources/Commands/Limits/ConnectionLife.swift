/// What a connection is doing, and how long it may go on with it. Pure: time comes as ticks, one a second.
///
/// No clock is read for it: a message costs some assignments, and who counts the seconds goes through all connections
/// of an event loop at once.
package struct ConnectionLife: Sendable {
    /// Why the server ends a connection.
    package enum Ending: String, Error, Sendable, CaseIterable {
        /// No whole message has come since the connection was made. TLS counts.
        case handshake
        /// A message has begun and does not get on.
        case slowMessage
        /// The client does not take its reply.
        case slowReader
        /// Nothing has come for too long.
        case idle
    }

    package struct Limits: Sendable {
        package var handshakeSeconds = 30
        /// For which a message that has begun may come at less than ``bytesPerSecondMin``.
        package var messageSeconds = 30
        /// For which a reply may be taken at less than that.
        package var replySeconds = 30
        package var idleSeconds = 86_400
        /// Where clients must log in: of those who have not.
        package var strangerIdleSeconds = 600

        package init() {}
    }

    private enum Phase {
        case greeting, idle, serving
        case replying
    }

    /// Who sends or takes as much may go on: a slow line is no hostile client. Who was faster before has no credit of
    /// it: else a client could send 47 MB at once, and have the server keep them for as long as they might have taken.
    package static let bytesPerSecondMin = 64 * 1024

    /// How far a transfer is behind ``bytesPerSecondMin``.
    private struct Delay {
        private var bytes = 0

        mutating func tick(moved: Int, seconds: Int) -> Bool {
            bytes = max(0, bytes + bytesPerSecondMin - min(moved, 1 << 40))
            return bytes > seconds * bytesPerSecondMin
        }
    }

    private var phase = Phase.greeting
    private var ticks = 0
    /// Of a message that is not whole yet, which may arrive while another one is served.
    package private(set) var partialBytes = 0
    private var arrivedSinceTick = 0
    private var delay = Delay()
    /// Of a reply, not yet taken at the last tick.
    private var pendingBytes = 0
    private var replyDelay = Delay()

    package init() {}

    package mutating func arrived(_ bytes: Int) {
        partialBytes += bytes
        arrivedSinceTick += bytes
    }

    /// A message is whole.
    package mutating func framed(_ bytes: Int) {
        partialBytes = max(0, partialBytes - bytes)
        delay = Delay()
        if case .greeting = phase { enter(.idle) }
    }

    package mutating func beganServing() { enter(.serving) }

    package mutating func beganReplying(bytes: Int) {
        enter(.replying)
        pendingBytes = bytes
        replyDelay = Delay()
    }

    package mutating func becameIdle() { enter(.idle) }

    private mutating func enter(_ phase: Phase) {
        self.phase = phase
        ticks = 0
    }

    /// A second has gone by.
    ///
    /// - Parameters:
    ///   - pending: bytes of a reply that the client has not taken yet.
    ///   - isReading: false while the server itself leaves what comes unread, which is no fault of the client.
    ///   - isStranger: the client must log in, and has not.
    package mutating func tick(
        _ limits: Limits, pending: Int = 0, isReading: Bool = true, isStranger: Bool = false
    ) -> Ending? {
        ticks += 1
        defer { arrivedSinceTick = 0 }
        if partialBytes > 0, isReading, delay.tick(moved: arrivedSinceTick, seconds: limits.messageSeconds) {
            return .slowMessage
        }
        switch phase {
        case .greeting: return Self.isOver(ticks, limits.handshakeSeconds) ? .handshake : nil
        case .serving: return nil
        case .replying:
            let taken = pendingBytes - pending
            pendingBytes = pending
            return replyDelay.tick(moved: taken, seconds: limits.replySeconds) ? .slowReader : nil
        case .idle:
            // What arrives of the next message has a time of its own.
            if partialBytes > 0 { return nil }
            if isStranger, Self.isOver(ticks, limits.strangerIdleSeconds) { return .idle }
            return Self.isOver(ticks, limits.idleSeconds) ? .idle : nil
        }
    }

    /// - Parameter seconds: 0 for no end.
    private static func isOver(_ ticks: Int, _ seconds: Int) -> Bool {
        seconds > 0 && ticks > seconds
    }
}
