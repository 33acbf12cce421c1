internal import CLibPQ
package import Logging
internal import SQL

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// A private PostgreSQL: made on first use, reachable only through a unix socket of ours, started again when it
/// crashes, ended when we end, in whatever way.
///
///     let server = try EmbeddedServer.start(.init(dataDirectory: "/var/lib/martlet"), logger: logger)
///     let connection = try Connection.connect(ConnectionOptions(conninfo: server.conninfo))
///     server.stop()
///
/// Starting and stopping block the calling thread.
package final class EmbeddedServer: Sendable {
    static let userName = "martlet"
    static let port = 5432

    private let supervisor: Supervisor
    private let options: EmbeddedServerOptions
    private let data: DataDirectory
    private let lock: DirectoryLock
    package let socketDirectory: String

    private init(
        supervisor: Supervisor, options: EmbeddedServerOptions, data: DataDirectory, lock: consuming DirectoryLock,
        socketDirectory: String
    ) {
        self.supervisor = supervisor
        self.options = options
        self.data = data
        self.lock = lock
        self.socketDirectory = socketDirectory
    }

    /// Starts the server on its data directory, making what is missing. Returns when it answers.
    package static func start(_ options: EmbeddedServerOptions, logger: Logger) throws(EmbeddedServerError)
        -> EmbeddedServer
    {
        let data = DataDirectory(options.dataDirectory)
        try data.makeIfMissing()
        let lock = try DirectoryLock.acquire(data)
        let binaries = try ServerBinaries.find(named: options.binaryDirectory, forCluster: data.clusterVersion)
        let account = try ServerAccount.choose(clusterDirectory: data.cluster)
        if data.clusterVersion == nil {
            logger.notice(
                "making a PostgreSQL", metadata: ["directory": "\(data.path)", "programs": "\(binaries.directory)"])
        }
        try data.initialize(binaries, as: account)
        try OldPostmaster.clear(data, timeoutMilliseconds: options.stopTimeoutMilliseconds, logger: logger)
        let socketDirectory = try SocketDirectory.make(in: data, for: account)
        try configuration(options, socketDirectory).write(to: data, for: account)
        let command = account.command([binaries.postgres, "-D", data.cluster], endsWithUs: true)
        let server = EmbeddedServer(
            supervisor: Supervisor(command: command, data: data, logger: logger), options: options, data: data,
            lock: lock, socketDirectory: socketDirectory)
        try server.bringUp()
        logger.info(
            "PostgreSQL runs",
            metadata: ["pid": "\(server.postmasterPID ?? 0)", "directory": "\(data.path)", "log": "\(data.log)"])
        return server
    }

    /// For libpq: the database made for Martlet.
    package var conninfo: String { conninfo(database: options.databaseName) }

    package func conninfo(database: String) -> String {
        let values = [
            ("host", socketDirectory), ("port", "\(Self.port)"), ("user", Self.userName), ("dbname", database),
        ]
        return values.map { "\($0)='\(escaped($1))'" }.joined(separator: " ")
    }

    /// The process number of the server; nil between a crash and the next start.
    package var postmasterPID: Int32? { supervisor.postmasterPID }

    /// How often the server ended without being asked to.
    package var crashes: Int { supervisor.crashes }

    /// Shuts the server down and returns when it is gone. Open connections are ended, their transactions rolled back.
    package func stop() {
        supervisor.stop(timeoutMilliseconds: options.stopTimeoutMilliseconds)
        // Empty now; one under /tmp would stay for ever when its data directory is removed.
        rmdir(socketDirectory)
    }

    private static func configuration(_ options: EmbeddedServerOptions, _ socketDirectory: String)
        -> ServerConfiguration
    {
        ServerConfiguration(
            socketDirectory: socketDirectory, connectionsMax: options.connectionsMax,
            memoryByteCount: ServerConfiguration.availableMemory(), extra: options.extraSettings)
    }

    private func escaped(_ value: String) -> String {
        String(value.flatMap { $0 == "'" || $0 == "\\" ? "\\\($0)" : String($0) })
    }
}

extension EmbeddedServer {
    /// A server that ends this often before it ever answered will not answer: the log says why. More than once,
    /// because after a crash the memory of its predecessor may still be in use for a moment.
    private static let failedStartsMax = 4

    private func bringUp() throws(EmbeddedServerError) {
        try supervisor.start()
        do throws(EmbeddedServerError) {
            try awaitReadiness()
            try makeDatabase()
        } catch {
            stop()
            throw error
        }
    }

    private func awaitReadiness() throws(EmbeddedServerError) {
        let target = conninfo(database: "postgres") + " connect_timeout='2'"
        for _ in 0..<max(1, options.startTimeoutMilliseconds / 20) {
            if PQping(target) == PQPING_OK { return }
            if supervisor.crashes >= Self.failedStartsMax { break }
            usleep(20_000)
        }
        throw EmbeddedServerError(
            "PostgreSQL does not start in \(data.path)", because: lastLines(of: FilePath.tail(of: data.log) ?? ""),
            remedy: "Put right what it complains about; all of its log is in \(data.log).")
    }

    private func makeDatabase() throws(EmbeddedServerError) {
        do throws(PostgresError) {
            let connection = try Connection.connect(ConnectionOptions(conninfo: conninfo(database: "postgres")))
            let name = options.databaseName
            let found = try connection.execute(.once("SELECT FROM pg_database WHERE datname = $1", [.text(name)]))
            guard found.rowCount == 0 else { return }
            _ = try connection.execute(.once("CREATE DATABASE \(quotedIdentifier(name))"))
            try chooseCompression(of: name, connection)
        } catch {
            throw EmbeddedServerError(
                "cannot make the database \(options.databaseName)", because: error.message,
                remedy: "The log of PostgreSQL is in \(data.log).")
        }
    }

    /// Whether the server was built with lz4 is known only when it runs.
    private func chooseCompression(of database: String, _ connection: Connection) throws(PostgresError) {
        for setting in ["default_toast_compression", "wal_compression"] {
            let query = "SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = $1"
            let isKnown = try connection.execute(.once(query, [.text(setting)])).bool(row: 0, column: 0)
            guard isKnown == true else { continue }
            _ = try connection.execute(.once("ALTER DATABASE \(quotedIdentifier(database)) SET \(setting) = 'lz4'"))
        }
    }
}
