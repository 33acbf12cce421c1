internal import Commands
internal import Logging
internal import Metrics
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import ServiceLifecycle
internal import Synchronization

/// Where health checks and metrics are asked for.
package struct AdminSettings: Sendable {
    package var host: String
    package var port: Int
    /// Somebody asked for this address: then the server does not start without it.
    package var isRequired: Bool

    package init(host: String, port: Int, isRequired: Bool) {
        self.host = host
        self.port = port
        self.isRequired = isRequired
    }
}

/// HTTP for operators: `/livez`, `/readyz`, `/metrics`, the live page `/` with its `/status.json`, and nothing else.
///
/// One request per connection, answered and closed: who scrapes comes every few seconds, and what cannot be kept open
/// cannot be piled up. A connection has some seconds in all, from its acceptance to its last byte, so that one that
/// drips bytes ends like one that sends none.
final class AdminServer: Service {
    typealias Exchange = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>
    typealias Listener = NIOAsyncChannel<Exchange, Never>

    static let connectionsMax = 32
    static let connectionTime = TimeAmount.seconds(10)
    static let headerBytesMax = 8_192
    static let headerFieldsMax = 64

    private let listener: Listener
    private let pages: AdminPages
    private let probe: ReadinessProbe
    private let sampler: StatusSampler
    private let logger: Logger
    private let open = Atomic<Int>(0)

    /// - Parameter host: that the listener was told.
    init(listener: Listener, host: String, state: ServerState, logger: Logger) {
        self.listener = listener
        self.logger = logger
        probe = ReadinessProbe(engine: state.engine)
        sampler = StatusSampler(state: state)
        let hosts = TrustedHosts([host, state.identity.hostName, state.identity.advertisedHost])
        pages = AdminPages(state: state, probe: probe, sampler: sampler, hosts: hosts)
    }

    /// Nil when there is to be no listener, or when the default address is taken: a second server on a machine is no
    /// mistake, and its clients matter more than its metrics.
    static func bind(
        _ settings: AdminSettings?, _ loops: MultiThreadedEventLoopGroup, _ logger: Logger
    ) async throws(StartFailure) -> Listener? {
        guard let settings else { return nil }
        do {
            let listener = try await bind(host: settings.host, port: settings.port, loops)
            let address = listener.channel.localAddress
            logger.info("admin listener", metadata: ["address": "\(settings.host):\(address?.port ?? settings.port)"])
            if !NetworkInterface.isLoopback(settings.host), settings.host != "localhost" {
                logger.warning(
                    "the admin listener asks nobody who he is: whoever reaches this address sees names of collections",
                    metadata: ["address": "\(settings.host)"])
            }
            return listener
        } catch {
            guard !settings.isRequired else {
                throw StartFailure(
                    "cannot listen on \(settings.host):\(settings.port) for health checks and metrics: "
                        + "\(NetworkReason.text(error)). "
                        + NetworkReason.remedy(error, option: "--admin-listen (or off)"))
            }
            logger.warning(
                "no health checks and metrics: the default address is taken; choose one with --admin-listen",
                metadata: ["address": "\(settings.host):\(settings.port)", "error": "\(NetworkReason.text(error))"])
            return nil
        }
    }

    private static func bind(
        host: String, port: Int, _ loops: MultiThreadedEventLoopGroup
    ) async throws -> Listener {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = headerBytesMax
        limits.maxHeaderListSize = headerBytesMax
        limits.maxHeaderFieldCount = headerFieldsMax
        return try await ServerBootstrap(group: loops)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .bind(host: host, port: port) { [limits] channel in
                let timer = channel.eventLoop.scheduleTask(in: connectionTime) { channel.close(promise: nil) }
                channel.closeFuture.whenComplete { _ in timer.cancel() }
                return channel.pipeline.configureHTTPServerPipeline(
                    withPipeliningAssistance: false, withErrorHandling: true, withDecoderLimitConfiguration: limits
                ).flatMapThrowing { try Exchange(wrappingChannelSynchronously: channel) }
            }
    }

    func run() async throws {
        try await withThrowingDiscardingTaskGroup { group in
            group.addTask { await self.probe.run() }
            group.addTask { await self.sampler.run() }
            try await withGracefulShutdownHandler {
                try await listener.executeThenClose { inbound in
                    for try await exchange in inbound { group.addTask { await self.serve(exchange) } }
                }
            } onGracefulShutdown: {
                self.listener.channel.close(promise: nil)
            }
            group.cancelAll()
        }
    }

    private func serve(_ exchange: Exchange) async {
        let count = open.add(1, ordering: .relaxed).newValue
        defer { open.subtract(1, ordering: .relaxed) }
        do {
            try await exchange.executeThenClose { inbound, outbound in
                guard count <= Self.connectionsMax else { return }
                for try await part in inbound {
                    guard case .head(let head) = part else { continue }
                    let page = await pages.page(for: head, on: exchange.channel.eventLoop)
                    return try await outbound.write(contentsOf: page.parts(version: head.version))
                }
            }
        } catch {
            // The client went away, or its time was over.
            logger.debug("admin connection ended", metadata: ["reason": "\(error)"])
        }
    }
}

/// An answer over HTTP.
struct AdminPage: Sendable {
    var status: HTTPResponseStatus
    var type = "text/plain; charset=utf-8"
    var text: String
    var headers: [(name: String, value: String)] = []

    func parts(version: HTTPVersion) -> [HTTPServerResponsePart] {
        let body = ByteBuffer(string: text)
        var all = HTTPHeaders([
            ("content-type", type), ("content-length", String(body.readableBytes)), ("connection", "close"),
            ("cache-control", "no-store"), ("x-content-type-options", "nosniff"),
        ])
        for header in headers { all.add(name: header.name, value: header.value) }
        return [
            .head(HTTPResponseHead(version: version, status: status, headers: all)), .body(.byteBuffer(body)),
            .end(nil),
        ]
    }
}
