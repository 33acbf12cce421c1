package import Commands
package import Logging
package import Postgres
package import Storage

/// Where PostgreSQL is.
package enum BackendLocation: Sendable {
    /// A private server in this directory, started and stopped by us.
    case embedded(dataDirectory: String)
    /// A libpq connection string or URL.
    case url(String)
}

/// PostgreSQL and the pools in front of it.
package final class Backend: Sendable {
    package let engine: StorageEngine
    /// As PostgreSQL calls itself: `15.4`.
    package let postgresVersion: String
    private let embedded: EmbeddedServer?
    private let readers: DatabasePool<PointReadWorker>
    private let writers: DatabasePool<WriteWorker>
    private let general: DatabasePool<GeneralWorker>
    private let lanes: DatabasePool<GeneralWorker>

    /// Longer than another server's group of writes takes, far shorter than a client's transaction may: such a lock is
    /// not waited for on a database thread.
    static let lockTimeoutMilliseconds = 30

    private init(
        embedded: EmbeddedServer?, version: String, connection: ConnectionOptions, sizes: PoolSizes
    ) throws(PostgresError) {
        self.embedded = embedded
        postgresVersion = version
        readers = try DatabasePool(
            worker: PointReadWorker(),
            options: PoolOptions(
                name: "readers", connection: connection.forKeyLookups(application: "martlet-readers"),
                threadCount: sizes.readers, routing: .shared(.gather(threshold: 16)), batchMax: 128))
        writers = try DatabasePool(
            worker: WriteWorker(),
            options: PoolOptions(
                name: "writers",
                connection: connection.forKeyLookups(application: "martlet-writers")
                    .setting("lock_timeout", "\(Self.lockTimeoutMilliseconds)ms"),
                threadCount: sizes.writers, routing: .lanes, batchMax: 128))
        general = try DatabasePool(
            worker: GeneralWorker(),
            options: PoolOptions(
                name: "general",
                connection: connection.named("martlet-general")
                    .setting("lock_timeout", "\(Self.lockTimeoutMilliseconds)ms"),
                threadCount: sizes.general, routing: .shared(.eager), batchMax: 1))
        lanes = try DatabasePool(
            worker: GeneralWorker(),
            options: TransactionPool.options(
                connection: connection.named("martlet-transactions"), laneCount: sizes.transactions))
        engine = StorageEngine(
            readers: readers, writers: writers, general: general,
            transactions: TransactionRegistry(lanes: TransactionLanes(pool: lanes)))
    }

    /// Starts or finds PostgreSQL, brings its schema up to date and opens the pools. Blocks.
    package static func start(
        _ location: BackendLocation, sizes: PoolSizes = PoolSizes(), logger: Logger
    ) throws(StartFailure) -> Backend {
        let (embedded, options) = try connectionOptions(location, logger)
        do throws(StartFailure) {
            let version = try prepare(options, logger)
            do throws(PostgresError) {
                return try Backend(embedded: embedded, version: version, connection: options, sizes: sizes)
            } catch {
                throw StartFailure(connecting: error)
            }
        } catch {
            embedded?.stop()
            throw error
        }
    }

    /// Finishes what waits, closes the connections and stops an embedded server.
    package func stop() async {
        await readers.shutdownGracefully()
        await writers.shutdownGracefully()
        await general.shutdownGracefully()
        engine.transactions.shutDown()
        await lanes.shutdownGracefully()
        embedded?.stop()
    }

    /// Whether writes can reach PostgreSQL now.
    package var isConnected: Bool { writers.metrics.connected > 0 }

    private static func connectionOptions(
        _ location: BackendLocation, _ logger: Logger
    ) throws(StartFailure) -> (EmbeddedServer?, ConnectionOptions) {
        switch location {
        case .url(let url): return (nil, ConnectionOptions(conninfo: url))
        case .embedded(let directory):
            do throws(EmbeddedServerError) {
                let server = try EmbeddedServer.start(EmbeddedServerOptions(dataDirectory: directory), logger: logger)
                return (server, ConnectionOptions(conninfo: server.conninfo))
            } catch {
                throw StartFailure("the embedded PostgreSQL did not start: \(error)")
            }
        }
    }

    private static func prepare(_ options: ConnectionOptions, _ logger: Logger) throws(StartFailure) -> String {
        let connection: Connection
        do throws(PostgresError) {
            connection = try Connection.connect(options.named("martlet-start"))
        } catch {
            throw StartFailure(connecting: error)
        }
        do throws(Migrator.Failure) {
            try Migrator.run(on: connection, logger: logger)
        } catch {
            throw StartFailure("\(error)")
        }
        return "\(connection.serverVersion / 10_000).\(connection.serverVersion % 10_000)"
    }
}

/// Connections of each pool. Few of them with full batches beat many: see ARCHITECTURE.md.
package struct PoolSizes: Sendable {
    package var readers = 2
    package var writers = 2
    package var general = 4
    package var transactions = TransactionPool.laneCountDefault

    package init() {}
}

/// Why the server cannot start: what, why, what to do.
package struct StartFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }

    init(connecting error: PostgresError) {
        self.init(
            "PostgreSQL cannot be used: \(error.message). "
                + "Check --postgresql-url, the rights of its user and that the server runs."
        )
    }
}

extension ConnectionOptions {
    func named(_ name: String) -> ConnectionOptions {
        var options = self
        options.applicationName = name
        return options
    }

    /// Statements that go by key must use the key, also right after a table was created and before it was ever
    /// analyzed; and their plans never depend on the values, so one plan is kept.
    func forKeyLookups(application: String) -> ConnectionOptions {
        named(application)
            .setting("plan_cache_mode", "force_generic_plan")
            .setting("enable_seqscan", "off")
            .setting("enable_bitmapscan", "off")
    }
}
