import BSON
import CommandModel
import Testing

@testable import Commands

@Suite("fail points")
struct FailPointTests {
    /// What a fail point in this mode does to six events, the chances of which are 0, 0.2, 0.4 and so on.
    @Test(
        "each mode acts when it should",
        arguments: [
            (.off, ""), (.alwaysOn, "012345"), (.times(0), ""), (.times(1), "0"), (.times(4), "0123"),
            (.skip(0), "012345"), (.skip(1), "12345"), (.skip(5), "5"), (.probability(0), ""),
            (.probability(1), "012345"), (.probability(0.5), "012"),
        ] as [(FailPointMode.State, String)])
    func modes(state: FailPointMode.State, acted: String) {
        var mode = FailPointMode()
        mode.set(state)
        let hits = (0..<6).filter { mode.enter(chance: Double($0) / 5.0001) }
        #expect(hits.map(String.init).joined() == acted)
        #expect(mode.timesEntered == Int64(acted.count))
    }

    @Test("a mode that has acted often enough is off")
    func exhausted() {
        var mode = FailPointMode()
        mode.set(.times(2))
        #expect(mode.enter(chance: 0) && !mode.isOff)
        #expect(mode.enter(chance: 0) && mode.isOff)
    }

    @Test(
        "a fail point is about the commands, applications and namespaces that it names",
        arguments: [
            (#"{"failCommands": ["find"]}"#, true), (#"{"failCommands": ["insert", "FIND"]}"#, true),
            (#"{"failCommands": ["insert"]}"#, false), (#"{}"#, false), (#"{"failAllCommands": true}"#, true),
            (#"{"failCommands": ["find"], "appName": "shop"}"#, true),
            (#"{"failCommands": ["find"], "appName": "other"}"#, false),
            (#"{"failCommands": ["find"], "namespace": "db.c"}"#, true),
            (#"{"failCommands": ["find"], "namespace": "db.d"}"#, false),
        ])
    func concerns(data: String, isConcerned: Bool) throws {
        let data = try Document(extendedJSON: data).withRaw { try FailPointData($0) }
        #expect(data.concerns(command: "find", applicationName: "shop", namespace: "db.c") == isConcerned)
    }

    @Test("blockTimeMS counts only with blockConnection")
    func blocking() throws {
        func milliseconds(_ json: String) throws -> Int64 {
            try Document(extendedJSON: json).withRaw { try FailPointData($0) }.blockMilliseconds
        }
        #expect(try milliseconds(#"{"blockTimeMS": 5}"#) == 0)
        #expect(try milliseconds(#"{"blockTimeMS": 5, "blockConnection": true}"#) == 5)
        #expect(try milliseconds(#"{"blockConnection": true}"#) == 0)
    }

    @Test("configureFailPoint does not exist unless the server was started with test commands")
    func disabled() async throws {
        let server = try TestServer()
        let error = try await server.failure(#"{"configureFailPoint": "failCommand", "mode": "alwaysOn"}"#)
        #expect(error?.code.number == 59)
        #expect(try await server.run(#"{"listCommands": 1}"#)["commands.configureFailPoint"] == nil)
        #expect(try await server.run(#"{"getParameter": 1, "enableTestCommands": 1}"#)["enableTestCommands"] == "false")
    }

    @Test("configureFailPoint sets, and says how often the fail point has acted")
    func configure() async throws {
        let server = try TestServer(enablesTestCommands: true)
        let failPoints = try #require(server.state.failPoints)
        let find = try TestServer.request(#"{"find": "c"}"#, database: "db")
        #expect(!failPoints.isArmed)
        let set = #"{"configureFailPoint": "failCommand", "mode": {"times": 2}, "data": {"failCommands": ["find"]}}"#
        #expect(try await server.run(set)["count"] == "0")
        #expect(failPoints.isArmed)
        #expect(failPoints.enter(try TestServer.request(#"{"ping": 1}"#), applicationName: nil) == nil)
        #expect(failPoints.enter(find, applicationName: nil) != nil)
        #expect(failPoints.isArmed)
        #expect(failPoints.enter(find, applicationName: nil) != nil)
        #expect(!failPoints.isArmed, "it has acted twice")
        #expect(failPoints.enter(find, applicationName: nil) == nil)
        let off = #"{"configureFailPoint": "failCommand", "mode": "off"}"#
        #expect(try await server.run(off)["count"] == "2")
        #expect(try await server.run(#"{"listCommands": 1}"#)["commands.configureFailPoint"] != nil)
    }

    @Test("configureFailPoint itself never fails")
    func neverItself() async throws {
        let server = try TestServer(enablesTestCommands: true)
        let text = #"{"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": {"failAllCommands": true}}"#
        _ = try await server.run(text)
        let failPoints = try #require(server.state.failPoints)
        #expect(failPoints.enter(try TestServer.request(text), applicationName: nil) == nil)
        #expect(failPoints.enter(try TestServer.request(#"{"ping": 1}"#), applicationName: nil) != nil)
    }

    @Test(
        "what makes no sense is refused",
        arguments: [
            (#""nothing", "mode": "off""#, 175), (#"1, "mode": "off""#, 14), (#""failCommand""#, 40414),
            (#""failCommand", "mode": "on""#, 2), (#""failCommand", "mode": 1"#, 14),
            (#""failCommand", "mode": {}"#, 2), (#""failCommand", "mode": {"times": 1, "skip": 1}"#, 2),
            (#""failCommand", "mode": {"times": -1}"#, 2), (#""failCommand", "mode": {"often": 1}"#, 40415),
            (#""failCommand", "mode": {"activationProbability": 2}"#, 2),
            (#""failCommand", "mode": "off", "data": {"failCommand": []}"#, 40415),
            (#""failCommand", "mode": "off", "data": {"failCommands": [1]}"#, 14),
            (#""failCommand", "mode": "off", "data": 1"#, 14), (#""failCommand", "mode": "off", "extra": 1"#, 40415),
        ] as [(String, Int32)])
    func refused(text: String, code: Int32) async throws {
        let server = try TestServer(enablesTestCommands: true)
        #expect(try await server.failure(#"{"configureFailPoint": \#(text)}"#)?.code.number == code)
    }

    @Test("a connection keeps what the first handshake says about its client")
    func metadata() async throws {
        let server = try TestServer()
        let connection = server.context.connection
        _ = try await server.run(#"{"hello": 1}"#)
        #expect(connection.client == nil)
        _ = try await server.run(#"{"hello": 1, "client": {"application": {"name": "shop"}, "driver": {}}}"#)
        _ = try await server.run(#"{"hello": 1, "client": {"application": {"name": "other"}}}"#)
        #expect(connection.client?.applicationName == "shop")
        let long = String(repeating: "x", count: ClientMetadata.bytesMax)
        let other = ConnectionInfo(id: 1, remoteAddress: "")
        other.introduce(try Document(extendedJSON: #"{"client": {"application": {"name": "\#(long)"}}}"#))
        #expect(other.client == nil)
    }
}

@Suite("errors that tell of a change of state, or ask for patience")
struct ErrorFieldTests {
    @Test("those are the codes that the specification lists, and no others")
    func stateChanges() {
        let codes = (0..<20_000).filter { ErrorCode($0).isStateChange }
        #expect(codes == [91, 189, 10_058, 10_107, 11_600, 11_602, 13_435, 13_436])
    }

    @Test("a pretended change moves the counter, and the server stays writable")
    func pretended() throws {
        let server = try TestServer()
        server.state.topology.pretendChange()
        let reply = Document { $0.writeTopologyVersion(server.state) }
        #expect(reply["topologyVersion.counter"] == "1")
        #expect(reply["topologyVersion.processId"] == #"{"$oid":"000000000000000700000009"}"#)
        #expect(server.state.topology.state.isWritable)
    }

    @Test("an overloaded server says how long to wait, as a whole number of milliseconds")
    func overloaded() throws {
        let error = CommandError.overloaded("too much")
        let details = try #require(error.details)
        #expect(error.code.number == 462 && error.labels == ["SystemOverloadedError", "RetryableError"])
        #expect(details.keys == ["baseBackoffMS"] && details.type(at: "baseBackoffMS") == .int32)
        #expect(details["baseBackoffMS"] == "\(CommandError.baseBackoffMilliseconds)")
    }
}

@Suite("labels of errors")
struct ErrorLabelTests {
    private static let session = """
        "lsid": {"id": {"$binary": {"base64": "3q3erd6t3q3erd6t3q3erQ==", "subType": "04"}}}
        """
    private static let write = session + #", "txnNumber": {"$numberLong": "1"}"#
    private static let statement = write + #", "autocommit": false"#

    @Test(
        "labels go by code, command and transaction",
        arguments: [
            ("insert", "write", 11600, "RetryableWriteError"), ("insert", "write", 262, "RetryableWriteError"),
            ("insert", "write", 11601, ""), ("insert", "write", 112, ""), ("insert", "session", 11600, ""),
            ("find", "write", 11600, ""), ("insert", "statement", 11600, "TransientTransactionError"),
            ("find", "statement", 112, "TransientTransactionError"), ("find", "statement", 11000, ""),
            ("find", "statement", 50, ""), ("commitTransaction", "statement", 91, "RetryableWriteError"),
            ("abortTransaction", "statement", 91, "RetryableWriteError"),
            ("commitTransaction", "statement", 251, "TransientTransactionError"),
            ("commitTransaction", "statement", 50, ""),
        ] as [(String, String, Int32, String)])
    func byCode(command: String, kind: String, code: Int32, label: String) throws {
        let fields = ["write": Self.write, "session": Self.session, "statement": Self.statement][kind] ?? ""
        let request = try TestServer.request(#"{"\#(command)": "c", \#(fields)}"#)
        let error = CommandError(.published(code), "").labelled(answering: request)
        #expect(error.labels.joined() == label)
        #expect(error.labelled(answering: request).labels == error.labels, "a label is added once")
    }

    @Test(
        "the error of a write concern has a label only where there is a write concern",
        arguments: [
            ("insert", "write", 91, true), ("insert", "write", 64, false), ("insert", "session", 91, false),
            ("insert", "statement", 91, false), ("commitTransaction", "statement", 91, true),
            ("find", "write", 91, false),
        ] as [(String, String, Int32, Bool)])
    func ofWriteConcern(command: String, kind: String, code: Int32, isRetryable: Bool) throws {
        let fields = ["write": Self.write, "session": Self.session, "statement": Self.statement][kind] ?? ""
        let request = try TestServer.request(#"{"\#(command)": "c", \#(fields)}"#)
        let labels = ErrorLabelRule.labels(ofWriteConcernError: code, answering: request)
        #expect(labels == (isRetryable ? ["RetryableWriteError"] : []))
    }
}
