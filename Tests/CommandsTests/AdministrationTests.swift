import BSON
import CommandModel
import NIOCore
import Storage
import Testing

@testable import Commands

@Suite("The commands of operators")
struct AdministrationTests {
    private let server: TestServer

    init() throws { server = try TestServer() }

    @Test(
        "arguments that cannot be are refused with MongoDB's codes",
        arguments: [
            (#"{"dropConnections": 1}"#, 40_414), (#"{"dropConnections": 1, "hostAndPort": "h:1"}"#, 14),
            (#"{"dropConnections": 1, "hostAndPort": [1]}"#, 14),
            (#"{"dropConnections": 1, "hostAndPort": [], "other": 1}"#, 40_415),
            (#"{"logRotate": "audit"}"#, 4), (#"{"logRotate": null}"#, 14), (#"{"logRotate": 1, "other": 1}"#, 40_415),
            (#"{"setFeatureCompatibilityVersion": null, "confirm": true}"#, 40_414),
            (#"{"setFeatureCompatibilityVersion": 8, "confirm": true}"#, 14),
            (#"{"setFeatureCompatibilityVersion": "8.0"}"#, 7_369_100),
            (#"{"setFeatureCompatibilityVersion": "7.0", "confirm": true}"#, 4_926_900),
            (#"{"setUserWriteBlockMode": 1}"#, 40_414), (#"{"setUserWriteBlockMode": 1, "global": 1}"#, 14),
            (#"{"setUserWriteBlockMode": 1, "global": true, "reason": "whim"}"#, 2),
            (#"{"fsync": 1, "lock": "yes"}"#, 14), (#"{"fsync": 1, "Lock": true}"#, 40_415),
            (#"{"fsync": 1, "fsyncLockAcquisitionTimeoutMillis": 1.5}"#, 14), (#"{"fsyncUnlock": 1}"#, 20),
            (#"{"setDefaultRWConcern": 1}"#, 2),
            (#"{"setDefaultRWConcern": 1, "defaultReadConcern": {"level": "snapshot"}}"#, 2),
            (#"{"setDefaultRWConcern": 1, "defaultWriteConcern": {"w": 0}}"#, 2),
            (#"{"setDefaultRWConcern": 1, "defaultWriteConcern": {"w": null}}"#, 79),
            (#"{"setDefaultRWConcern": 1, "defaultWriteConcern": {"w": 2}}"#, 100),
            (#"{"setDefaultRWConcern": 1, "defaultWriteConcern": {"wtimeout": 1}}"#, 2),
            (#"{"setClusterParameter": {}}"#, 4), (#"{"setClusterParameter": null}"#, 40_414),
            (#"{"setClusterParameter": {"logLevel": {}}}"#, 4),
            (#"{"setClusterParameter": {"changeStreams": {}, "defaultMaxTimeMS": {}}}"#, 72),
            (#"{"setClusterParameter": {"changeStreams": {"expireAfterSeconds": 0}}}"#, 2),
            (#"{"setClusterParameter": {"changeStreams": {"expireAfterSeconds": "1"}}}"#, 14),
            (#"{"setClusterParameter": {"changeStreamOptions": {"$bad": 1}}}"#, 52),
            (#"{"setClusterParameter": {"changeStreamOptions": {}}}"#, 2),
            (#"{"setClusterParameter": {"defaultMaxTimeMS": {"readOperations": -1}}}"#, 2),
            (#"{"getClusterParameter": []}"#, 2), (#"{"getClusterParameter": ["*"]}"#, 4),
            (#"{"getClusterParameter": 1}"#, 14), (#"{"profile": null}"#, 40_414), (#"{"profile": true}"#, 14),
            (#"{"profile": 0, "slowms": "1"}"#, 14), (#"{"profile": 0, "sampleRate": 1.1}"#, 2),
            (#"{"profile": 0, "filter": null}"#, 2), (#"{"profile": 0, "filter": "Unset"}"#, 2),
            (#"{"profile": 0, "other": 1}"#, 40_415), (#"{"autoCompact": 1}"#, 14),
            (#"{"autoCompact": true, "freeSpaceTargetMB": 0}"#, 2), (#"{"autoCompact": true, "runOnce": 1}"#, 14),
            (#"{"applyOps": 1}"#, 14), (#"{"applyOps": [1]}"#, 14), (#"{"applyOps": [{}]}"#, 4),
            (#"{"lockInfo": 1, "other": 1}"#, 40_415),
            (#"{"shutdown": 1, "force": true}"#, 13), (#"{"validate": "c", "metadata": true, "full": 1}"#, 72),
            (#"{"dataSize": null}"#, 40_414), (#"{"dataSize": "c"}"#, 73),
            (#"{"dataSize": "a.c", "keyPattern": {"x": 1}, "min": {"x": 1}}"#, 2),
            (#"{"dataSize": "a.c", "min": {"x": 1}, "max": {"x": 2}}"#, 96),
        ] as [(String, Int32)])
    func refusals(command: String, code: Int32) async throws {
        #expect(try await server.failure(command)?.code.number == code)
    }

    @Test(
        "host and port are read as MongoDB reads them",
        arguments: [
            ("h:27017", true), ("h", true), ("[::1]:1", true), ("[::1]", true), ("", false), (":1", false),
            ("h:", false),
            ("h:0", false), ("h:99999", false), ("h:+1", false), ("h:-1", false), ("h:1:2", false), ("[::1", false),
            ("[::1]x", false),
        ])
    func hosts(text: String, isValid: Bool) {
        var found = true
        do throws(CommandError) { try CommandTable.checkHostAndPort(text) } catch {
            #expect(error.code == .failedToParse)
            found = false
        }
        #expect(found == isValid)
    }

    @Test("whoever blocks writes for one reason is not overruled for another one")
    func writeBlock() throws {
        let none = WriteBlock(isActive: false, reason: "Unspecified")
        let full = WriteBlock(isActive: true, reason: "DiskUseThresholdExceeded")
        #expect(try none.replaced(by: full).isActive)
        #expect(throws: CommandError.self) { try full.replaced(by: none) }
        #expect(throws: CommandError.self) { try full.replaced(by: WriteBlock(isActive: true, reason: "Unspecified")) }
        let end = WriteBlock(isActive: false, reason: "DiskUseThresholdExceeded")
        #expect(try !WriteBlock(full.replaced(by: end).setting).isActive)
    }

    @Test(
        "a block stops what writes, and nothing else",
        arguments: [
            (#"{"insert": "c"}"#, true), (#"{"drop": "c"}"#, true), (#"{"find": "c"}"#, false),
            (#"{"ping": 1}"#, false),
            (#"{"aggregate": "c", "pipeline": [{"$match": {}}]}"#, false),
            (#"{"aggregate": "c", "pipeline": [{"$match": {}}, {"$out": "d"}]}"#, true),
            (#"{"aggregate": "c", "pipeline": [{"$merge": {"into": "d"}}]}"#, true),
            (#"{"setUserWriteBlockMode": 1, "global": false}"#, false),
        ])
    func blocked(command: String, isBlocked: Bool) throws {
        let settings = server.state.settings
        settings.take(WriteBlock(isActive: true, reason: "Unspecified").setting, as: .writeBlock)
        let request = try TestServer.request(command)
        var code: Int32?
        do throws(CommandError) { try settings.checkWrite(request) } catch { code = error.code.number }
        #expect(code == (isBlocked ? 371 : nil))
        settings.take(WriteBlock(isActive: false, reason: "Unspecified").setting, as: .writeBlock)
        try settings.checkWrite(request)
    }

    @Test("compaction by itself runs at once and then now and then, until it is turned off")
    func autoCompaction() throws {
        let (compaction, start) = (AutoCompaction(), NIODeadline.now())
        #expect(compaction.takeDue(now: start) == nil)
        let settings = AutoCompaction.Settings(targetBytes: 5)
        try compaction.turnOn(settings, now: start)
        #expect(compaction.takeDue(now: start) == settings)
        compaction.ended(settings)
        #expect(compaction.takeDue(now: start) == nil)
        #expect(compaction.takeDue(now: start + AutoCompaction.period) == settings)
        try compaction.turnOn(settings, now: start)
        let other = AutoCompaction.Settings(targetBytes: 6, runsOnce: true)
        let error = #expect(throws: CommandError.self) { try compaction.turnOn(other, now: start) }
        #expect(error?.code.number == 23)
        compaction.turnOff()
        #expect(compaction.settings == nil)
        try compaction.turnOn(other, now: start)
        // The round that was under way had other settings.
        compaction.ended(settings)
        #expect(compaction.takeDue(now: start) == other)
        compaction.ended(other)
        #expect(compaction.settings == nil)
    }

    @Test("a default write concern stays once it is set, a read concern may go")
    func defaultConcerns() throws {
        let read = try DefaultConcerns.Change(
            TestServer.request(#"{"setDefaultRWConcern": 1, "defaultReadConcern": {"level": "majority"}}"#))
        let write = try DefaultConcerns.Change(
            TestServer.request(#"{"setDefaultRWConcern": 1, "defaultWriteConcern": {"w": 1, "wtimeout": 5}}"#))
        let unset = try DefaultConcerns.Change(
            TestServer.request(#"{"setDefaultRWConcern": 1, "defaultReadConcern": {}}"#))
        let unsetWrite = try DefaultConcerns.Change(
            TestServer.request(#"{"setDefaultRWConcern": 1, "defaultWriteConcern": {}}"#))
        var concerns = try DefaultConcerns(nil).changed(read, time: 1, milliseconds: 2)
        concerns = try DefaultConcerns(concerns.setting).changed(write, time: 3, milliseconds: 4)
        let text = concerns.setting.extendedJSON(.relaxed)
        #expect(text.contains(#""read":{"level":"majority"}"#))
        #expect(text.contains(#""write":{"w":1,"wtimeout":5}"#))
        concerns = try concerns.changed(unset, time: 5, milliseconds: 6)
        #expect(concerns.read == nil)
        #expect(throws: CommandError.self) { try concerns.changed(unsetWrite, time: 7, milliseconds: 8) }
    }

    @Test("reads without a time limit get the default one, others keep theirs")
    func defaultTimeLimit() throws {
        let setting = Document { builder in
            builder.beginDocument("defaultMaxTimeMS")
            builder.append("readOperations", int64: 1)
            builder.end()
        }
        server.state.settings.take(setting, as: .clusterParameters)
        #expect(server.state.settings.defaultReadMilliseconds == 1)
        let limited = [#"{"find": "c"}"#, #"{"count": "c"}"#, #"{"find": "c", "maxTimeMS": 1}"#]
        let unlimited = [
            #"{"find": "c", "maxTimeMS": 0}"#, #"{"insert": "c"}"#, #"{"aggregate": "c", "pipeline": [{"$out": "d"}]}"#,
        ]
        for command in limited {
            #expect(try !server.context.deadline(of: TestServer.request(command)).isNever, "\(command)")
        }
        for command in unlimited {
            #expect(try server.context.deadline(of: TestServer.request(command)).isNever, "\(command)")
        }
    }
}
