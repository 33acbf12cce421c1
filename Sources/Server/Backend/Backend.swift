package import Commands
internal import Foundation
package import Logging
internal import Metrics
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
    private let readers: DatabasePool<ReadWorker>
    private let writers: DatabasePool<WriteWorker>
    private let general: DatabasePool<GeneralWorker>
    private let analytics: DatabasePool<GeneralWorker>
    private let replica: DatabasePool<GeneralWorker>?
    private let lanes: DatabasePool<GeneralWorker>

    private static func analyticsPool(
        _ name: String, _ connection: ConnectionOptions, _ sizes: PoolSizes, backendNiceness: Int32
    ) throws(PostgresError) -> DatabasePool<GeneralWorker> {
        var options = PoolOptions(
            name: name,
            connection: connection.named("martlet-\(name)")
                .setting("default_transaction_isolation", "repeatable read")
                .setting("default_transaction_read_only", "on")
                .setting("work_mem", "64MB")
                .setting("lock_timeout", "\(lockTimeoutMilliseconds)ms"),
            threadCount: sizes.analytics, routing: .shared(.eager), batchMax: 1, queueMax: 1_000)
        options.niceIncrement = analyticsNiceness
        return try DatabasePool(worker: GeneralWorker(backendNiceness: backendNiceness), options: options)
    }

    /// More threads than run at once at most times: how many do is found out.
    private static func generalOptions(_ connection: ConnectionOptions, _ sizes: PoolSizes) -> PoolOptions {
        var options = PoolOptions(
            name: "general",
            connection: connection.named("martlet-general").setting("lock_timeout", "\(lockTimeoutMilliseconds)ms"),
            threadCount: sizes.general, routing: .shared(.eager), batchMax: 1)
        options.runningMin = 2
        return options
    }

    /// About a thirtieth of the CPU time when others want it, all of it when nobody does.
    private static let analyticsNiceness: Int32 = 15

    /// Longer than another server's group of writes takes, far shorter than a client's transaction may: such a lock is
    /// not waited for on a database thread.
    static let lockTimeoutMilliseconds = 30

    private init(
        embedded: EmbeddedServer?, version: String, connection: ConnectionOptions, settings: BackendSettings
    ) throws(PostgresError) {
        let (sizes, metrics) = (settings.sizes, StorageMetrics())
        self.embedded = embedded
        postgresVersion = version
        readers = try DatabasePool(
            worker: ReadWorker(),
            options: PoolOptions(
                name: "readers", connection: connection.forKeyLookups(application: "martlet-readers"),
                threadCount: sizes.readers, routing: .shared(.gather(threshold: 16)), batchMax: 128))
        writers = try DatabasePool(
            worker: WriteWorker(strategy: settings.writeStrategy, metrics: metrics),
            options: settings.writeStrategy.poolOptions(connection, sizes))
        general = try DatabasePool(worker: GeneralWorker(), options: Self.generalOptions(connection, sizes))
        lanes = try DatabasePool(
            worker: GeneralWorker(),
            options: TransactionPool.options(
                connection: connection.named("martlet-transactions"), laneCount: sizes.transactions))
        analytics = try Self.analyticsPool(
            "analytics", connection, sizes, backendNiceness: embedded == nil ? 0 : Self.analyticsNiceness)
        replica = try settings.replica.map { url throws(PostgresError) in
            try Self.analyticsPool("replica", ConnectionOptions(conninfo: url), sizes, backendNiceness: 0)
        }
        engine = StorageEngine(
            readers: readers, writers: writers, general: general, analytics: analytics, replica: replica,
            transactions: TransactionRegistry(lanes: TransactionLanes(pool: lanes)),
            routing: ReadRouting(threshold: settings.analyticsThreshold), spill: settings.spill, metrics: metrics)
    }

    /// Starts or finds PostgreSQL, brings its schema up to date and opens the pools. Blocks.
    package static func start(
        _ location: BackendLocation, _ settings: BackendSettings = BackendSettings(), logger: Logger
    ) throws(StartFailure) -> Backend {
        let settings = try settings.withSpillDirectory(beside: location)
        let (embedded, options) = try connectionOptions(location, bin: settings.postgresqlBin, logger)
        do throws(StartFailure) {
            let version = try prepare(options, logger)
            do throws(PostgresError) {
                return try Backend(embedded: embedded, version: version, connection: options, settings: settings)
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
        // First, because plain writes wait for what these hold.
        await engine.writeLock.release()
        engine.transactions.shutDown()
        await readers.shutdownGracefully()
        await writers.shutdownGracefully()
        await general.shutdownGracefully()
        await analytics.shutdownGracefully()
        await replica?.shutdownGracefully()
        await lanes.shutdownGracefully()
        embedded?.stop()
    }

    /// Whether writes can reach PostgreSQL now.
    package var isConnected: Bool { writers.metrics.connected > 0 }

    private static func connectionOptions(
        _ location: BackendLocation, bin: String?, _ logger: Logger
    ) throws(StartFailure) -> (EmbeddedServer?, ConnectionOptions) {
        switch location {
        case .url(let url): return (nil, ConnectionOptions(conninfo: url))
        case .embedded(let directory):
            do throws(EmbeddedServerError) {
                let server = try EmbeddedServer.start(
                    EmbeddedServerOptions(dataDirectory: directory, binaryDirectory: bin), logger: logger)
                return (server, ConnectionOptions(conninfo: server.conninfo))
            } catch {
                throw StartFailure("the embedded PostgreSQL did not start: \(error)")
            }
        }
    }

    private static func connectPatiently(
        _ options: ConnectionOptions, _ logger: Logger
    ) throws(StartFailure) -> Connection {
        let start = ContinuousClock.now
        var patience = StartPatience()
        while true {
            let problem: PostgresError
            do throws(PostgresError) { return try Connection.connect(options) } catch { problem = error }
            let isPassing = problem.kind != .unsuitable && ConnectProbe.isWorthWaiting(options)
            let elapsed = Int((ContinuousClock.now - start) / .milliseconds(1))
            switch patience.failed(after: elapsed, isPassing: isPassing) {
            case .fail: throw StartFailure(connecting: problem)
            case .pause(let milliseconds, let says):
                if says { logger.notice("waiting for PostgreSQL", metadata: ["reason": "\(problem.message)"]) }
                Thread.sleep(forTimeInterval: Double(milliseconds) / 1_000)
            }
        }
    }

    private static func prepare(_ options: ConnectionOptions, _ logger: Logger) throws(StartFailure) -> String {
        let connection = try connectPatiently(options.named("martlet-start"), logger)
        do throws(Migrator.Failure) {
            try Migrator.run(on: connection, logger: logger)
        } catch {
            throw StartFailure("\(error)")
        }
        return "\(connection.serverVersion / 10_000).\(connection.serverVersion % 10_000)"
    }
}

/// What can be chosen about the use of PostgreSQL.
package struct BackendSettings: Sendable {
    package var sizes = PoolSizes()
    /// The directory of `postgres` and `initdb` for the embedded server; nil for the newest that is installed.
    package var postgresqlBin: String?
    /// A connection string of a server that may lag behind, for reads of who prefers secondaries.
    package var replica: String?
    /// Rows from which a read counts as analytics.
    package var analyticsThreshold = ReadRouting.thresholdDefault
    package private(set) var writeStrategy = WriteStrategy.hybrid
    /// For sorts that memory cannot hold; nil for a directory beside the embedded PostgreSQL or the system's.
    package var spillDirectory: String?
    package var spillBytesMax = SpillDirectory.bytesMaxDefault

    package init() {}

    /// - Returns: false when there is none of this name.
    package mutating func chooseWriteStrategy(_ name: String) -> Bool {
        guard let strategy = WriteStrategy(rawValue: name) else { return false }
        writeStrategy = strategy
        return true
    }
}

/// Connections of each pool. Few of them with full batches beat many: see ARCHITECTURE.md.
package struct PoolSizes: Sendable {
    package var readers = 2
    package var writers = 2
    package var general = 8
    package var analytics = 2
    package var transactions = TransactionPool.laneCountDefault
    static let plainWriters = 32

    package init() {}
}

/// Why the server cannot start: what, why, what to do.
package struct StartFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }

    init(connecting error: PostgresError) {
        let remedy =
            error.kind == .unsuitable
            ? "Name another one with --postgresql-url."
            : "Check --postgresql-url, the rights of its user and that the server runs."
        self.init("PostgreSQL cannot be used: \(error.message). \(remedy)")
    }
}

extension WriteStrategy {
    /// The strategies that are there to be measured use a connection per write under way, as a plain server does.
    fileprivate func poolOptions(_ connection: ConnectionOptions, _ sizes: PoolSizes) -> PoolOptions {
        let keyed = connection.forKeyLookups(application: "martlet-writers")
        guard self == .hybrid else {
            return PoolOptions(
                name: "writers", connection: keyed, threadCount: PoolSizes.plainWriters, routing: .shared(.eager),
                batchMax: 1)
        }
        return PoolOptions(
            name: "writers",
            connection: keyed.setting("lock_timeout", "\(Backend.lockTimeoutMilliseconds)ms"),
            threadCount: sizes.writers, routing: .lanes, batchMax: 128)
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
