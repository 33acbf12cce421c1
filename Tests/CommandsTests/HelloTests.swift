import BSON
import CommandModel
import Testing

@testable import Commands

/// The run that the test server says it is.
private let runID = #"{"$oid": "000000000000000700000009"}"#

@Suite("hello", .timeLimit(.minutes(20)))
struct HelloTests {
    private let server: TestServer
    private let version =
        #""topologyVersion": {"processId": \#(runID), "counter": {"$numberLong": "0"}}"#

    init() throws { server = try TestServer() }

    @Test("hello shows the primary of a replica set of one")
    func primary() async throws {
        let reply = try await server.run(#"{"hello": 1}"#)
        #expect(reply["isWritablePrimary"] == "true")
        #expect(reply["secondary"] == "false")
        #expect(reply["hosts"] == #"["db.example:27017"]"#)
        #expect(reply["me"] == #""db.example:27017""#)
        #expect(reply["primary"] == reply["me"])
        #expect(reply["setName"] == #""martlet""#)
        #expect(reply["topologyVersion.processId"] == #"{"$oid":"000000000000000700000009"}"#)
        #expect(reply.type(at: "topologyVersion.counter") == .int64)
        #expect(reply["electionId"] == #"{"$oid":"7fffffff0000000000000001"}"#)
        #expect(reply.type(at: "lastWrite.opTime.ts") == .timestamp)
        #expect(reply.type(at: "lastWrite.majorityWriteDate") == .date)
    }

    @Test("hello announces the limits with the types that drivers read")
    func limits() async throws {
        let reply = try await server.run(#"{"hello": 1}"#)
        #expect(reply["maxBsonObjectSize"] == "16777216")
        #expect(reply["maxMessageSizeBytes"] == "48000000")
        #expect(reply["maxWriteBatchSize"] == "100000")
        #expect(reply["logicalSessionTimeoutMinutes"] == "30")
        #expect(reply["maxWireVersion"] == "25")
        #expect(reply["readOnly"] == "false")
        for name in ["maxBsonObjectSize", "connectionId", "minWireVersion"] { #expect(reply.type(at: name) == .int32) }
        #expect(reply["compression"] == nil)
        #expect(reply["saslSupportedMechs"] == nil)
        #expect(reply["ok"] == nil, "the session writes it")
    }

    @Test("the old spellings answer with ismaster", arguments: ["isMaster", "ismaster"])
    func legacy(name: String) async throws {
        let reply = try await server.run(#"{"\#(name)": 1, "helloOk": true}"#)
        #expect(reply["ismaster"] == "true")
        #expect(reply["isWritablePrimary"] == nil)
        #expect(reply["helloOk"] == "true")
    }

    @Test("what hello does not know is ignored")
    func unknownFields() async throws {
        let reply = try await server.run(#"{"hello": 1, "backpressure": "2", "client": {"a": 1}, "later": true}"#)
        #expect(reply["isWritablePrimary"] == "true")
    }

    @Test("compressors are agreed on in the client's order")
    func compression() async throws {
        let command = #"{"hello": 1, "compression": ["zstd", "lzma", "snappy", "zstd"]}"#
        #expect(try await server.run(command)["compression"] == #"["zstd","snappy"]"#)
        #expect(Hello.negotiatedCompressors(try TestServer.request(command)) == ["zstd", "snappy"])
        #expect(Hello.negotiatedCompressors(try TestServer.request(#"{"hello": 1}"#)).isEmpty)
    }

    @Test("without PostgreSQL there is no primary")
    func notWritable() async throws {
        server.state.topology.setWritable(false)
        let reply = try await server.run(#"{"hello": 1}"#)
        #expect(reply["isWritablePrimary"] == "false")
        #expect(reply["secondary"] == "false")
        #expect(reply["primary"] == nil)
        #expect(reply["electionId"] == nil)
        #expect(reply["topologyVersion.counter"] == "1")
    }

    @Test(
        "arguments that make no sense are refused",
        arguments: [
            (#""topologyVersion": 1, "maxAwaitTimeMS": 1"#, 14),
            (#""topologyVersion": {"counter": {"$numberLong": "0"}}, "maxAwaitTimeMS": 1"#, 40414),
            (#""topologyVersion": {"processId": \#(runID)}, "maxAwaitTimeMS": 1"#, 40414),
            (#""topologyVersion": {"processId": 1, "counter": {"$numberLong": "0"}}, "maxAwaitTimeMS": 1"#, 14),
            (
                #""topologyVersion": {"processId": \#(runID), "counter": 0}, "maxAwaitTimeMS": 1"#,
                14
            ),
            (
                #""topologyVersion": {"processId": \#(runID), "x": 0}, "maxAwaitTimeMS": 1"#,
                40415
            ),
            (
                #""topologyVersion": {"processId": \#(runID), "counter": {"$numberLong": "-1"}}"#,
                31372
            ),
            (
                #""topologyVersion": {"processId": \#(runID), "counter": {"$numberLong": "0"}}"#,
                31368
            ),
            (
                #""topologyVersion": {"processId": \#(runID), "counter": {"$numberLong": "9"}}, "maxAwaitTimeMS": 1"#,
                31382
            ),
            (#""maxAwaitTimeMS": 1"#, 31368),
            (#""maxAwaitTimeMS": -1"#, 2),
            (#""maxAwaitTimeMS": "a""#, 14),
            (#""compression": "zlib""#, 14),
            (#""compression": [1]"#, 14),
            (#""helloOk": "yes""#, 14),
            (#""saslSupportedMechs": "nodot""#, 2),
            (#""saslSupportedMechs": {"db": "admin"}"#, 2),
            (#""saslSupportedMechs": 123"#, 14),
            (#""saslSupportedMechs": null"#, 14),
        ] as [(String, Int32)])
    func refused(arguments: String, code: Int32) async throws {
        #expect(try await server.failure(#"{"hello": 1, \#(arguments)}"#)?.code.number == code)
    }

    @Test(
        "a user who is not known may log in by every mechanism",
        arguments: ["admin.user", ".", "$external.a.b", "admin."])
    func userNames(name: String) async throws {
        let reply = try await server.run(#"{"hello": 1, "saslSupportedMechs": "\#(name)"}"#)
        #expect(reply["saslSupportedMechs"] == #"["SCRAM-SHA-1","SCRAM-SHA-256"]"#)
    }

    @Test("an awaitable hello waits for a change and tells of it")
    func awaitsChange() async throws {
        let command = #"{"hello": 1, \#(version), "maxAwaitTimeMS": 600000}"#
        #expect(try Hello.awaitMilliseconds(TestServer.request(command)) == 600_000)
        async let waiting = server.run(command)
        try await server.state.topology.hasWaiters(1)
        server.state.topology.setWritable(false)
        let reply = try await waiting
        #expect(reply["topologyVersion.counter"] == "1")
        #expect(reply["isWritablePrimary"] == "false")
        #expect(server.state.topology.waiterCount == 0)
    }

    @Test("an awaitable hello is answered when its time is over")
    func awaitsTime() async throws {
        let reply = try await server.run(#"{"hello": 1, \#(version), "maxAwaitTimeMS": 1}"#)
        #expect(reply["topologyVersion.counter"] == "0")
        #expect(server.state.topology.waiterCount == 0)
    }

    @Test("a client that is behind, or knows another run of the server, is answered at once")
    func behind() async throws {
        let otherRun = version.replacing("0009", with: "000a")
        _ = try await server.run(#"{"hello": 1, \#(otherRun), "maxAwaitTimeMS": 600000}"#)
        server.state.topology.setWritable(false)
        _ = try await server.run(#"{"hello": 1, \#(version), "maxAwaitTimeMS": 600000}"#)
    }

    @Test("the replies of an exhaust stream wait for what follows the one before")
    func stream() async throws {
        server.state.topology.setWritable(false)
        let request = try TestServer.request(#"{"hello": 1, \#(version), "maxAwaitTimeMS": 600000}"#)
        let first = try await Hello.reply(to: request, server.context, isLegacy: false)
        #expect(first.counter == 1)
        async let second = Hello.reply(to: request, server.context, isLegacy: false, after: first.counter)
        try await server.state.topology.hasWaiters(1)
        server.state.topology.setWritable(true)
        #expect(try await second.counter == 2)
    }

    @Test("a cancelled wait ends")
    func cancellation() async throws {
        let topology = server.state.topology
        let waiting = Task { await topology.waitForChange(from: 0, atMost: .seconds(3_600)) }
        try await topology.hasWaiters(1)
        waiting.cancel()
        await waiting.value
        #expect(topology.waiterCount == 0)
        let late = Task { await topology.waitForChange(from: 0, atMost: .seconds(3_600)) }
        late.cancel()
        await late.value
    }

    @Test("nobody waits for a client that has left, before the wait or during it")
    func clientLeaves() async throws {
        let topology = server.state.topology
        let client = ConnectionInfo(id: 9, remoteAddress: "192.0.2.9:1")
        let waiting = Task { await topology.waitForChange(from: 0, atMost: .seconds(3_600), for: client) }
        try await topology.hasWaiters(1)
        client.clientLeft()
        await waiting.value
        #expect(topology.waiterCount == 0)
        await topology.waitForChange(from: 0, atMost: .seconds(3_600), for: client)
    }

    @Test("a change wakes all who wait, and only a change does")
    func wakesAll() async throws {
        let topology = server.state.topology
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { await topology.waitForChange(from: 0, atMost: .seconds(3_600)) } }
            try await topology.hasWaiters(50)
            topology.setWritable(true)
            #expect(topology.waiterCount == 50)
            topology.setWritable(false)
            try await group.waitForAll()
        }
        #expect(topology.state.counter == 1)
    }
}

extension Topology {
    /// Returns when so many commands wait, and throws when the time limit of the test is over.
    fileprivate func hasWaiters(_ count: Int) async throws {
        while waiterCount < count {
            try Task.checkCancellation()
            await Task.yield()
        }
    }
}
