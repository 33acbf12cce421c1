import Glibc
import Testing

@testable import Postgres
@testable import SQL

@Suite struct StartPatienceTests {
    @Test("what does not pass fails at once, also after a while")
    func permanent() {
        var patience = StartPatience()
        #expect(patience.failed(after: 0, isPassing: false) == .fail)
        _ = patience.failed(after: 100, isPassing: true)
        #expect(patience.failed(after: 200, isPassing: false) == .fail)
    }

    @Test("pauses grow up to a bound, and it says at first and then every few seconds what it waits for")
    func pauses() {
        var patience = StartPatience()
        #expect(patience.failed(after: 10, isPassing: true) == .pause(milliseconds: 100, says: true))
        #expect(patience.failed(after: 110, isPassing: true) == .pause(milliseconds: 200, says: false))
        #expect(patience.failed(after: 310, isPassing: true) == .pause(milliseconds: 400, says: false))
        #expect(patience.failed(after: 710, isPassing: true) == .pause(milliseconds: 800, says: false))
        #expect(patience.failed(after: 1_510, isPassing: true) == .pause(milliseconds: 1_000, says: false))
        #expect(patience.failed(after: 5_009, isPassing: true) == .pause(milliseconds: 1_000, says: false))
        #expect(patience.failed(after: 5_010, isPassing: true) == .pause(milliseconds: 1_000, says: true))
        #expect(patience.failed(after: 6_010, isPassing: true) == .pause(milliseconds: 1_000, says: false))
    }

    @Test("the last attempt is made when the time is over, and none after it")
    func end() {
        var patience = StartPatience()
        for _ in 0..<10 { _ = patience.failed(after: 1, isPassing: true) }
        #expect(patience.failed(after: 59_900, isPassing: true) == .pause(milliseconds: 100, says: true))
        #expect(patience.failed(after: 60_000, isPassing: true) == .fail)
    }
}

@Suite(.timeLimit(.minutes(20))) struct ConnectProbeTests {
    @Test(
        "the code is read from the end of libpq's text",
        arguments: [
            ("connection to server on socket \"/tmp/x\" failed: FATAL:  57P03", "57P03"), ("FATAL:  53300", "53300"),
            ("FATAL:  the database system is starting up", nil), ("fe_sendauth: no password supplied", nil), ("", nil),
        ] as [(String, String?)])
    func codes(message: String, code: String?) {
        #expect(ConnectProbe.code(in: message) == code.map { SQLState(Array($0.utf8)) } ?? .none)
    }

    @Test("a server that is not there may come")
    func absent() {
        #expect(ConnectProbe.isWorthWaiting(ConnectionOptions(conninfo: "host=/nonexistent")))
        #expect(ConnectProbe.isWorthWaiting(ConnectionOptions(conninfo: "host=127.0.0.1 port=1")))
    }

    @Test("neither an unknown database, nor an unknown role, nor a wrong address passes by itself")
    func permanent() throws {
        let real = try TestServer.options().conninfo
        let database = ConnectionOptions(conninfo: real + " dbname='nothing'")
        #expect(ConnectProbe.state(of: database) == .invalidCatalogName)
        #expect(!ConnectProbe.isWorthWaiting(database))
        let role = ConnectionOptions(conninfo: real + " user='nobody'")
        #expect(ConnectProbe.state(of: role).map { $0 != .none } == true)
        #expect(!ConnectProbe.isWorthWaiting(role))
        #expect(!ConnectProbe.isWorthWaiting(ConnectionOptions(conninfo: "postgresql://[")))
        #expect(!ConnectProbe.isWorthWaiting(ConnectionOptions(conninfo: "colour=red")))
    }

    @Test("a server whose connections are all in use, and one that accepts again, are worth another attempt")
    func passing() throws {
        let options = try TestServer.options()
        #expect(ConnectProbe.state(of: options) == nil)
        #expect(ConnectProbe.isWorthWaiting(options))
        let name = try Connection.connect(options).execute(Statement("SELECT current_database()")).text(
            row: 0, column: 0)
        // A superuser is exempt from the limit of a database, so a role without rights is what meets it.
        let admin = try Connection.connect(options)
        let role = "limited_\(name ?? "")"
        _ = try admin.execute(.once("CREATE ROLE \(role) LOGIN CONNECTION LIMIT 0"))
        let limited = ConnectionOptions(conninfo: options.conninfo + " user='\(role)'")
        #expect(ConnectProbe.state(of: limited) == .tooManyConnections)
        #expect(ConnectProbe.isWorthWaiting(limited))
    }
}

extension SQLState {
    fileprivate init(_ bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { SQLState($0) }
    }
}
