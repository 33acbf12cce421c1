import BSON
import CommandModel
import Testing

@testable import Commands

// PostgreSQL is not there: a command that gets past its arguments fails with HostUnreachable.
@Suite("the arguments of commands on collections")
struct CollectionArgumentTests {
    private let server: TestServer

    init() throws { server = try TestServer() }

    @Test(
        "create refuses options that are malformed or exclude each other",
        arguments: [
            (#""capped": true"#, 72), (#""size": 4096"#, 72), (#""capped": null, "size": 1"#, 72),
            (#""capped": "yes", "size": 1"#, 14), (#""capped": true, "size": 0.9"#, 2),
            (#""capped": true, "size": {"$numberDecimal": "0.5"}"#, 2), (#""capped": true, "size": true"#, 14),
            (#""capped": true, "size": 1, "max": 2147483648"#, 2),
            (#""timeseries": {}"#, 40_414), (#""timeseries": {"timeField": "a.b"}"#, 72),
            (#""timeseries": {"timeField": "t", "metaField": "t"}"#, 72),
            (#""timeseries": {"timeField": "t", "granularity": "days"}"#, 2),
            (#""timeseries": {"timeField": "t", "bucketMaxSpanSeconds": 3}"#, 72),
            (#""timeseries": {"timeField": "t"}, "validationLevel": "off""#, 72),
            (#""clusteredIndex": true"#, 5_979_703), (#""clusteredIndex": null"#, 14),
            (#""clusteredIndex": {"key": {"_id": 1}, "unique": false}"#, 5_979_700),
            (#""clusteredIndex": {"key": {"a": 1}, "unique": true}"#, 197),
            (#""clusteredIndex": {"key": {"_id": 1}, "unique": true, "v": 1}"#, 5_979_704),
            (#""clusteredIndex": {"key": {"_id": 1}, "unique": true}, "capped": true, "size": 1"#, 6_049_200),
            (#""idIndex": {"key": {"_id": 1}}"#, 9), (#""idIndex": {"key": {"a": 1}, "name": "x"}"#, 2),
            (#""idIndex": {"key": {"_id": 1}, "name": "x", "v": 3}"#, 67),
            (#""idIndex": {"key": {"_id": 1}, "name": "x", "sparse": true}"#, 197),
            (#""viewOn": "", "pipeline": []"#, 2), (#""pipeline": []"#, 72), (#""viewOn": "b", "pipeline": [1]"#, 14),
            (#""viewOn": "b", "pipeline": [{"$out": "d"}]"#, 167), (#""viewOn": "b", "pipeline": [{}]"#, 40_323),
            (#""viewOn": "c""#, 5), (#""validator": 1"#, 14), (#""validator": {"$where": "1"}"#, 2),
            (#""validator": {"a": {"$near": [0, 0]}}"#, 5_626_500), (#""validationLevel": "Off""#, 2),
            (#""validationAction": 1"#, 14), (#""changeStreamPreAndPostImages": {}"#, 40_414),
            (#""expireAfterSeconds": 1"#, 72), (#""timeseries": {"timeField": "t"}, "expireAfterSeconds": -1"#, 72),
            (#""storageEngine": {"other": {}}"#, 72), (#""storageEngine": {"wiredTiger": 1}"#, 2),
            (#""storageEngine": {"wiredTiger": {"configString": "bad=1"}}"#, 2),
            (#""indexOptionDefaults": {"x": 1}"#, 40_415), (#""collation": {}"#, 40_414),
            (#""collation": {"locale": "nowhere_xyz"}"#, 2), (#""collation": {"locale": "en", "strength": 6}"#, 2),
            (#""collation": {"locale": "en", "backwards": null}"#, 14),
            (#""collation": {"locale": "en", "strength": 2, "caseFirst": "upper"}"#, 2),
            (#""idIndex": {"key": {"_id": 1}, "name": "x", "collation": {"locale": "en"}}"#, 2),
            (
                #""collation": {"locale": "en"}, "idIndex": {"key": {"_id": 1}, "name": "x", "collation": "#
                    + #"{"locale": "simple"}}"#, 2
            ),
            (#""encryptedFields": {}"#, 40_414), (#""newOption": 1"#, 40_415),
        ])
    func create(_ options: String, code: Int32) async throws {
        // Not in `admin`, where some options are refused for that alone.
        let error = await #expect(throws: CommandError.self) {
            try await server.run(#"{"create": "c", \#(options)}"#, database: "test")
        }
        #expect(error?.code.number == code)
    }

    @Test(
        "create gets past options that are valid, or null",
        arguments: [
            #""capped": false"#, #""validator": null, "viewOn": null, "timeseries": null"#,
            #""idIndex": {"key": {"_id": 1}, "name": "any", "v": 2}"#, #""collation": {"locale": "simple"}"#,
            #""idIndex": {"collation": {"locale": "simple"}, "key": {"_id": 1}, "name": "any"}"#,
            #""idIndex": {"collation": {"locale": "de", "strength": 3}, "key": {"_id": 1}, "name": "any"}, "#
                + #""collation": {"locale": "de"}"#,
            #""validationLevel": "moderate", "validationAction": "warn""#,
            #""storageEngine": {"wiredTiger": {"configString": "block_compressor=zlib,prefix_compression=true"}}"#,
            #""clusteredIndex": false"#, #""capped": true, "size": {"$numberDecimal": "1.5"}"#,
        ])
    func createAccepts(_ options: String) async throws {
        #expect(try await server.failure(#"{"create": "c", \#(options)}"#)?.code == .notWritablePrimary)
    }

    @Test("what create keeps has the same bytes whatever the order of the arguments")
    func keptOptions() throws {
        let one = try CreateArguments(
            TestServer.request(#"{"create": "c", "validationAction": "warn", "storageEngine": {"wiredTiger": {}}}"#))
        let other = try CreateArguments(
            TestServer.request(
                #"{"create": "c", "storageEngine": {"wiredTiger": {}}, "validator": {}, "validationAction": "warn"}"#))
        #expect(one.options == other.options)
        #expect(one.options.keys == ["storageEngine", "validationAction"])
        let collated = try CreateArguments(
            TestServer.request(#"{"create": "c", "collation": {"locale": "de"}, "storageEngine": {"wiredTiger": {}}}"#))
        let completed = try CreateArguments(
            TestServer.request(
                #"{"create": "c", "storageEngine": {"wiredTiger": {}}, "collation": {"strength": 3, "locale": "de"}}"#))
        #expect(collated.options == completed.options && collated.options.keys == ["storageEngine", "collation"])
    }

    @Test(
        "system collections",
        arguments: [
            ("system.views", 10107), ("system.js", 10107), ("system.other", 73), ("system.buckets.x", 20), ("a$b", 73),
        ])
    func systemNames(_ name: String, code: Int32) async throws {
        #expect(try await server.failure(#"{"create": "\#(name)"}"#)?.code.number == code)
    }

    @Test(
        "arguments of the other commands",
        arguments: [
            (#"{"listCollections": 1, "cursor": {"batchSize": -1}}"#, 2),
            (#"{"listCollections": 1, "cursor": {"batchSize": {"$numberDecimal": "-0.5"}}}"#, 10107),
            (#"{"listCollections": 1, "cursor": {"size": 1}}"#, 40_415),
            (#"{"listCollections": 1, "cursor": 1}"#, 14), (#"{"listCollections": 1, "nameOnly": 1}"#, 14),
            (#"{"listCollections": 1, "nameOnly": null, "filter": null, "cursor": null}"#, 10107),
            (#"{"listDatabases": 1, "filter": {"$or": [{"name": {"$near": [0, 0]}}]}}"#, 5_626_500),
            (#"{"renameCollection": "a.b", "to": "a.b"}"#, 20), (#"{"renameCollection": "a.b"}"#, 40_414),
            (#"{"renameCollection": "a.system.js", "to": "a.c"}"#, 20),
            (#"{"renameCollection": "a.b", "to": "a.$c"}"#, 20),
            (#"{"renameCollection": "a.b", "to": "a.c", "dropTarget": 1}"#, 14),
            (#"{"renameCollection": "a.b", "to":"a.c", "dropTarget": {"$binary": {"base64":"","subType":"04"}}}"#, 207),
            (#"{"collMod": "c", "index": {"hidden": true}}"#, 72),
            (#"{"collMod": "c", "index": {"name": "x", "keyPattern": {"a": 1}, "hidden": true}}"#, 72),
            (#"{"collMod": "c", "index": {"name": "x", "unique": false}}"#, 2),
            (#"{"collMod": "c", "expireAfterSeconds": null}"#, 14),
            (#"{"collMod": "c", "expireAfterSeconds": "on"}"#, 72),
            (#"{"collMod": "c", "timeseries": {"timeField": "t"}}"#, 40_415),
            (#"{"collMod": "c", "none": null}"#, 40_415),
            (#"{"convertToCapped": "c"}"#, 72), (#"{"convertToCapped": "c", "size": 1e300}"#, 2),
            (#"{"cloneCollectionAsCapped": "c", "size": 1}"#, 14),
            (#"{"cloneCollectionAsCapped": "c", "toCollection": "system.x", "size": 1}"#, 73),
            (#"{"compact": "c"}"#, 20), (#"{"compact": "c", "dryRun": true}"#, 10107),
            (#"{"compact": "c", "force": 1, "freeSpaceTargetMB": 1e300}"#, 10107),
            (#"{"compact": "c", "force": true, "freeSpaceTargetMB": 0}"#, 2), (#"{"compact": "c", "x": 1}"#, 40_415),
            (#"{"validateDBMetadata": 1}"#, 40_414),
            (#"{"validateDBMetadata": 1, "apiParameters": {"version": "2"}}"#, 322),
            (#"{"validateDBMetadata": 1, "apiParameters": {"version": "1"}, "db": "a b"}"#, 13_280),
        ])
    func others(_ command: String, code: Int32) async throws {
        #expect(try await server.failure(command)?.code.number == code)
    }
}
