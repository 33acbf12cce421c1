internal import Access
internal import BSON
internal import Commands
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import ServiceLifecycle
internal import Storage
internal import WireProtocol

/// The listener: accepts connections and runs a ``Session`` for each, until a graceful shutdown.
final class Server: Service {
    typealias Listener = NIOAsyncChannel<AcceptedConnection, Never>

    /// How long a shutdown waits for running commands.
    static let drainMax = Duration.seconds(15)

    private let listener: Listener
    private let state: ServerState
    private let logger: Logger
    private let activity = Activity()
    private let onReady: @Sendable (SocketAddress) -> Void

    /// - Parameter onReady: called once commands are accepted.
    init(
        listener: Listener, state: ServerState, logger: Logger,
        onReady: @escaping @Sendable (SocketAddress) -> Void
    ) {
        self.listener = listener
        self.state = state
        self.logger = logger
        self.onReady = onReady
    }

    /// Binds the port; fails when it is taken.
    ///
    /// - Parameter asksForLogin: clients must log in.
    static func bind(
        host: String, port: Int, tls: TLSListener?, limits: ClientLimits, asksForLogin: Bool,
        group: MultiThreadedEventLoopGroup, logger: Logger
    ) async throws -> Listener {
        let acceptance = Acceptance(
            tls: tls, limits: limits, asksForLogin: asksForLogin, sweeps: ConnectionSweep.all(of: group),
            logger: logger)
        return try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            // A client whose machine has gone is found out about, after the kernel's two hours at the latest.
            .childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 512, initial: 2_048, maximum: 65_536)
            )
            .childChannelOption(.maxMessagesPerRead, value: 2)
            .bind(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture { try acceptance.take(channel) }
            }
    }

    func run() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            try await withGracefulShutdownHandler {
                try await listener.executeThenClose { inbound in
                    if let address = listener.channel.localAddress { onReady(address) }
                    for try await connection in inbound {
                        group.addTask(executorPreference: LoopExecutor(connection.channel.eventLoop)) {
                            await self.serve(connection)
                        }
                    }
                }
            } onGracefulShutdown: {
                self.listener.channel.close(promise: nil)
            }
            logger.notice("no more connections are accepted; running commands are finished")
            state.engine.arrivals.shutDown()
            await drain()
            group.cancelAll()
        }
    }

    private func serve(_ connection: AcceptedConnection) async {
        let id = connection.number
        let address = connection.channel.remoteAddress
        let remote = "\(address?.ipAddress ?? "unix"):\(address?.port ?? 0)"
        var logger = logger
        logger[metadataKey: "connection"] = "\(id)"
        logger.debug("connection accepted", metadata: ["remote": "\(remote)"])
        let info = ConnectionInfo(
            id: id, remoteAddress: remote, remote: address?.ipAddress.flatMap(NetworkAddress.init),
            local: connection.channel.localAddress?.ipAddress.flatMap(NetworkAddress.init),
            security: connection.security)
        state.operations.opened(info)
        defer { state.operations.closed(info) }
        let context = CommandContext(server: state, connection: info, logger: logger)
        let session = Session(
            connection, dispatcher: Dispatcher(table: .standard, context: context), activity: activity,
            requests: state.requests, logger: logger)
        await session.run()
        logger.debug("connection closed")
    }

    private func drain() async {
        let deadline = ContinuousClock.now + Self.drainMax
        while !activity.isIdle, ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }
}
