import BSON
import CommandModel
import Metrics
import NIOCore
import Postgres
import Storage
import Synchronization
import Testing

@testable import Commands

@Suite("commands about the server")
struct DiagnosticTests {
    private let server: TestServer

    init() throws { server = try TestServer() }

    @Test("no two commands of the table have one name")
    func uniqueNames() {
        let entries =
            CommandTable.documentCommands + CommandTable.collectionCommands
            + CommandTable.diagnosticCommands + CommandTable.sessionCommands
        #expect(Set(entries.map(\.name)).count == entries.count)
    }

    @Test(
        "commands that take no arguments refuse one",
        arguments: [
            "ping", "buildInfo", "buildinfo", "hostInfo", "getCmdLineOpts", "connectionStatus", "getDefaultRWConcern",
            "replSetGetConfig", "replSetGetStatus",
        ])
    func strict(name: String) async throws {
        #expect(try await server.failure(#"{"\#(name)": 1, "unknownField": 1}"#)?.code.number == 40415)
        for value in ["-1", "null", #""x""#, "[]", "{}", #"{"$minKey": 1}"#] {
            #expect(try await server.failure(#"{"\#(name)": \#(value), "comment": 1}"#) == nil)
        }
    }

    @Test(
        "commands that ignore arguments take any",
        arguments: [
            "whatsmyuri", "listCommands", "connPoolStats", "serverStatus",
        ])
    func lenient(name: String) async throws {
        #expect(try await server.failure(#"{"\#(name)": null, "unknownField": 1}"#) == nil)
    }

    @Test(
        "commands about server and sessions know no read concern but local, and no write concern",
        arguments: [
            (#""readConcern": {"level": "local"}"#, nil), (#""readConcern": {}"#, nil),
            (#""readConcern": {"level": "snapshot"}"#, 72), (#""readConcern": {"level": "available"}"#, 72),
            (#""writeConcern": {}"#, 72),
        ] as [(String, Int32?)])
    func concerns(argument: String, code: Int32?) throws {
        let takingWriteConcern = ["commitTransaction", "abortTransaction"]
        let entries = CommandTable.diagnosticCommands + CommandTable.sessionCommands
        for name in entries.map(\.name) where !takingWriteConcern.contains(name) {
            let shared = try TestServer.request(#"{"\#(name)": 1, \#(argument)}"#).shared
            var found: Int32?
            do throws(CommandError) {
                try ConcernSupport(of: name).check(shared, command: name)
            } catch { found = error.code.number }
            #expect(found == code, "\(name)")
        }
    }

    @Test("buildInfo names the compatible version and our own")
    func buildInfo() async throws {
        let reply = try await server.run(#"{"buildInfo": 1}"#)
        #expect(reply["version"] == #""8.0.0""#)
        #expect(reply["versionArray"] == "[8,0,0,0]")
        #expect(reply["martlet"] == #"{"version":"1.2.3","postgresql":"15.0"}"#)
        #expect(reply["modules"] == "[]")
        #expect(reply["storageEngines"] == #"["martlet"]"#)
        #expect(reply["bits"] == "64")
    }

    @Test("hostInfo tells plausible facts about the machine")
    func hostInfo() async throws {
        let reply = try await server.run(#"{"hostInfo": 1}"#)
        func number(_ path: String) -> Int { reply[path].flatMap { Int($0) } ?? -1 }
        #expect(reply["system.hostname"] == #""box""#)
        #expect(reply.type(at: "system.currentTime") == .date)
        #expect(number("system.memSizeMB") >= number("system.memLimitMB"))
        for path in [
            "system.memLimitMB", "system.numCores", "system.numCoresAvailableToProcess", "system.numPhysicalCores",
            "system.numCpuSockets", "system.numNumaNodes", "extra.pageSize", "extra.numPages", "extra.maxOpenFiles",
        ] { #expect(number(path) > 0, "\(path)") }
        for path in [
            "system.cpuArch", "os.type", "os.name", "os.version", "extra.versionString", "extra.kernelVersion",
        ] {
            #expect(reply[path]?.count ?? 0 > 2, "\(path)")
        }
        #expect(try await server.run(#"{"hostInfo": 1}"#)["extra"] == reply["extra"])
    }

    @Test(
        "lists of numbers in the kernel's form are counted",
        arguments: [
            ("0", 1), ("0-3\n", 4), ("0-3,8,10-11", 7), ("", 1), ("x", 1), ("3-1", 1),
        ])
    func ranges(text: String, count: Int) {
        #expect(HostFacts.Processor.countInRanges(text) == count)
    }

    @Test("serverStatus counts what has happened")
    func counters() async throws {
        server.state.counters.countInserts(3)
        server.state.requests.begin(bytes: 100)
        server.state.requests.begin(bytes: 50)
        server.state.requests.end(bytes: 70, isFailure: true)
        for _ in 1...4 { #expect(server.state.limits.admit(nil).refusal == nil) }
        for _ in 1...2 { server.state.limits.leave(nil) }
        let reply = try await server.run(#"{"serverStatus": 1}"#)
        #expect(reply["opcounters.insert"] == "3")
        #expect(reply["network"] == #"{"bytesIn":150,"bytesOut":70,"numRequests":2}"#)
        #expect(reply["asserts.user"] == "1")
        #expect(reply["connections.current"] == "2")
        #expect(reply["connections.totalCreated"] == "4")
        #expect(reply["connections.available"] == "\(server.state.limits.settings.connectionsMax - 2)")
        #expect(reply["connections.rejected"] == "0")
        #expect(reply["connections.active"] == "1")
        #expect(reply["host"] == #""box""#)
        #expect(reply["pid"] == "42")
        #expect(reply.type(at: "pid") == .int64)
        #expect(reply.type(at: "uptime") == .double)
        #expect(reply["repl.me"] == #""db.example:27017""#)
        #expect(reply["storageEngine.name"] == #""martlet""#)
        #expect(reply["martlet.version"] == #""1.2.3""#)
    }

    @Test("serverStatus shows what only this server counts")
    func martletSection() async throws {
        let server = try TestServer(engine: TestEngine.make().get())
        let metrics = server.state.engine.metrics
        metrics.deduplicated.count()
        metrics.casLost.count(3)
        metrics.laneDepth.record(4)
        metrics.retried(.deadlockDetected)
        let document = try Document(extendedJSON: #"{"_id": 5}"#)
        // Counts fade with time, and the machine may be busy.
        metrics.hotDocuments.note(
            TestEngine.namespace, key: ByteBuffer(), writes: 7, document: document, now: .now() + .hours(1))
        let reply = try await server.run(#"{"serverStatus": 1}"#)
        #expect(reply["martlet.writes.deduplicatedStatements"] == "1")
        #expect(reply["martlet.writes.compareAndSwapLosses"] == "3")
        #expect(reply["martlet.writes.laneDepth"] == #"{"count":1,"mean":4.0,"p50":4.0,"p99":4.0}"#)
        #expect(reply["martlet.writes.retries"] == #"{"40P01":1}"#)
        #expect(reply["martlet.writes.hottestDocuments.0"] == #"{"ns":"test.c","_id":"5","writes":7}"#)
        #expect(reply["martlet.pools.readers.threads"] == "1")
        #expect(reply["martlet.pools.transactions.busy"] == "0")
        #expect(reply["martlet.transactions.open"] == "0")
        #expect(reply["martlet.transactions.serializable.committed"] == "0")
    }

    @Test("commands are counted by name, and what is no command in one place")
    func commandMetrics() throws {
        let commands = try TestServer().state.commands
        let find = try #require(CommandTable.standard["find"])
        #expect(CommandTable.standard.all[find.number].name == "find")
        commands.ended(find.number, nanoseconds: 1_000, isFailure: false, isSlow: false)
        commands.ended(find.number, nanoseconds: 200_000_000, isFailure: true, isSlow: true)
        for _ in 0..<5 { commands.ended(nil, nanoseconds: 0, isFailure: true, isSlow: false) }
        let shown = commands.all
        #expect(shown.map(\.name) == ["find", "unknown"])
        #expect(shown.map(\.times.count) == [2, 5] && shown.map(\.failed) == [1, 5] && shown.map(\.slow) == [1, 0])
    }

    @Test(
        "sections of serverStatus can be left out",
        arguments: [
            ("0", false), ("false", false), ("null", false), ("0.0", false), ("1", true), ("-1", true), (#""x""#, true),
            ("{}", true),
        ])
    func sections(value: String, isShown: Bool) async throws {
        let reply = try await server.run(#"{"serverStatus": 1, "metrics": \#(value), "locks": \#(value)}"#)
        #expect(reply.keys.contains("metrics") == isShown)
        #expect(reply.keys.contains("locks") == isShown)
        #expect(reply.keys.contains("opcounters"))
        #expect(reply.keys.contains("localTime"))
    }

    @Test("the replica set's status and configuration speak of one member")
    func replicaSet() async throws {
        let status = try await server.run(#"{"replSetGetStatus": 1}"#)
        #expect(status["set"] == #""martlet""#)
        #expect(status["myState"] == "1")
        #expect(status["members.0.stateStr"] == #""PRIMARY""#)
        #expect(status["members.0.name"] == #""db.example:27017""#)
        #expect(status["members.1"] == nil)
        let configuration = try await server.run(#"{"replSetGetConfig": 1, "commitmentStatus": true}"#)
        #expect(configuration["config._id"] == #""martlet""#)
        #expect(configuration["config.members.0.host"] == #""db.example:27017""#)
        #expect(configuration["commitmentStatus"] == "true")
        server.state.topology.setWritable(false)
        #expect(try await server.run(#"{"replSetGetStatus": 1}"#)["myState"] == "3")
    }

    @Test("the defaults of the concerns are those of MongoDB")
    func defaultConcerns() async throws {
        let reply = try await server.run(#"{"getDefaultRWConcern": null, "inMemory": true}"#)
        #expect(reply["defaultReadConcern"] == #"{"level":"local"}"#)
        #expect(reply["defaultWriteConcern"] == #"{"w":"majority","wtimeout":0}"#)
        #expect(reply["inMemory"] == "true")
        #expect(try await server.failure(#"{"getDefaultRWConcern": 1, "inMemory": 1}"#)?.code.number == 14)
    }

    @Test(
        "connectionStatus knows nobody, and privileges when asked",
        arguments: [
            ("", false), (#", "showPrivileges": 1"#, true), (#", "showPrivileges": null"#, false),
            (#", "showPrivileges": {"$numberDecimal": "0"}"#, false),
        ])
    func connectionStatus(argument: String, showsPrivileges: Bool) async throws {
        let reply = try await server.run(#"{"connectionStatus": 1\#(argument)}"#)
        #expect(reply["authInfo.authenticatedUsers"] == "[]")
        #expect(reply["authInfo.authenticatedUserPrivileges"] == (showsPrivileges ? "[]" : nil))
        #expect(reply.type(at: "uuid") == .binary)
        #expect(try await server.failure(#"{"connectionStatus": 1, "showPrivileges": "yes"}"#)?.code.number == 14)
    }

    @Test("the command list describes every command")
    func listCommands() async throws {
        let reply = try await server.run(#"{"listCommands": 1}"#)
        #expect(
            reply.withRaw { $0["commands"]?.document?.elementCount }
                == CommandTable.standard.all.count { !$0.isTestsOnly })
        #expect(reply["commands.ping.apiVersions"] == #"["1"]"#)
        #expect(reply["commands.getLog.adminOnly"] == "true")
    }

    @Test("the client learns its address")
    func address() async throws {
        #expect(try await server.run(#"{"whatsmyuri": 1}"#)["you"] == #""192.0.2.1:4711""#)
    }
}

@Suite("the command line as clients see it")
struct CommandLineTests {
    @Test(
        "passwords are hidden",
        arguments: [
            ("postgresql://u:secret@h:5432/db", "postgresql://u:***@h:5432/db"),
            ("--postgresql-url=postgres://u:se:cr@et@h/db", "--postgresql-url=postgres://u:***@h/db"),
            (
                "postgres://h/db?user=u&password=secret&sslmode=disable",
                "postgres://h/db?user=u&password=***&sslmode=disable"
            ),
            ("host=h password=secret user=u", "host=h password=*** user=u"),
            ("password='se cret' user=u", "password=***"),
            ("password=a password=b", "password=*** password=***"),
            ("postgresql://u@h:5432/db", "postgresql://u@h:5432/db"),
            ("127.0.0.1:27017", "127.0.0.1:27017"), ("", ""), ("://", "://"), ("a://:@", "a://:***@"),
        ])
    func secrets(argument: String, shown: String) {
        #expect(CommandLineText.withoutSecrets(argument) == shown)
    }

    @Test("options are told from values and flags")
    func options() async throws {
        let server = try TestServer(arguments: [
            "martlet", "serve", "--listen", "127.0.0.1:1", "--verbose", "--postgresql-url=postgres://u:p@h/db",
            "--listen", "x", "--",
        ])
        let reply = try await server.run(#"{"getCmdLineOpts": 1}"#)
        #expect(reply["argv.0"] == #""martlet""#)
        let given = #""verbose":true,"postgresql-url":"postgres://u:***@h/db","listen":"x""#
        #expect(reply["parsed"] == ##"{\##(given),"security":{"authorization":"disabled"}}"##)
    }
}
