import BSON
import CommandModel
import Logging
import Testing

@testable import Commands

@Suite("The profiler and top")
struct ProfilerTests {
    private let server: TestServer

    init() throws { server = try TestServer() }

    private func profile(_ json: String, database: String = "shop") async throws -> String {
        try await server.run(json, database: database).extendedJSON(.relaxed)
    }

    @Test("a change tells what held before; other levels and nulls only ask")
    func levels() async throws {
        #expect(try await profile(#"{"profile": -1}"#) == #"{"was":0,"slowms":100,"sampleRate":1.0}"#)
        _ = try await profile(#"{"profile": 0, "slowms": 7.9, "sampleRate": 0.5}"#)
        for question in [#"{"profile": 3}"#, #"{"profile": -2, "slowms": null, "sampleRate": null}"#] {
            #expect(try await profile(question) == #"{"was":0,"slowms":7,"sampleRate":0.5}"#)
        }
        #expect(server.state.profiler.slowNanoseconds == 7_000_000)
        // All but the level and the filter holds for all databases.
        _ = try await profile(#"{"profile": 0, "filter": {"op": "query", "millis": {"$gt": 1}}}"#)
        #expect(try await profile(#"{"profile": -1}"#, database: "b") == #"{"was":0,"slowms":7,"sampleRate":0.5}"#)
        #expect(try await profile(#"{"profile": -1}"#).contains(#""filter":{"op":{"$eq":"query"},"millis":{"$gt":1}}"#))
        _ = try await profile(#"{"profile": 0, "filter": "unset"}"#)
        #expect(try await !profile(#"{"profile": -1}"#).contains("filter"))
    }

    @Test("slow is what takes longer, and is drawn")
    func slowness() {
        var rule = ProfileRule()
        #expect(rule.isSlow(nanoseconds: 100_000_001, chance: 0.99))
        #expect(!rule.isSlow(nanoseconds: 100_000_000, chance: 0))
        rule.sampleRate = 0.5
        #expect(rule.isSlow(nanoseconds: 1 << 40, chance: 0.49))
        #expect(!rule.isSlow(nanoseconds: 1 << 40, chance: 0.5))
        rule.slowMilliseconds = -1
        #expect(rule.isSlow(nanoseconds: 0, chance: 0))
    }

    private func ended(_ json: String, milliseconds: Int64, reply: String = "{}") throws -> EndedCommand {
        let fields = try Document(extendedJSON: reply)
        let reply = CommandReply { builder in fields.withRaw { raw in for field in raw { builder.append(field) } } }
        return EndedCommand(
            try TestServer.request(json, database: "shop"), reply, nanoseconds: milliseconds * 1_000_000,
            from: server.context.connection)
    }

    @Test("an entry tells what was done, how long it took, and what came of it")
    func entry() throws {
        let command = try ended(
            #"{"find": "c", "filter": {"a": 1}}"#, milliseconds: 12,
            reply: #"{"cursor": {"firstBatch": [1, 2], "id": 9}}"#)
        let text = command.entry(id: ObjectID(high: 1, low: 2)).extendedJSON(.relaxed)
        for part in [
            #""op":"query""#, #""ns":"shop.c""#, #""filter":{"a":1}"#, #""nreturned":2"#, #""cursorid":9"#,
            #""millis":12"#,
        ] { #expect(text.contains(part), "\(part) in \(text)") }
    }

    @Test(
        "nothing secret is shown",
        arguments: [
            #"{"createUser": "u", "pwd": "hush"}"#, #"{"updateUser": "u", "pwd": "hush"}"#,
            #"{"saslStart": 1, "payload": "hush"}"#, #"{"saslContinue": 1, "payload": "hush"}"#,
            #"{"authenticate": 1, "key": "hush"}"#,
        ])
    func secrets(command: String) throws {
        let lines = LineCollector()
        let command = try ended(command, milliseconds: 1)
        #expect(!command.entry(id: ObjectID(high: 1, low: 2)).extendedJSON(.relaxed).contains("hush"))
        command.log(to: lines.logger)
        #expect(lines.all.count == 1)
        #expect(!lines.all.joined().contains("hush"))
    }

    @Test(
        "handshakes, waiting cursors and a look at the notes are not slow",
        arguments: [
            (#"{"hello": 1}"#, 0), (#"{"find": "system.profile"}"#, 0),
            (#"{"getMore": 5, "collection": "c", "maxTimeMS": 1000}"#, 0), (#"{"getMore": 5, "collection": "c"}"#, 1),
            (#"{"find": "c"}"#, 1),
        ])
    func exceptions(command: String, count: Int) throws {
        let lines = LineCollector()
        server.state.profiler.ended(
            try ended(command, milliseconds: 900), logger: lines.logger)
        #expect(lines.all.count == count)
    }

    @Test("a filter decides alone")
    func filter() async throws {
        _ = try await profile(#"{"profile": 0, "filter": {"ns": "shop.a"}}"#)
        let lines = LineCollector()
        let logger = lines.logger
        server.state.profiler.ended(try ended(#"{"find": "b"}"#, milliseconds: 900), logger: logger)
        #expect(lines.all.isEmpty)
        server.state.profiler.ended(try ended(#"{"find": "a"}"#, milliseconds: 0), logger: logger)
        #expect(lines.all.count == 1)
    }

    @Test("top counts by event, and by read and write")
    func top() async throws {
        let counters = server.state.namespaces
        for (command, nanoseconds) in [
            (#"{"insert": "c"}"#, 5_000), (#"{"find": "c"}"#, 3_000), (#"{"count": "c"}"#, 2_000),
            (#"{"delete": "c"}"#, 1_000),
        ] as [(String, Int64)] {
            counters.ended(try TestServer.request(command, database: "shop"), nanoseconds: nanoseconds)
        }
        let text = try await server.run(#"{"top": 1}"#).extendedJSON(.relaxed)
        for part in [
            #""shop.c":{"total":{"time":11,"count":4}"#, #""readLock":{"time":5,"count":2}"#,
            #""writeLock":{"time":6,"count":2}"#, #""queries":{"time":3,"count":1}"#,
            #""commands":{"time":2,"count":1}"#,
        ] { #expect(text.contains(part), "\(part) in \(text)") }
        counters.forget(database: "shop")
        #expect(counters.all.isEmpty)
    }

    @Test("top counts a bounded number of collections")
    func bound() throws {
        let counters = NamespaceCounters()
        for number in 0..<(NamespaceCounters.namespacesMax + 10) {
            counters.ended(try TestServer.request(#"{"find": "c\#(number)"}"#, database: "shop"), nanoseconds: 1)
        }
        #expect(counters.all.count == NamespaceCounters.namespacesMax)
    }
}

/// What is logged.
private struct LineCollector {
    private let ring = LogRing()

    var logger: Logger {
        Logger(label: "test") { RecordingLogHandler(label: $0, ring: ring, next: SwiftLogNoOpLogHandler()) }
    }

    var all: [String] { ring.snapshot(.global).lines }
}
