import Glibc
import Logging
import Synchronization
import Testing

@testable import Postgres
@testable import SQL

/// One private server for the whole test process, a database for each test.
enum TestServer {
    static let directory = "/tmp/martlet-postgres-tests-\(getpid())"

    private static let shared: Result<EmbeddedServer, EmbeddedServerError> = {
        atexit { TestServer.remove() }
        do throws(EmbeddedServerError) {
            var options = EmbeddedServerOptions(dataDirectory: directory)
            options.extraSettings = [.init("max_connections", "200")]
            return .success(try EmbeddedServer.start(options, logger: Logger(label: "tests")))
        } catch {
            return .failure(error)
        }
    }()

    private static let databasesMade = Atomic<Int>(0)

    /// A new, empty database.
    static func options() throws -> ConnectionOptions {
        let server = try shared.get()
        let name = "test_\(databasesMade.wrappingAdd(1, ordering: .relaxed).newValue)"
        let connection = try Connection.connect(ConnectionOptions(conninfo: server.conninfo))
        _ = try connection.execute(.once("CREATE DATABASE \(quotedIdentifier(name))"))
        return ConnectionOptions(conninfo: server.conninfo(database: name))
    }

    static func connect() throws -> Connection {
        try Connection.connect(options())
    }

    private static func remove() {
        guard case .success(let server) = shared else { return }
        server.stop()
        _ = ChildProcess.run(["/bin/rm", "-rf", directory])
    }
}

/// Waits for something that happens on another thread or in another process. No test depends on how long it takes.
func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
    for _ in 0..<30_000 {
        if try condition() { return true }
        usleep(10_000)
    }
    return false
}

/// The error a body throws, which must be one of PostgreSQL.
func postgresError(_ body: () throws -> Void) -> PostgresError? {
    do {
        try body()
        return nil
    } catch {
        return error as? PostgresError
    }
}
