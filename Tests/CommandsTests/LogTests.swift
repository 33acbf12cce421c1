import BSON
import CommandModel
import Logging
import Testing

@testable import Commands

@Suite("the log in memory and getLog")
struct LogTests {
    private let ring = LogRing()

    private func logger(_ label: String) -> Logger {
        Logger(label: label) { RecordingLogHandler(label: $0, ring: ring, next: SwiftLogNoOpLogHandler()) }
    }

    @Test("the newest lines are kept, in order, and all are counted")
    func ringWraps() {
        for number in 0..<(LogRing.linesMax + 10) { ring.append("\(number)") }
        let log = ring.snapshot(.global)
        #expect(log.totalLines == Int64(LogRing.linesMax + 10))
        #expect(log.lines == (10..<(LogRing.linesMax + 10)).map(String.init))
    }

    @Test("warnings before the end of the start are startup warnings")
    func startupWarnings() async throws {
        logger("martlet.control").info("starting")
        logger("martlet.control").warning("no checksums")
        ring.finishStartup()
        logger("martlet.control").warning("later")
        let server = try TestServer(log: ring)
        let reply = try await server.run(#"{"getLog": "startupWarnings"}"#)
        #expect(reply["totalLinesWritten"] == "1")
        #expect(ring.snapshot(.startupWarnings).lines.first?.contains(#""msg":"no checksums""#) == true)
        #expect(try await server.run(#"{"getLog": "global"}"#)["totalLinesWritten"] == "3")
        #expect(try await server.run(#"{"getLog": "*"}"#)["names"] == #"["global","startupWarnings"]"#)
    }

    @Test("a line is JSON in MongoDB's shape, whatever clients put into it")
    func json() throws {
        logger("martlet.network").error(
            "a \"quoted\" \\ line\nbreak \u{1}", metadata: ["connection": "7", "remote": "é", "app": "\"}"])
        let line = try #require(ring.snapshot(.global).lines.first)
        let parsed = try Document(extendedJSON: line)
        #expect(parsed.keys == ["t", "s", "c", "id", "ctx", "msg", "attr"])
        #expect(parsed.type(at: "t") == .date)
        #expect(parsed["s"] == #""E""#)
        #expect(parsed["c"] == #""NETWORK""#)
        #expect(parsed["ctx"] == #""conn7""#)
        #expect(parsed["attr.remote"] == #""é""#)
        #expect(parsed["attr.connection"] == nil)
        let message = parsed.withRaw { $0["msg"]?.string }
        #expect(message == "a \"quoted\" \\ line\nbreak \u{1}")
    }

    @Test(
        "a moment is written in ISO 8601",
        arguments: [
            (0, "1970-01-01T00:00:00.000+00:00"), (951_782_400_007, "2000-02-29T00:00:00.007+00:00"),
            (4_102_444_799_999, "2099-12-31T23:59:59.999+00:00"),
        ] as [(Int64, String)])
    func timestamp(milliseconds: Int64, text: String) {
        #expect(LogLine.timestamp(milliseconds) == text)
    }

    @Test("a long message is cut")
    func longMessage() {
        logger("martlet.command").info("\(String(repeating: "é", count: LogRing.messageBytesMax))")
        let length = ring.snapshot(.global).lines.first?.utf8.count ?? 0
        #expect(length > LogRing.messageBytesMax && length < LogRing.messageBytesMax + 200)
    }

    @Test("the verbosity of the ring is that of loggers that exist")
    func verbosity() {
        let logger = logger("martlet.command")
        logger.debug("unseen")
        ring.verbosity = 1
        logger.debug("seen")
        logger.trace("unseen")
        ring.verbosity = 2
        logger.trace("seen too")
        #expect(ring.snapshot(.global).totalLines == 2)
    }

    @Test("quiet silences connections, but not what goes wrong with them")
    func quiet() {
        ring.isQuiet = true
        logger("martlet.network").info("connection accepted")
        logger("martlet.network").warning("connection broken")
        logger("martlet.command").info("other")
        #expect(ring.snapshot(.global).totalLines == 2)
    }

    @Test(
        "getLog refuses what it does not know",
        arguments: [
            (#""getLog": "rs""#, 96), (#""getLog": """#, 96), (#""getLog": 1"#, 14), (#""getLog": null"#, 40414),
            (#""getLog": {}"#, 14), (#""getLog": "global", "unknownField": 1"#, 40415),
        ] as [(String, Int32)])
    func refused(command: String, code: Int32) async throws {
        #expect(try await TestServer().failure("{\(command)}")?.code.number == code)
    }
}
