import BSON
import CommandModel
import NIOCore
import Storage
import Testing

@testable import Commands

@Suite("commands on sessions")
struct SessionTests {
    private let server: TestServer
    // Tests run side by side on one engine, so each has sessions of its own.
    private let session = LogicalSessionID(uuid: randomUUID())
    private let other = LogicalSessionID(uuid: randomUUID())

    init() throws { server = try TestServer() }

    /// `ID` in a command stands for the first session.
    private func command(_ text: String) -> String {
        let id = Document { $0.append("id", binary: session.uuid, subtype: 4) }
        return "{\(text.replacing("ID", with: id.extendedJSON()))}"
    }

    @Test("startSession makes a new random UUID each time")
    func start() async throws {
        var ids: Set<String> = []
        for _ in 0..<5 {
            let reply = try await server.run(#"{"startSession": 1, "whatever": true}"#)
            #expect(reply["timeoutMinutes"] == "30")
            let uuid = reply.withRaw { raw -> [UInt8] in
                guard let (subtype, data) = raw["id"]?.document?["id"]?.binary else { return [] }
                return subtype == 4 ? Array(data) : []
            }
            #expect(uuid.count == 16 && uuid[6] >> 4 == 4 && uuid[8] >> 6 == 2)
            ids.insert(reply["id"] ?? "")
        }
        #expect(ids.count == 5)
        #expect(server.state.sessions.count == 5)
    }

    @Test("endSessions forgets the sessions and kills their cursors")
    func end() async throws {
        let ids = try openCursors()
        _ = try await server.run(command(#""refreshSessions": [ID]"#))
        #expect(server.state.sessions.all == [session, other])
        _ = try await server.run(command(#""endSessions": [ID, null]"#))
        #expect(server.state.sessions.all == [other])
        #expect(survivors(of: ids) == [ids.other, ids.none])
    }

    @Test(
        "the kill commands kill the cursors that they name",
        arguments: [
            (#""killSessions": [ID]"#, ["other", "none"]),
            (#""killSessions": [ID, null, ID], "query": {}"#, ["other", "none"]),
            (#""killSessions": []"#, ["none"]),
            (#""killSessions": [null]"#, ["session", "other", "none"]),
            (#""killAllSessions": []"#, ["none"]),
            (#""killAllSessions": [{"user": "a", "db": "b"}], "unknown": 1"#, ["session", "other", "none"]),
            (#""killAllSessionsByPattern": []"#, ["none"]),
            (#""killAllSessionsByPattern": [{}]"#, ["none"]),
            (#""killAllSessionsByPattern": [{"lsid": ID}]"#, ["other", "none"]),
            (
                #""killAllSessionsByPattern": [{"lsid": ID, "uid": {"$binary": {"base64": "", "subType": "00"}}}]"#,
                ["session", "other", "none"]
            ),
            (#""killAllSessionsByPattern": [{"users": [{"user": "a", "db": "b"}]}]"#, ["session", "other", "none"]),
        ])
    func kill(text: String, surviving: [String]) async throws {
        let ids = try openCursors()
        _ = try await server.run(command(text))
        let names = [ids.session: "session", ids.other: "other", ids.none: "none"]
        #expect(survivors(of: ids).map { names[$0] } == surviving)
        #expect(server.state.sessions.count == 2, "a killed session may be used again")
    }

    @Test(
        "lists that make no sense are refused",
        arguments: [
            (#""killSessions": 1"#, 14), (#""killSessions": null"#, 40414), (#""killSessions": [1]"#, 14),
            (#""killSessions": [[]]"#, 14), (#""killSessions": [{}]"#, 40414),
            (#""killSessions": [{"id": null}]"#, 40414), (#""killSessions": [{"foo": 1}]"#, 40415),
            (#""killSessions": [{"id": "a"}]"#, 14),
            (#""killSessions": [{"id": {"$binary": {"base64": "3q3erd6t3q3erd6t3q3erQ==", "subType": "03"}}}]"#, 14),
            (#""killSessions": [{"id": {"$binary": {"base64": "3q3erQ==", "subType": "04"}}}]"#, 207),
            (#""killSessions": [ID, 1]"#, 14),
            (#""endSessions": {}"#, 14), (#""endSessions": [{"id": 1}]"#, 14), (#""refreshSessions": "x""#, 14),
            (#""killAllSessions": true"#, 14), (#""killAllSessions": null"#, 40414),
            (#""killAllSessions": ["a"]"#, 14), (#""killAllSessions": [{}]"#, 40414),
            (#""killAllSessions": [{"user": "a"}]"#, 40414),
            (#""killAllSessions": [{"user": "a", "db": null}]"#, 40414),
            (#""killAllSessions": [{"user": 1, "db": "a"}]"#, 14),
            (#""killAllSessions": [{"user": "a", "db": "b", "extra": 1}]"#, 40415),
            (#""killAllSessionsByPattern": [{"lsid": 1}]"#, 14), (#""killAllSessionsByPattern": [{"x": 1}]"#, 40415),
        ] as [(String, Int32)])
    func refused(text: String, code: Int32) async throws {
        #expect(try await server.failure(command(text))?.code.number == code)
    }

    @Test(
        "the end of a transaction is refused as MongoDB refuses one that never began",
        arguments: [
            ("", 125, false),
            (#", "lsid": ID"#, 125, false),
            (#", "lsid": ID, "txnNumber": {"$numberLong": "1"}"#, 50768, false),
            (#", "lsid": ID, "txnNumber": {"$numberLong": "1"}, "autocommit": false"#, 251, true),
            (
                #", "lsid": ID, "txnNumber": {"$numberLong": "1"}, "autocommit": false, "writeConcern": {"w": 1}"#, 251,
                true
            ),
            (#", "lsid": ID, "txnNumber": {"$numberLong": "1"}, "autocommit": false, "recoveryToken": {}"#, 251, true),
            (#", "unknownField": 1"#, 40415, false),
        ] as [(String, Int32, Bool)])
    func transactions(arguments: String, code: Int32, isTransient: Bool) async throws {
        for name in ["commitTransaction", "abortTransaction"] {
            let error = try await server.failure(command(#""\#(name)": 1\#(arguments)"#))
            // A commit of an unknown number may have been done by another server: only PostgreSQL knows.
            let asksPostgreSQL = isTransient && name == "commitTransaction"
            #expect(error?.code.number == (asksPostgreSQL ? 10107 : code))
            #expect(error?.labels == (isTransient && !asksPostgreSQL ? ["TransientTransactionError"] : []))
        }
    }

    @Test("idle cursors live as long as cursorTimeoutMillis says")
    func reaping() async throws {
        // An engine of its own: reaping spares nobody.
        let server = try TestServer(engine: TestEngine.make().get())
        let cursors = server.context.engine.cursors
        // The cursors that shall die are a minute over their time, so that a slow test is none the less right.
        for (timeout, idle, survives) in [
            (1_000, 999, true), (1_000, 61_000, false), (1_200_000, 1_199_999, true), (1_200_000, 1_260_000, false),
        ] as [(Int64, Int64, Bool)] {
            let now = NIODeadline.now()
            let id = try cursors.open(TestEngine.cursor(of: session))
            _ = try await server.run(#"{"setParameter": 1, "cursorTimeoutMillis": \#(timeout)}"#)
            server.state.reapIdle(now: now + .milliseconds(idle))
            #expect(cursors.kill(id) == survives)
        }
        #expect(server.state.cursorTimeout.killed == 2)
    }

    private typealias CursorIDs = (session: Int64, other: Int64, none: Int64)

    /// One cursor of each session and one of none.
    private func openCursors() throws -> CursorIDs {
        for id in [session, other] { server.state.sessions.touch(id) }
        func open(_ session: LogicalSessionID?) throws -> Int64 {
            try server.context.engine.cursors.open(TestEngine.cursor(of: session))
        }
        return (try open(session), try open(other), try open(nil))
    }

    /// Those that are still open, which closes them.
    private func survivors(of ids: CursorIDs) -> [Int64] {
        [ids.session, ids.other, ids.none].filter { server.context.engine.cursors.kill($0) }
    }
}
