internal import Access
internal import Commands
internal import Logging
internal import NIOCore
internal import NIOSSL
internal import WireProtocol

/// A connection as the listener hands it over.
struct AcceptedConnection: Sendable {
    /// Of all connections since the start.
    let number: Int64
    let channel: any Channel
    let stream: MessageStream
    let isEncrypted: Bool

    /// What the client has shown of itself in the handshake of TLS, which is over before its first message comes.
    var security: ConnectionSecurity? {
        guard isEncrypted else { return nil }
        let channel = channel
        return ConnectionSecurity {
            guard let certificate = try? await channel.nioSSL_peerCertificate().get() else { return nil }
            return try? certificate.toDERBytes()
        }
    }
}

/// What is done with a new connection, on its event loop, before anything is read of it.
//
// Safety: the sweeps are touched on their event loops only.
struct Acceptance: @unchecked Sendable {
    let tls: TLSListener?
    let limits: ClientLimits
    let asksForLogin: Bool
    let sweeps: [ObjectIdentifier: ConnectionSweep]
    let logger: Logger

    private struct Refused: Error {}

    func take(_ channel: any Channel) throws -> AcceptedConnection {
        do {
            return try open(channel)
        } catch {
            // Nobody else knows of it.
            channel.close(promise: nil)
            throw error
        }
    }

    private func open(_ channel: any Channel) throws -> AcceptedConnection {
        let address = channel.remoteAddress?.ipAddress.flatMap(NetworkAddress.init)
        let (number, refusal) = limits.admit(address)
        if let refusal {
            tell(refusal, channel)
            throw Refused()
        }
        let stream = MessageStream(channel, number: number, limits: limits, isStranger: asksForLogin)
        let (limits, sweep) = (limits, sweeps[ObjectIdentifier(channel.eventLoop)])
        sweep?.add(stream)
        channel.closeFuture.whenComplete { _ in
            limits.leave(address)
            sweep?.remove(stream)
        }
        if let tls { try channel.pipeline.syncOperations.addHandler(tls.handler()) }
        try channel.pipeline.syncOperations.addHandlers(
            ArrivalHandler(stream), ByteToMessageHandler(FrameDecoder(role: .server, limit: stream.frameLimit)), stream)
        return AcceptedConnection(number: number, channel: channel, stream: stream, isEncrypted: tls != nil)
    }

    private func tell(_ refusal: ConnectionCensus.Refusal, _ channel: any Channel) {
        guard let untold = limits.mayLog() else { return }
        var metadata: Logger.Metadata = [
            "remote": "\(channel.remoteAddress?.ipAddress ?? "unix")", "limit": "\(refusal.rawValue)",
        ]
        if untold > 0 { metadata["untold"] = "\(untold)" }
        logger.warning("connection refused because there are too many", metadata: metadata)
    }
}
