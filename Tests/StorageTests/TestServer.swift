import Glibc
import Logging
import Synchronization
import Testing

@testable import Postgres
@testable import SQL
@testable import Storage

/// One private server for the whole test process, a database for each test.
enum TestServer {
    static let directory = "/tmp/martlet-storage-tests-\(getpid())"
    static let logger = Logger(label: "tests") { _ in SwiftLogNoOpLogHandler() }

    private static let shared: Result<EmbeddedServer, EmbeddedServerError> = {
        atexit { TestServer.remove() }
        do throws(EmbeddedServerError) {
            var options = EmbeddedServerOptions(dataDirectory: directory)
            options.extraSettings = [.init("max_connections", "300")]
            return .success(try EmbeddedServer.start(options, logger: logger))
        } catch {
            return .failure(error)
        }
    }()

    private static let databasesMade = Atomic<Int>(0)

    /// A new, empty database.
    static func emptyDatabase() throws -> ConnectionOptions {
        let server = try shared.get()
        let name = "test_\(databasesMade.wrappingAdd(1, ordering: .relaxed).newValue)"
        let connection = try Connection.connect(ConnectionOptions(conninfo: server.conninfo))
        _ = try connection.execute(.once("CREATE DATABASE \(quotedIdentifier(name))"))
        return ConnectionOptions(conninfo: server.conninfo(database: name))
    }

    /// A new database with Martlet's schema.
    static func database() throws -> ConnectionOptions {
        let options = try emptyDatabase()
        try Migrator.run(on: Connection.connect(options), logger: logger)
        return options
    }

    private static func remove() {
        guard case .success(let server) = shared else { return }
        server.stop()
        _ = ChildProcess.run(["/bin/rm", "-rf", directory])
    }
}

/// Waits for something that happens on another thread or in another process. No test depends on how long it takes.
/// Never blocks a thread: what is waited for may need it.
func eventually(_ condition: () async throws -> Bool) async throws -> Bool {
    for _ in 0..<60_000 {
        if try await condition() { return true }
        try await Task.sleep(for: .milliseconds(5))
    }
    return false
}
