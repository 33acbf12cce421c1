internal import Commands

/// What clients may take of a server, as its options say.
package struct LimitSettings: Sendable {
    package var connectionsMax: Int
    /// Nil for a part of all.
    package var connectionsPerAddressMax: Int?
    package var handshakeSeconds: Int
    package var messageSeconds: Int
    package var replySeconds: Int
    /// 0 for no end.
    package var idleSeconds: Int
    package var inFlightBytesMax: Int
    package var strangerMessageBytesMax: Int
    package var cursorsMax: Int
    package var sessionsMax: Int

    package init() {
        let limits = ClientLimits.Settings()
        connectionsMax = limits.connectionsMax
        handshakeSeconds = limits.life.handshakeSeconds
        messageSeconds = limits.life.messageSeconds
        replySeconds = limits.life.replySeconds
        idleSeconds = limits.life.idleSeconds
        inFlightBytesMax = limits.inFlightBytesMax
        strangerMessageBytesMax = limits.strangerMessageBytesMax
        cursorsMax = limits.cursorsMax
        sessionsMax = limits.sessionsMax
    }

    var limits: ClientLimits.Settings {
        var limits = ClientLimits.Settings()
        limits.connectionsMax = connectionsMax
        limits.connectionsPerAddressMax = connectionsPerAddressMax
        limits.life.handshakeSeconds = handshakeSeconds
        limits.life.messageSeconds = messageSeconds
        limits.life.replySeconds = replySeconds
        limits.life.idleSeconds = idleSeconds
        limits.inFlightBytesMax = inFlightBytesMax
        limits.strangerMessageBytesMax = strangerMessageBytesMax
        limits.cursorsMax = cursorsMax
        limits.sessionsMax = sessionsMax
        return limits
    }
}
