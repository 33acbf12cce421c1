import BSON
import CommandModel
import NIOCore
import Storage
import Testing

@testable import Commands

@Suite("running operations")
struct OperationTests {
    private let server: TestServer
    private var operations: OperationRegistry { server.state.operations }

    init() throws {
        server = try TestServer()
        operations.opened(server.context.connection)
    }

    private func request(_ json: String) throws -> CommandRequest {
        try TestServer.request(json, database: "shop")
    }

    @Test("currentOp shows what runs, under another number each time")
    func shown() async throws {
        _ = try await server.run(#"{"hello": 1, "client": {"application": {"name": "till"}}}"#)
        let find = #"{"find": "goods", "filter": {"a": 1}, "comment": "why"}"#
        let first = operations.begin(try request(find), on: server.context.connection)
        server.context.connection.endOperation()
        let second = operations.begin(try request(find), on: server.context.connection)
        #expect(first.id != second.id)
        let reply = try await server.run(#"{"currentOp": 1}"#)
        #expect(reply["inprog.1"] == nil)
        #expect(reply["inprog.0.opid"] == "\(second.id)")
        #expect(reply["inprog.0.ns"] == #""shop.goods""#)
        #expect(reply["inprog.0.op"] == #""query""#)
        #expect(reply["inprog.0.appName"] == #""till""#)
        #expect(reply["inprog.0.client"] == #""192.0.2.1:4711""#)
        #expect(reply["inprog.0.connectionId"] == "5")
        #expect(reply["inprog.0.active"] == "true")
        #expect(reply["inprog.0.command.filter"] == #"{"a":1}"#)
        #expect(reply["inprog.0.command.comment"] == #""why""#)
    }

    @Test("idle connections are shown when they are asked for")
    func idle() async throws {
        #expect(try await server.run(#"{"currentOp": 1}"#)["inprog"] == "[]")
        let reply = try await server.run(#"{"currentOp": 1, "$all": true}"#)
        #expect(reply["inprog.0.active"] == "false" && reply["inprog.0.opid"] == nil)
        operations.closed(server.context.connection)
        #expect(try await server.run(#"{"currentOp": 1, "$all": true}"#)["inprog"] == "[]")
    }

    @Test(
        "other fields are a filter",
        arguments: [
            (#""op": "query""#, 1), (#""op": "command""#, 0), (#""command.filter.a": {"$gt": 0}"#, 1),
            (#""secs_running": {"$gt": 3600}"#, 0), (#""$ownOps": true, "ns": "shop.goods""#, 1),
        ] as [(String, Int)])
    func filter(text: String, count: Int) async throws {
        _ = operations.begin(try request(#"{"find": "goods", "filter": {"a": 1}}"#), on: server.context.connection)
        let reply = try await server.run(#"{"currentOp": 1, \#(text)}"#)
        #expect(reply.withRaw { $0["inprog"]?.array?.elementCount } == count)
    }

    @Test("a long command is cut, its comment is not")
    func truncated() async throws {
        let long = String(repeating: "x", count: 5_000)
        _ = operations.begin(
            try request(#"{"find": "goods", "filter": {"a": "\#(long)"}, "comment": 7}"#),
            on: server.context.connection)
        let reply = try await server.run(#"{"currentOp": 1}"#)
        #expect(reply["inprog.0.command.$truncated"]?.contains("goods") == true)
        #expect(reply["inprog.0.command.comment"] == "7")
        #expect(reply.count < 4_000)
    }

    @Test("killOp interrupts that operation and no other")
    func kill() async throws {
        let other = ConnectionInfo(id: 6, remoteAddress: "192.0.2.2:1")
        operations.opened(other)
        let mine = operations.begin(try request(#"{"find": "goods"}"#), on: server.context.connection)
        let others = operations.begin(try request(#"{"find": "goods"}"#), on: other)
        let reply = try await server.run(#"{"killOp": 1, "op": \#(others.id), "whatever": 1}"#)
        #expect(reply["info"] == #""attempting to kill op""#)
        #expect(mine.interruption.reason == nil && others.interruption.reason == .killed)
        #expect(try await server.run(#"{"currentOp": 1, "killPending": true}"#)["inprog.0.opid"] == "\(others.id)")
        #expect(server.context.during(others).deadline(of: others.request).failure?.code.number == 11601)
    }

    @Test(
        "killOp checks its number",
        arguments: [
            ("", 4), (#", "op": "1""#, 14), (#", "op": null"#, 14), (#", "op": 3.14"#, 2),
            (#", "op": {"$numberDecimal": "3.14"}"#, 2), (#", "op": 2147483648.0"#, 26823),
            (#", "op": {"$numberLong": "-2147483649"}"#, 26823), (#", "op": {"$numberDecimal": "7"}"#, nil),
            (#", "op": -2147483648"#, nil),
        ] as [(String, Int32?)])
    func killRefused(text: String, code: Int32?) async throws {
        #expect(try await server.failure(#"{"killOp": 1\#(text)}"#)?.code.number == code)
    }

    @Test("killSessions stops what runs in them")
    func killSessions() async throws {
        let id = #"{"id": {"$binary": {"base64": "3q3erd6t3q3erd6t3q3erQ==", "subType": "04"}}}"#
        let connection = server.context.connection
        let sessionless = operations.begin(try request(#"{"find": "goods"}"#), on: connection)
        _ = try await server.run(#"{"killSessions": [\#(id)]}"#)
        #expect(sessionless.interruption.reason == nil)
        let ours = operations.begin(try request(#"{"find": "goods", "lsid": \#(id)}"#), on: connection)
        _ = try await server.run(#"{"killSessions": [\#(id)]}"#)
        #expect(ours.interruption.reason == .killed)
    }

    @Test(
        "a client that leaves stops its reads, not its writes",
        arguments: [
            ("find", true), ("getMore", true), ("count", true), ("insert", false), ("update", false),
            ("createIndexes", false),
        ])
    func clientLeaves(command: String, stops: Bool) throws {
        let connection = ConnectionInfo(id: 7, remoteAddress: "")
        let running = operations.begin(try request(#"{"\#(command)": "goods"}"#), on: connection)
        #expect(running.interruption.reason == nil)
        connection.clientLeft()
        #expect(running.interruption.reason == (stops ? .clientLeft : nil))
        let next = operations.begin(try request(#"{"\#(command)": "goods"}"#), on: connection)
        #expect(next.interruption.reason == (stops ? .clientLeft : nil), "read ahead before the client left")
    }

    @Test("maxTimeMS counts from the beginning of the command")
    func timeLimit() throws {
        let request = try request(#"{"find": "goods", "maxTimeMS": 1000}"#)
        let old = Operation(id: 1, request: request, startedAt: .now() - .seconds(2))
        #expect(server.context.during(old).deadline(of: request).failure?.code.number == 50)
        let new = Operation(id: 1, request: request, startedAt: .now() + .seconds(3_600))
        #expect(server.context.during(new).deadline(of: request).failure == nil)
    }

    @Test("loops in expressions end when the time is up, and when the operation is killed")
    func loops() async throws {
        let loop = (0..<4).reduce(#"{"$sum": ["$$value", "$$this"]}"#) { body, _ in
            #"{"$reduce": {"input": {"$range": [0, 100000]}, "initialValue": 0, "in": \#(body)}}"#
        }
        let request = try request(
            #"{"aggregate": 1, "pipeline": [{"$documents": \#(loop)}], "cursor": {}, "maxTimeMS": 50}"#)
        #expect(await server.failure(request)?.code.number == 50)
        let killed = Operation(id: 1, request: request, startedAt: .now() + .seconds(3_600))
        killed.interruption.interrupt(.killed)
        #expect(await server.failure(request, during: killed)?.code == .interrupted)
    }
}
