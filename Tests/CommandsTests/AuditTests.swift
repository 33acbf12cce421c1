import Access
import BSON
import CommandModel
import Logging
import Synchronization
import Testing

@testable import Commands

@Suite("The audit")
struct AuditTests {
    /// What was logged, in order.
    private final class Recorder: Sendable {
        struct Line: Sendable {
            let level: Logger.Level
            let message: String
            let fields: [String: String]
        }

        private let box = Mutex<[Line]>([])

        var lines: [Line] { box.withLock { $0 } }

        func append(_ line: Line) { box.withLock { $0.append(line) } }
    }

    private struct Handler: LogHandler {
        let recorder: Recorder
        var logLevel = Logger.Level.critical
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).mapValues { "\($0)" }
            recorder.append(.init(level: event.level, message: "\(event.message)", fields: fields))
        }
    }

    private let recorder = Recorder()
    private let connection = ConnectionInfo(id: 5, remoteAddress: "192.0.2.1:4711")

    private var audit: AuditLog {
        AuditLog(Logger(label: AuditLog.label) { _ in Handler(recorder: recorder) })
    }

    private func logIn() {
        let ada = UserRecord(name: UserName("ada", in: "admin"), id: [1])
        connection.logIn(AuthenticatedUser(ada, mechanism: "SCRAM-SHA-256", roles: RoleGraph([]), generation: 1))
    }

    private func end(
        _ json: String, database: String = "app", code: Int32 = 0, audit: AuditLog? = nil, mayLog: () -> Int? = { 0 }
    ) throws {
        let request = try TestServer.request(json, database: database)
        var reply = CommandReply { builder in
            guard code != 0 else { return }
            builder.append("ok", double: 0)
            builder.append("code", int32: code)
        }
        reply.isFailure = code != 0
        (audit ?? self.audit).note(
            EndedCommand(request, reply, nanoseconds: 1, from: connection), .of(request.name), mayLog: mayLog)
    }

    @Test(
        "changes are told with their target and the names of their arguments, not with their values",
        arguments: [
            (#"{"create": "c", "validator": {"a": "s3cret"}, "comment": 1}"#, "schema", "app.c", "validator"),
            (#"{"drop": "c\nd"}"#, "schema", "app.c\u{FFFD}d", ""),
            (#"{"dropDatabase": 1, "comment": "s3cret"}"#, "schema", "app", ""),
            (#"{"collMod": "c", "validator": {"a": "s3cret"}, "hidden": 1}"#, "schema", "app.c", "validator hidden"),
            (#"{"createUser": "bob", "pwd": "s3cret", "roles": []}"#, "access", "bob@app", "pwd roles"),
            (#"{"updateUser": "bob", "customData": {"a": "s3cret"}}"#, "access", "bob@app", "customData"),
            (#"{"dropAllUsersFromDatabase": 1}"#, "access", "*@app", ""),
        ])
    func changes(json: String, event: String, target: String, arguments: String) throws {
        logIn()
        try end(json)
        let line = try #require(recorder.lines.first)
        #expect(line.fields["event"] == event)
        #expect(line.fields["target"] == target)
        #expect(line.fields["arguments"] == arguments)
        #expect(line.fields["user"] == "ada@admin" && line.fields["remote"] == "192.0.2.1:4711")
        #expect(line.fields["connection"] == "5" && line.fields["code"] == nil)
        #expect(line.message.hasSuffix(" changed"))
        #expect(!"\(line)".contains("s3cret"))
    }

    @Test("names of indexes and roles, and the new name of a collection")
    func details() throws {
        try end(#"{"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a_1"}, {"name": "b_1"}, 7]}"#)
        try end(#"{"dropIndexes": "c", "index": "a_1"}"#)
        try end(#"{"renameCollection": "app.c", "to": "app.d"}"#, database: "admin")
        try end(#"{"grantRolesToUser": "bob", "roles": ["read", {"role": "root", "db": "admin"}, 7]}"#)
        #expect(recorder.lines.map { $0.fields["indexes"] } == ["a_1 b_1 ?", "a_1", nil, nil])
        #expect(recorder.lines[2].fields["target"] == "app.c" && recorder.lines[2].fields["to"] == "app.d")
        #expect(recorder.lines[3].fields["roles"] == "read@app root@admin ?")
    }

    @Test("a change that failed is told with its code, and a refusal whatever the command")
    func failures() throws {
        logIn()
        try end(#"{"drop": "c"}"#, code: 26)
        try end(#"{"find": "c", "filter": {"a": "s3cret"}}"#, code: 13)
        try end(#"{"drop": "c"}"#, code: 13)
        try end(#"{"find": "c"}"#, code: 2)
        try end(#"{"find": "c"}"#)
        #expect(recorder.lines.map(\.message) == ["schema not changed", "not authorized", "not authorized"])
        #expect(recorder.lines.map { $0.fields["code"] } == ["26", "13", "13"])
        #expect(recorder.lines.map { $0.fields["event"] } == ["schema", "authorization", "authorization"])
        #expect(recorder.lines.allSatisfy { $0.level == .warning })
    }

    @Test("strangers cannot fill the log, users are always told of")
    func strangers() throws {
        var asked = 0
        for untold in [0, nil, 7] as [Int?] {
            try end(#"{"find": "c"}"#, code: 13) {
                asked += 1
                return untold
            }
        }
        #expect(recorder.lines.map { $0.fields["untold"] } == [nil, "7"])
        #expect(recorder.lines.allSatisfy { $0.fields["user"] == "nobody" })
        logIn()
        try end(#"{"find": "c"}"#, code: 13) { nil }
        #expect(recorder.lines.count == 3 && asked == 3)
    }

    @Test("logins that succeed, fail and end")
    func logins() {
        audit.note(.authenticated, "ada@admin", on: connection, ["mechanism": "PLAIN"])
        audit.note(.authenticationFailed, "eve@admin", on: connection, ["reason": "wrong password"])
        audit.note(.loggedOut, "ada@admin", on: connection)
        #expect(recorder.lines.map(\.message) == ["authenticated", "authentication failed", "logged out"])
        #expect(recorder.lines.map { $0.fields["code"] } == [nil, "18", nil])
        #expect(recorder.lines.allSatisfy { $0.fields["event"] == "authentication" })
        #expect(recorder.lines.map { $0.fields["mechanism"] } == ["PLAIN", nil, nil])
    }

    @Test("without an audit nothing is told")
    func off() throws {
        try end(#"{"drop": "c"}"#, audit: AuditLog(nil))
        #expect(recorder.lines.isEmpty && !AuditLog(nil).isOn)
    }

    @Test("every command that changes users, roles, collections or indexes has a rule")
    func complete() {
        let words = ["create", "drop", "collMod", "rename", "grant", "revoke", "update", "convert", "clone"]
        let exceptions: Set = ["update", "dropConnections"]
        for entry in CommandTable.standard.all where words.contains(where: { entry.name.hasPrefix($0) }) {
            #expect(exceptions.contains(entry.name) == (entry.audit == nil), "\(entry.name)")
            #expect((CommandTable.standard.auditRule(of: entry.number) == nil) == (entry.audit == nil))
        }
    }
}
