import BSON
import CommandModel
import Metrics
import Storage
import Testing

@testable import Commands

@Suite("What is measured of commands")
struct MeasurementTests {
    private let server: TestServer

    init() throws { server = try TestServer() }

    @Test(
        "each command is of a kind, but for handshakes, which wait",
        arguments: [
            ("find", "find"), ("count", "aggregate"), ("findandmodify", "findAndModify"), ("bulkWrite", "bulkWrite"),
            ("ping", "other"), ("other", "other"), ("hello", "-"), ("ismaster", "-"),
        ])
    func kinds(command: String, kind: String) {
        #expect(CommandKind(command: command)?.rawValue ?? "-" == kind)
    }

    @Test("times are kept by kind, without those of cursors that wait")
    func times() throws {
        let commands = server.state.commands
        func end(_ name: String, milliseconds: Int, isWaiting: Bool = false) throws {
            let number = try #require(CommandTable.standard[name]).number
            commands.ended(
                number, nanoseconds: milliseconds * 1_000_000, isFailure: false, isSlow: false, isWaiting: isWaiting)
        }
        try end("find", milliseconds: 2)
        try end("count", milliseconds: 4)
        try end("aggregate", milliseconds: 4)
        try end("getMore", milliseconds: 900, isWaiting: true)
        try end("hello", milliseconds: 10_000)
        commands.ended(nil, nanoseconds: 5, isFailure: true, isSlow: false)
        let counts = Dictionary(uniqueKeysWithValues: zip(CommandKind.allCases, commands.byKind))
        #expect(counts.mapValues(\.count).filter { $0.value > 0 } == [.find: 1, .aggregate: 2])
        #expect(counts[.aggregate]?.microseconds == 8_000)
    }

    @Test("a collection's times are told by reads, writes and commands; output of a pipeline is a write")
    func latencies() throws {
        let counters = NamespaceCounters()
        let namespace = Namespace(database: "shop", collection: "c")
        #expect(counters[namespace] == nil)
        for (command, nanoseconds) in [
            (#"{"insert": "c"}"#, 3_000_000), (#"{"find": "c"}"#, 2_000), (#"{"count": "c"}"#, 5_000),
            (#"{"listIndexes": "c"}"#, 7_000), (#"{"aggregate": "c", "pipeline": [{"$out": "d"}]}"#, 11_000),
            (#"{"ping": 1}"#, 1_000_000_000), (#"{"find": "other"}"#, 1_000_000_000),
        ] as [(String, Int64)] {
            counters.ended(try TestServer.request(command, database: "shop"), nanoseconds: nanoseconds)
        }
        let found = try #require(counters[namespace])
        #expect(CommandKind.Class.allCases.map { found[$0].count } == [2, 2, 1])
        #expect(CommandKind.Class.allCases.map { found[$0].microseconds } == [7, 3_011, 7])
        #expect(found[.writes].entries.map(\.microseconds) == [8, 2_048])
    }

    @Test("the last slow commands are kept, newest first")
    func slow() throws {
        let commands = SlowCommands()
        for number in 0..<SlowCommands.kept + 5 {
            let ended = EndedCommand(
                try TestServer.request(#"{"find": "c\#(number)"}"#, database: "shop"), CommandReply(),
                nanoseconds: Int64(number), from: server.context.connection)
            commands.note(ended.asSlow)
        }
        #expect(commands.all.count == SlowCommands.kept)
        #expect(commands.all.first?.namespace == "shop.c\(SlowCommands.kept + 4)")
        #expect(commands.all.last?.namespace == "shop.c5")
    }

    @Test("logins are counted by mechanism, and names that clients make up in one place")
    func logins() async throws {
        let logins = server.state.access.logins
        logins.received("SCRAM-SHA-256", isSpeculative: true)
        logins.succeeded("SCRAM-SHA-256", isSpeculative: true)
        logins.received("SCRAM-SHA-256", isSpeculative: false)
        logins.failed("SCRAM-SHA-256")
        for _ in 0..<3 { logins.failed("made up") }
        logins.received("made up", isSpeculative: true)
        #expect(logins.failedInAll == 4)
        let reply = try await server.run(#"{"serverStatus": 1}"#)
        let path = "security.authentication.mechanisms."
        #expect(reply[path + "SCRAM-SHA-256.speculativeAuthenticate"] == #"{"received":1,"successful":1}"#)
        #expect(reply[path + "SCRAM-SHA-256.authenticate"] == #"{"received":2,"successful":1}"#)
        #expect(reply[path + "MONGODB-X509.authenticate"] == #"{"received":0,"successful":0}"#)
        #expect(reply[path + "made up"] == nil)
    }

    @Test("serverStatus tells what exporters ask for")
    func exporters() async throws {
        let find = try #require(CommandTable.standard["find"])
        server.state.commands.ended(find.number, nanoseconds: 3_000, isFailure: true, isSlow: false)
        let reply = try await server.run(#"{"serverStatus": 1}"#)
        #expect(reply["metrics.commands.find"] == #"{"failed":1,"total":1}"#)
        #expect(reply["metrics.commands.drop"] == #"{"failed":0,"total":0}"#)
        #expect(reply["opLatencies.reads"] == #"{"latency":3,"ops":1}"#)
        let detailed = try await server.run(#"{"serverStatus": 1, "opLatencies": {"histograms": true}}"#)
        #expect(
            detailed["opLatencies.reads"] == #"{"histogram":[{"micros":3,"count":1}],"latency":3,"ops":1}"#)
        #expect(try await server.run(#"{"serverStatus": 1, "opLatencies": 0}"#)["opLatencies.reads"] == nil)
        for path in [
            "asserts.user", "connections.available", "extra_info.page_faults", "globalLock.activeClients.readers",
            "globalLock.currentQueue.total", "mem.resident", "metrics.cursor.open.total", "metrics.cursor.totalOpened",
            "metrics.document.returned", "metrics.queryExecutor.scanned", "metrics.queryExecutor.scannedObjects",
            "metrics.queryExecutor.collectionScans.nonTailable", "metrics.operation.writeConflicts",
            "network.numRequests", "opcounters.getmore", "opLatencies.commands.ops", "transactions.totalStarted",
        ] {
            #expect(reply[path] != nil, "\(path)")
        }
    }
}
