import BSON
import CommandModel
import Logging
import Testing

@testable import Commands

@Suite("getParameter and setParameter")
struct ParameterTests {
    private let server: TestServer

    init() throws { server = try TestServer() }

    @Test("a change is seen, and its answer tells the value before")
    func change() async throws {
        #expect(try await server.run(#"{"setParameter": 1, "logLevel": 2}"#)["was"] == "0")
        #expect(try await server.run(#"{"setParameter": true, "logLevel": 3, "comment": "c"}"#)["was"] == "2")
        #expect(
            try await server.run(#"{"getParameter": 1, "logLevel": 1}"#).extendedJSON(.canonical)
                == #"{"logLevel":{"$numberInt":"3"}}"#)
        #expect(server.state.log.level == .trace)
        #expect(try await server.run(#"{"setParameter": 1, "quiet": true, "logLevel": 0}"#)["was"] == "false")
        #expect(server.state.log.isQuiet)
        #expect(server.state.log.level == .info)
    }

    @Test("the shell sets the log's verbosity for all components, and hears that there is none for one")
    func verbosity() async throws {
        let set = #"{"setParameter": 1, "logComponentVerbosity": {"verbosity": 2}}"#
        #expect(try await server.run(set)["was.verbosity"] == "0")
        #expect(server.state.log.verbosity == 2)
        #expect(try await server.run(#"{"getParameter": 1, "logLevel": 1}"#)["logLevel"] == "2")
        for refused in [
            #"{"command": 1}"#, "1", #"{"verbosity": 6}"#, #"{"verbosity": 1, "network": {"verbosity": 1}}"#,
        ] {
            let command = #"{"setParameter": 1, "logComponentVerbosity": \#(refused)}"#
            #expect(try await server.failure(command) != nil, "\(refused)")
        }
        #expect(server.state.log.verbosity == 2)
    }

    @Test("of several parameters all are set or none")
    func atomicity() async throws {
        #expect(try await server.failure(#"{"setParameter": 1, "logLevel": 3, "nonExistent": 1}"#)?.code.number == 72)
        #expect(
            try await server.failure(#"{"setParameter": 1, "logLevel": 3, "quiet": 1, "cursorTimeoutMillis": 0}"#)
                != nil)
        #expect(server.state.log.verbosity == 0)
        #expect(!server.state.log.isQuiet)
    }

    @Test(
        "logLevel takes any number and a boolean",
        arguments: [
            ("1", 1), (#"{"$numberLong": "1"}"#, 1), ("1.5", 1), (#"{"$numberDecimal": "5"}"#, 5), ("true", 1),
            ("false", 0),
        ] as [(String, Int32)])
    func integers(value: String, level: Int32) async throws {
        _ = try await server.run(#"{"setParameter": 1, "logLevel": \#(value)}"#)
        #expect(server.state.log.verbosity == level)
    }

    @Test(
        "quiet takes anything",
        arguments: [
            ("true", true), ("1", true), (#""true""#, true), ("[true]", true), (#"{"a": 1}"#, true), ("0", false),
            ("0.0", false), ("null", false), ("false", false),
        ])
    func booleans(value: String, isQuiet: Bool) async throws {
        server.state.log.isQuiet = !isQuiet
        _ = try await server.run(#"{"setParameter": 1, "quiet": \#(value)}"#)
        #expect(server.state.log.isQuiet == isQuiet)
    }

    @Test(
        "what cannot be set is refused",
        arguments: [
            (#""logLevel": -1"#, 2), (#""logLevel": 2147483648"#, 2), (#""logLevel": "1""#, 2),
            (#""logLevel": [1]"#, 2),
            (#""logLevel": {"a": 1}"#, 2), (#""logLevel": {"$numberDouble": "NaN"}"#, 2), (#""logLevel": null"#, 2),
            (#""cursorTimeoutMillis": 9223372036854775807"#, 2),
            (#""LogLevel": 0"#, 72), (#""": 1"#, 72), (#""log.level": 1"#, 72), (#""$logLevel": 1"#, 72),
            (#""comment": "nothing to set""#, 72), (#""featureCompatibilityVersion": 1"#, 20),
        ] as [(String, Int32)])
    func refusedToSet(arguments: String, code: Int32) async throws {
        #expect(try await server.failure(#"{"setParameter": 1, \#(arguments)}"#)?.code.number == code)
    }

    @Test(
        "the forms of getParameter show what they ask for",
        arguments: [
            (#""getParameter": 42, "quiet": 1, "logLevel": 1"#, ["quiet", "logLevel"]),
            (#""getParameter": 1, "logLevel": 1, "unknown": 1, "comment": 1"#, ["logLevel"]),
            (#""getParameter": {}, "logLevel": 1"#, ["logLevel"]),
            (#""getParameter": {"setAt": "startup", "allParameters": null}, "logLevel": 1"#, ["logLevel"]),
            (
                #""getParameter": {"allParameters": 1, "setAt": "runtime"}"#,
                [
                    "cursorTimeoutMillis", "internalQueryMaxBlockingSortMemoryUsageBytes", "logComponentVerbosity",
                    "logLevel", "quiet", "scramIterationCount", "scramSHA256IterationCount",
                    "transactionLifetimeLimitSeconds", "ttlMonitorEnabled", "ttlMonitorSleepSecs",
                ]
            ),
            (#""getParameter": {"allParameters": true, "setAt": "startup"}, "logLevel": 1"#, []),
            (#""getParameter": "*", "logLevel": 1"#, ServerParameter.all.map { "\($0.name)" }),
            (#""getParameter": {"allParameters": true}"#, ServerParameter.all.map { "\($0.name)" }),
        ])
    func selection(arguments: String, names: [String]) async throws {
        #expect(try await server.run("{\(arguments)}").keys == names)
    }

    @Test("details tell what may be set")
    func details() async throws {
        let reply = try await server.run(
            #"{"getParameter": {"showDetails": true}, "logLevel": 1, "authSchemaVersion": 1}"#)
        #expect(reply["logLevel.value"] == "0")
        #expect(reply["logLevel.settableAtRuntime"] == "true")
        #expect(reply["authSchemaVersion.settableAtRuntime"] == "false")
        #expect(reply["authSchemaVersion.settableAtStartup"] == "false")
    }

    @Test("the facts have the types that drivers read")
    func facts() async throws {
        let reply = try await server.run(#"{"getParameter": "*"}"#)
        #expect(reply["featureCompatibilityVersion.version"] == #""8.0""#)
        #expect(reply.type(at: "authenticationMechanisms") == .array)
        #expect(reply.type(at: "cursorTimeoutMillis") == .int64)
        #expect(reply["localLogicalSessionTimeoutMinutes"] == "30")
    }

    @Test(
        "what cannot be got is refused",
        arguments: [
            (#""getParameter": 1"#, 72), (#""getParameter": {}"#, 72), (#""getParameter": "foo""#, 72),
            (#""getParameter": 1, "LOGLEVEL": 1"#, 72), (#""getParameter": 1, "": 1"#, 72),
            (#""getParameter": {"showDetails": "yes"}, "logLevel": 1"#, 14),
            (#""getParameter": {"allParameters": []}"#, 14),
            (#""getParameter": {"allParameters": true, "setAt": 123}"#, 14),
            (#""getParameter": {"allParameters": true, "setAt": ""}"#, 2),
            (#""getParameter": {"unknownField": true}, "logLevel": 1"#, 40415),
        ] as [(String, Int32)])
    func refusedToGet(arguments: String, code: Int32) async throws {
        #expect(try await server.failure("{\(arguments)}")?.code.number == code)
    }
}
