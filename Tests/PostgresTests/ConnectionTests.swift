import Glibc
import Testing

@testable import Postgres
@testable import SQL

@Suite(.timeLimit(.minutes(20))) struct ConnectionTests {
    @Test("a session has the settings it was asked to have")
    func settings() throws {
        let options = try TestServer.options().setting("statement_timeout", "1234ms")
        let connection = try Connection.connect(options)
        for (name, value) in [
            ("statement_timeout", "1234ms"), ("jit", "off"), ("client_encoding", "UTF8"),
            ("application_name", "martlet"), ("synchronous_commit", "on"),
        ] {
            let result = try connection.execute(.once("SELECT current_setting($1)", [.text(name)]))
            #expect(result.text(row: 0, column: 0) == value)
        }
    }

    @Test("a setting that does not exist, and a server that is not there, fail to connect")
    func connectFailures() throws {
        let options = try TestServer.options()
        let unknown = postgresError { _ = try Connection.connect(options.setting("no_such_setting", "1")) }
        #expect(unknown?.kind == .connectionFailed && unknown?.category == .connection)
        let nowhere = postgresError { _ = try Connection.connect(.init(conninfo: "host=/nonexistent")) }
        #expect(nowhere?.kind == .connectionFailed && nowhere?.mayHaveTakenEffect == false)
    }

    @Test("another thread can cancel what runs")
    func cancel() throws {
        let connection = try TestServer.connect()
        let handle = try #require(connection.cancelHandle())
        connection.enqueue(.once("SELECT pg_sleep(100)"))
        connection.enqueueSync()
        let thread = NativeThread.start(name: "cancel") {
            for _ in 0..<20 {
                usleep(50_000)
                handle.cancel()
            }
        }
        let error = postgresError { _ = try connection.next() }
        #expect(error?.state == .queryCanceled && error?.category == .cancelled)
        thread?.join()
        #expect(postgresError { try connection.nextSync() }?.state == .queryCanceled)
        #expect(!connection.isBroken)
    }

    @Test("a backend that is terminated leaves a lost connection and no result in doubt")
    func terminated() throws {
        let options = try TestServer.options()
        let connection = try Connection.connect(options)
        let other = try Connection.connect(options)
        connection.enqueue(.once("SELECT 1::int8"))
        connection.enqueueSync()
        connection.enqueue(.once("SELECT pg_sleep(100)"))
        connection.enqueue(.once("SELECT 2::int8"))
        connection.enqueueSync()
        #expect(try connection.next().int8(row: 0, column: 0) == 1)
        try connection.nextSync()
        _ = try other.execute(.once("SELECT pg_terminate_backend($1)", [.int4(connection.backendPID)]))
        for _ in 0..<2 {
            let error = postgresError { _ = try connection.next() }
            #expect(error?.kind == .connectionLost && error?.mayHaveTakenEffect == true)
        }
        #expect(postgresError { try connection.nextSync() }?.kind == .connectionLost)
        #expect(connection.isBroken && !connection.restoreIdle())
        #expect(postgresError { _ = try connection.execute(.once("SELECT 1")) }?.kind == .connectionLost)
    }

    @Test("an idle connection notices that its backend is gone")
    func idleDeath() throws {
        let options = try TestServer.options()
        let connection = try Connection.connect(options)
        let other = try Connection.connect(options)
        #expect(connection.isAlive())
        _ = try other.execute(.once("SELECT pg_terminate_backend($1, 10000)", [.int4(connection.backendPID)]))
        #expect(eventually { !connection.isAlive() })
        #expect(connection.isBroken)
    }

    @Test("a server that stays silent for too long is given up")
    func responseTimeout() throws {
        var options = try TestServer.options()
        options.responseTimeoutMilliseconds = 200
        let connection = try Connection.connect(options)
        let error = postgresError { _ = try connection.execute(.once("SELECT pg_sleep(60)")) }
        #expect(error?.kind == .timeout && error?.mayHaveTakenEffect == true)
        #expect(connection.isBroken)
    }

    @Test("notifications arrive with their payload, and a wait without any ends")
    func notifications() throws {
        let options = try TestServer.options()
        let listener = try Connection.connect(options)
        let sender = try Connection.connect(options)
        try listener.listen(to: "Catalog changes")
        #expect(try listener.waitForNotifications(timeoutMilliseconds: 1).isEmpty)
        for payload in ["one", "two"] {
            _ = try sender.execute(.once("SELECT pg_notify($1, $2)", [.text("Catalog changes"), .text(payload)]))
        }
        var received: [Postgres.Notification] = []
        while received.count < 2 {
            received += try listener.waitForNotifications(timeoutMilliseconds: 10_000)
        }
        #expect(received.map(\.payload) == ["one", "two"])
        #expect(received.allSatisfy { $0.channel == "Catalog changes" && $0.senderPID == sender.backendPID })
    }
}
