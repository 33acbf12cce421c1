internal import BSON
internal import Commands
internal import Foundation
package import Logging
internal import NIOCore
internal import NIOPosix
internal import ServiceLifecycle
internal import Storage
internal import UnixSignals

/// What the edge decides.
package struct ApplicationSettings: Sendable {
    package var host: String
    package var port: Int
    package var location: BackendLocation
    package var backend = BackendSettings()
    /// Seconds for which the reply to an application's idempotency key is kept.
    package var idempotencyKeyLifetimeSeconds: Int32 = 24 * 3_600
    package var transactionsAreSerializable = false
    /// `HOST:PORT` for clients.
    package var advertisedHost: String
    package var replicaSetName: String
    package var version: String
    package var arguments: [String]
    /// Commands exist that make others fail.
    package var enablesTestCommands = false
    /// Clients must log in, and may do what their roles say.
    package var enforcesAccess = false
    package var limits = LimitSettings()
    package var isAudited = true
    /// Nil: connections are not encrypted.
    package var tls: TLSSettings?
    /// Nil: no admin listener.
    package var admin: AdminSettings?

    package init(
        host: String, port: Int, location: BackendLocation, advertisedHost: String, replicaSetName: String,
        version: String, arguments: [String]
    ) {
        self.host = host
        self.port = port
        self.location = location
        self.advertisedHost = advertisedHost
        self.replicaSetName = replicaSetName
        self.version = version
        self.arguments = arguments
    }
}

/// The whole server, assembled: PostgreSQL and its pools below, the listener on top.
package struct Application {
    private let services: ServiceGroup
    private let backend: Backend
    private let loops: MultiThreadedEventLoopGroup
    private let logger: Logger

    /// Starts everything but the acceptance of connections.
    ///
    /// The port comes first, so that a second server on it fails before it touches any data.
    ///
    /// - Parameter onReady: gets `HOST:PORT` once commands are accepted.
    package static func start(
        _ settings: ApplicationSettings, log: ServerLog, onReady: @escaping @Sendable (String) -> Void
    ) async throws(StartFailure) -> Application {
        let (logger, manager) = (log.logger, ServiceManager())
        let loops = MultiThreadedEventLoopGroup(numberOfThreads: System.coreCount)
        let tls = try settings.tls.map { tls throws(StartFailure) in try TLSListener(tls) }
        let reloader = CertificateReloader(
            listener: tls, signals: await UnixSignalsSequence(trapping: .sighup), logger: logger)
        let limits = OpenFiles.limits(settings.limits.limits, logger)
        let listener = try await bind(settings, tls, limits, loops, logger)
        let admin = try await AdminServer.bind(settings.admin, loops, logger)
        let backend = try await startBackend(settings, logger)
        let state = ServerState(
            engine: backend.engine, identity: identity(settings, backend), clock: ClusterClock(), log: log.ring,
            idempotencyKeyLifetimeSeconds: settings.idempotencyKeyLifetimeSeconds,
            transactionIsolation: settings.transactionsAreSerializable ? .serializable : .snapshot,
            enablesTestCommands: settings.enablesTestCommands, enforcesAccess: settings.enforcesAccess, limits: limits,
            audit: AuditLog(settings.isAudited ? Logger(label: AuditLog.label) : nil))
        // A query that is to be rejected is so from the first one on. If it fails, PostgreSQL is not there for queries.
        try? await backend.engine.refreshQuerySettings()
        await tellAccess(of: state, settings, logger)
        await state.prepare(logger)
        let server = Server(listener: listener, state: state, logger: logger) { address in
            let host = settings.host.contains(":") ? "[\(settings.host)]" : settings.host
            let place = "\(host):\(address.port ?? settings.port)"
            logger.notice("serving", metadata: settings.summary(at: place, backend))
            log.ring.finishStartup()
            manager.tell("READY=1")
            onReady(place)
        }
        var parts: [any Service] = [
            Maintenance(state: state, backend: backend), BackgroundJobs(state: state, logger: logger),
            SharedState(state: state, logger: logger), AutoCompactor(state: state, logger: logger), reloader,
            StopNotice(manager: manager),
        ]
        if let tls { state.certificates.value = { tls.reload(logger) } }
        if settings.enforcesAccess { parts.append(AccessRefresher(directory: state.access)) }
        if let admin, let host = settings.admin?.host {
            parts.append(AdminServer(listener: admin, host: host, state: state, logger: logger))
        }
        let services = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [.init(service: server, successTerminationBehavior: .gracefullyShutdownGroup)]
                    + parts.map {
                        .init(
                            service: $0, successTerminationBehavior: .ignore, failureTerminationBehavior: .ignore)
                    },
                gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        return Application(services: services, backend: backend, loops: loops, logger: logger)
    }

    /// What an operator should know of who may come in.
    private static func tellAccess(of state: ServerState, _ settings: ApplicationSettings, _ logger: Logger) async {
        guard settings.enforcesAccess else {
            if !NetworkInterface.isLoopback(settings.host), settings.host != "localhost" {
                logger.warning("access control is off: whoever reaches this address may read and change everything")
            }
            return
        }
        if (try? await state.access.store.hasAnybody()) == false {
            logger.notice(
                "there are no users yet: make the first one from this machine, by createUser on the database admin")
        }
    }

    /// Serves until a signal asks for the end.
    package func run() async throws {
        let result: Result<Void, any Error>
        do {
            result = .success(try await services.run())
        } catch {
            result = .failure(error)
        }
        await backend.stop()
        logger.notice("stopped")
        try await loops.shutdownGracefully()
        try result.get()
    }

    private static func bind(
        _ settings: ApplicationSettings, _ tls: TLSListener?, _ limits: ClientLimits,
        _ loops: MultiThreadedEventLoopGroup, _ logger: Logger
    ) async throws(StartFailure) -> Server.Listener {
        do {
            return try await Server.bind(
                host: settings.host, port: settings.port, tls: tls, limits: limits,
                asksForLogin: settings.enforcesAccess, group: loops, logger: logger)
        } catch {
            throw StartFailure(
                "cannot listen on \(settings.host):\(settings.port): \(NetworkReason.text(error)). "
                    + NetworkReason.remedy(error, option: "--listen"))
        }
    }

    /// Starting PostgreSQL blocks for seconds, so it has a thread of its own.
    private static func startBackend(
        _ settings: ApplicationSettings, _ logger: Logger
    ) async throws(StartFailure) -> Backend {
        let result: Result<Backend, StartFailure> = await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                do throws(StartFailure) {
                    continuation.resume(
                        returning: .success(try Backend.start(settings.location, settings.backend, logger: logger)))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
        }
        return try result.get()
    }

    private static func identity(_ settings: ApplicationSettings, _ backend: Backend) -> ServerIdentity {
        ServerIdentity(
            version: settings.version, advertisedHost: settings.advertisedHost,
            setName: settings.replicaSetName, hostName: ProcessInfo.processInfo.hostName,
            processID: Int64(ProcessInfo.processInfo.processIdentifier), arguments: settings.arguments,
            runID: ObjectIDGenerator().next(seconds: UInt32(Date().timeIntervalSince1970)),
            postgresVersion: backend.postgresVersion)
    }
}

extension ApplicationSettings {
    /// What an operator wants to know at a glance. No URL: it may hold a password.
    fileprivate func summary(at place: String, _ backend: Backend) -> Logger.Metadata {
        [
            "address": "\(place)", "version": "\(version)", "postgresql": "\(backend.postgresVersion)",
            "logins": enforcesAccess ? "asked for" : "not asked for", "tls": tls == nil ? "off" : "on",
        ]
    }
}

extension ServerState {
    /// What must hold before the first command.
    fileprivate func prepare(_ logger: Logger) async {
        do {
            try await settings.refresh(from: engine)
        } catch {
            logger.warning("settings of all servers are not known yet", metadata: ["reason": "\(error)"])
        }
        // The way of a service manager, so that there is one way to end.
        stopper.value = { kill(getpid(), SIGTERM) }
    }
}
