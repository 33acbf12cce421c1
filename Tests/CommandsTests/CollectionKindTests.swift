import BSON
import CommandModel
import Query
import Storage
import Testing

@testable import Commands

@Suite("what commands say about collections of other kinds")
struct CollectionKindTests {
    private func collection(_ options: String) throws -> Storage.Collection {
        Collection(namespace: TestEngine.namespace, number: 1, uuid: [], options: try Document(extendedJSON: options))
    }

    private func code(_ body: () throws -> Void) -> Int32? {
        do { try body() } catch { return (error as? CommandError)?.code.number ?? -1 }
        return nil
    }

    @Test(
        "create keeps what listCollections shows",
        arguments: [
            (#""capped": 1, "max": 0, "size": 5000"#, #"{"capped":true,"size":5000}"#),
            (#""max": 7, "size": 1e10, "capped": true"#, #"{"capped":true,"size":10000000000,"max":7}"#),
            (#""viewOn": "b""#, #"{"viewOn":"b","pipeline":[]}"#),
            (
                #""viewOn": "b", "pipeline": [null, {"$limit": 1}], "validationLevel": "off""#,
                #"{"viewOn":"b","pipeline":[{"$limit":1}]}"#
            ),
            (
                #""timeseries": {"timeField": "t", "metaField": "m"}, "expireAfterSeconds": 9"#,
                #"{"timeseries":{"timeField":"t","metaField":"m","granularity":"seconds","bucketMaxSpanSeconds":3600},"#
                    + #""expireAfterSeconds":9}"#
            ),
            (
                #""timeseries": {"timeField": "t", "bucketMaxSpanSeconds": 5.5, "bucketRoundingSeconds": 5}"#,
                #"{"timeseries":{"timeField":"t","bucketRoundingSeconds":5,"bucketMaxSpanSeconds":5}}"#
            ),
            (
                #""clusteredIndex": {"key": {"_id": 1}, "unique": true}"#,
                #"{"clusteredIndex":{"v":2,"key":{"_id":1},"name":"_id_","unique":true}}"#
            ),
            (
                #""changeStreamPreAndPostImages": {"enabled": true}"#,
                #"{"changeStreamPreAndPostImages":{"enabled":true}}"#
            ),
            (#""changeStreamPreAndPostImages": {"enabled": false}"#, "{}"),
            (
                #""encryptedFields": {"fields": [null]}, "collation": {"locale": "simple"}"#,
                #"{"encryptedFields":{"fields":[null]}}"#
            ),
        ])
    func options(_ arguments: String, kept: String) throws {
        let create = try CreateArguments(TestServer.request(#"{"create": "c", \#(arguments)}"#))
        #expect(create.options.extendedJSON(.relaxed) == kept)
    }

    @Test(
        "buckets may grow, not shrink",
        arguments: [
            (#""granularity":"seconds""#, #"{"granularity": "minutes"}"#, Int32?.none),
            (#""granularity":"minutes""#, #"{"granularity": "seconds"}"#, 72),
            (#""granularity":"seconds""#, #"{"bucketMaxSpanSeconds": 3599, "bucketRoundingSeconds": 3599}"#, 72),
            (#""granularity":"seconds""#, #"{"bucketMaxSpanSeconds": 3600, "bucketRoundingSeconds": 3600}"#, nil),
            (#""granularity":"seconds""#, #"{"bucketMaxSpanSeconds": 3600}"#, 72),
            (#""bucketMaxSpanSeconds":100,"bucketRoundingSeconds":100"#, #"{"granularity": "seconds"}"#, nil),
            (#""bucketMaxSpanSeconds":9000,"bucketRoundingSeconds":9000"#, #"{"granularity": "seconds"}"#, 72),
            (#""granularity":"hours""#, "{}", nil),
        ])
    func buckets(_ old: String, _ new: String, expected: Int32?) throws {
        let options = try Document(extendedJSON: #"{"timeseries": {"timeField": "t", \#(old)}}"#)
        let change = try Document(extendedJSON: #"{"timeseries": \#(new)}"#)
        let found = code {
            let buckets = try change.withRaw { raw in
                try TimeseriesArgument.modification(
                    Argument(command: "collMod", key: RawKey("timeseries"), value: raw["timeseries"] ?? RawValue.none))
            }
            let changed = try buckets.replacing(in: options)
            #expect(changed["timeseries.timeField"] == #""t""#)
        }
        #expect(found == expected)
    }

    @Test(
        "a time series is updated in its metadata only",
        arguments: [
            (#"{"q": {"m": 1}, "u": {"$set": {"m": 2}}, "multi": true}"#, Int32?.none),
            (#"{"q": {}, "u": {"$inc": {"m.a": 2}, "$unset": {"m.b": 1}}, "multi": true}"#, nil),
            (#"{"q": {"$or": [{"m.a": 1}, {"m": 2}]}, "u": {"$set": {"m": 2}}, "multi": true}"#, nil),
            (#"{"q": {"$or": [{"m.a": 1}, {"v": 2}]}, "u": {"$set": {"m": 2}}, "multi": true}"#, 72),
            (#"{"q": {"t": 1}, "u": {"$set": {"m": 2}}, "multi": true}"#, 72),
            (#"{"q": {}, "u": {"$set": {"m": 2}}}"#, 72),
            (#"{"q": {}, "u": {"$set": {"m": 2}}, "multi": true, "upsert": true}"#, 72),
            (#"{"q": {}, "u": {"$set": {"m": 2, "v": 1}}, "multi": true}"#, 72),
            (#"{"q": {}, "u": {"$set": {"mm": 2}}, "multi": true}"#, 72),
            (#"{"q": {}, "u": {"$rename": {"m": "n"}}, "multi": true}"#, 72),
            (#"{"q": {}, "u": [{"$set": {"m": 2}}], "multi": true}"#, 72),
        ])
    func updates(_ statement: String, expected: Int32?) throws {
        let update = try UpdateStatement(Document(extendedJSON: statement))
        let series = try collection(#"{"timeseries": {"timeField": "t", "metaField": "m"}}"#)
        #expect(code { try update.check(against: series) } == expected)
        #expect(code { try update.check(against: try collection("{}")) } == nil)
        let bare = try collection(#"{"timeseries": {"timeField": "t"}}"#)
        #expect(code { try update.check(against: bare) } == 72)
    }

    @Test(
        "findAndModify takes measurements out of a time series, unsorted",
        arguments: [
            (#""remove": true"#, Int32?.none), (#""remove": true, "sort": {"t": 1}"#, 72),
            (#""update": {"$set": {"m": 1}}"#, 72),
        ])
    func findAndModify(_ arguments: String, expected: Int32?) throws {
        let request = try TestServer.request(#"{"findAndModify": "c", "query": {}, \#(arguments)}"#)
        let parsed = try FindAndModifyArguments(request)
        let series = try collection(#"{"timeseries": {"timeField": "t", "metaField": "m"}}"#)
        #expect(code { try parsed.check(against: series) } == expected)
    }

    @Test("findAndModify of one _id does not look at the sort")
    func uselessSort() throws {
        func code(_ query: String) throws -> Int32? {
            let request = try TestServer.request(
                #"{"findAndModify": "c", "query": \#(query), "remove": true, "sort": {"a": "wrong"}}"#)
            let server = try TestServer().state
            let compiled = try FindAndModifyArguments(request).compiled(on: TestEngine.namespace, server, .anyTime)
            let plain = try collection("{}")
            return self.code {
                do throws(StorageError) { _ = try compiled.order(in: plain) } catch { throw CommandError(error) }
            }
        }
        #expect(try code(#"{"_id": 1}"#) == nil)
        #expect(try code(#"{"_id": 1, "b": 1}"#) == 15_974)
    }

    @Test(
        "which cursors may be tailable",
        arguments: [
            (#"{"capped": true, "size": 9}"#, "", Int32?.none), ("{}", "", 2), (#"{"viewOn": "b"}"#, "", 168),
            (#"{"timeseries": {"timeField": "t"}}"#, "", 168),
            (#"{"capped": true, "size": 9}"#, #", "sort": {"$natural": 1}"#, nil),
            (#"{"capped": true, "size": 9}"#, #", "sort": {"$natural": -1}"#, 2),
            (#"{"capped": true, "size": 9}"#, #", "sort": {"a": 1}"#, 2),
            (#"{"capped": true, "size": 9}"#, #", "singleBatch": true"#, 2),
            (#"{"capped": true, "size": 9}"#, #", "awaitData": true"#, nil),
        ])
    func tailable(_ options: String, _ arguments: String, expected: Int32?) throws {
        let target = try collection(options)
        let found = code {
            let find = try FindArguments(TestServer.request(#"{"find": "c", "tailable": true\#(arguments)}"#))
            do throws(StorageError) { try find.checkTailable(target) } catch { throw CommandError(error) }
        }
        #expect(found == expected)
    }
}

extension RawValue {
    fileprivate static var none: RawValue {
        RawValue(type: .null, bytes: UnsafeRawBufferPointer(start: nil, count: 0))
    }
}
