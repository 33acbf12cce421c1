import BSON
import CommandModel
import Storage
import Testing

@testable import Commands

// PostgreSQL is not there in these tests: what they run fails before it is asked, or not at all.
@Suite("bulkWrite")
struct BulkWriteTests {
    private let server: TestServer

    init() throws { server = try TestServer() }

    @Test(
        "a malformed command fails as a whole",
        arguments: [
            (#"{"bulkWrite": 1, "nsInfo": [{"ns": "a.b"}]}"#, 40_414),
            (#"{"bulkWrite": 1, "ops": [{"insert": 0, "document": {}}]}"#, 40_414),
            (#"{"bulkWrite": 1, "ops": [], "nsInfo": [{"ns": "a.b"}]}"#, 16),
            (#"{"bulkWrite": 1, "ops": [{"insert": 0, "document": {}}], "nsInfo": []}"#, 2),
            (#"{"bulkWrite": 1, "ops": [{"insert": 1, "document": {}}], "nsInfo": [{"ns": "a.b"}]}"#, 2),
            (#"{"bulkWrite": 1, "ops": [{"insert": -1, "document": {}}], "nsInfo": [{"ns": "a.b"}]}"#, 2),
            (#"{"bulkWrite": 1, "ops": [{"insert": null, "document": {}}], "nsInfo": [{"ns": "a.b"}]}"#, 40_414),
            (#"{"bulkWrite": 1, "ops": [{"insert": 0, "document": {}}], "nsInfo": [{"ns": "nodot"}]}"#, 73),
            (#"{"bulkWrite": 1, "ops": [{"insert": 0, "document": {}}], "nsInfo": [{"ns": 1}]}"#, 14),
            (#"{"bulkWrite": 1, "ops": [{"insert": 0, "document": {}}], "nsInfo": [{}]}"#, 40_414),
            (#"{"bulkWrite": 1, "ops": [{}], "nsInfo": [{"ns": "a.b"}]}"#, 9),
            (#"{"bulkWrite": 1, "ops": [{"replace": 0}], "nsInfo": [{"ns": "a.b"}]}"#, 40_415),
            (#"{"bulkWrite": 1, "ops": [{"insert": 0}], "nsInfo": [{"ns": "a.b"}]}"#, 40_414),
            (#"{"bulkWrite": 1, "ops": [{"delete": 0}], "nsInfo": [{"ns": "a.b"}]}"#, 40_414),
            (#"{"bulkWrite": 1, "ops": [{"update": 0, "filter": {}}], "nsInfo": [{"ns": "a.b"}]}"#, 40_414),
            (#"{"bulkWrite": 1, "ops": [{"update": 0, "filter": {}, "updateMods": 1}], "nsInfo": [{"ns": "a.b"}]}"#, 9),
            (#"{"bulkWrite": 1, "ops": [{"delete": 0, "filter": {}, "hint": 1}], "nsInfo": [{"ns": "a.b"}]}"#, 9),
            (#"{"bulkWrite": 1, "ops": [{"delete": 0, "filter": {}, "multi": 1}], "nsInfo": [{"ns": "a.b"}]}"#, 14),
            (#"{"bulkWrite": 1, "ops": [{"delete": 0, "filter": {}}], "nsInfo": [{"ns": "a.b"}], "ordered": 1}"#, 14),
            (#"{"bulkWrite": 1, "ops": [{"delete": 0, "filter": {}}], "nsInfo": [{"ns": "a.b"}], "new": 1}"#, 40_415),
        ])
    func malformed(_ command: String, code: Int32) async throws {
        #expect(try await server.failure(command)?.code.number == code)
    }

    private static let impossible = """
        {"delete": 0, "filter": {"$badOp": 1}},
        {"update": 0, "filter": {}, "updateMods": {"$set": {"a": 1}}, "constants": {"c": 1}},
        {"insert": 0, "document": {"_id": [1]}}
        """

    private func run(_ arguments: String) async throws -> Document {
        try await server.run(
            #"{"bulkWrite": 1, "ops": [\#(Self.impossible)], "nsInfo": [{"ns": "a.b"}], \#(arguments)}"#)
    }

    @Test("operations that cannot run fail one by one when the order does not matter")
    func unordered() async throws {
        let reply = try await run(#""ordered": false"#)
        #expect(reply["nErrors"] == "3" && reply["nInserted"] == "0" && reply["nDeleted"] == "0")
        #expect(reply["cursor.ns"] == #""admin.$cmd.bulkWrite""# && reply["cursor.id"] == "0")
        let results = (0..<3).map { "\(reply["cursor.firstBatch.\($0).idx"] ?? "")" }
        #expect(results == ["0", "1", "2"])
        let codes = (0..<3).map { reply["cursor.firstBatch.\($0).code"] }
        #expect(codes == ["2", "51198", "53"])
        #expect(reply["cursor.firstBatch.1.nModified"] == "0" && reply["cursor.firstBatch.0.nModified"] == nil)
    }

    @Test("the first error ends an ordered command")
    func ordered() async throws {
        let reply = try await run(#""ordered": true"#)
        #expect(reply["nErrors"] == "1")
        #expect(reply["cursor.firstBatch.0.code"] == "2" && reply["cursor.firstBatch.1"] == nil)
    }

    @Test("results beyond the first batch are read with getMore")
    func cursor() async throws {
        let reply = try await run(#""ordered": false, "cursor": {"batchSize": 1}"#)
        #expect(reply["cursor.firstBatch.0.idx"] == "0" && reply["cursor.firstBatch.1"] == nil)
        let id = try #require(reply.withRaw { $0["cursor"]?.document?["id"]?.int64 })
        let more = try await server.run(
            #"{"getMore": {"$numberLong": "\#(id)"}, "collection": "$cmd.bulkWrite"}"#)
        #expect(more["cursor.nextBatch.0.idx"] == "1" && more["cursor.nextBatch.1.idx"] == "2")
        #expect(more["cursor.id"] == "0")
    }

    @Test("totals count what was done, and only errors stand in the list when only errors are wanted")
    func totals() throws {
        for errorsOnly in [false, true] {
            var results = BulkWriteResults(isOrdered: false, errorsOnly: errorsOnly)
            var tally = WriteTally()
            (tally.matched, tally.modified) = (3, 2)
            results.addUpdate(tally, at: 4)
            tally = WriteTally()
            tally.upsertedID = .int32(7)
            results.addUpdate(tally, at: 3)
            results.addDelete(5, at: 2)
            results.addInsert(at: 1)
            try results.addError(CommandError(.badValue, "no"), at: 0)
            let totals = Document { results.writeTotals(into: &$0) }
            #expect(
                totals.extendedJSON(.relaxed)
                    == #"{"nErrors":1,"nInserted":1,"nMatched":3,"nModified":2,"nUpserted":1,"nDeleted":5}"#)
            let sorted = results.sorted()
            #expect(sorted.list.map(\.index) == (errorsOnly ? [0] : [0, 1, 2, 3, 4]))
            guard !errorsOnly else { continue }
            #expect(sorted.document(at: 3)["n"] == "1")
            #expect(sorted.document(at: 3)["upserted._id"] == "7")
            #expect(sorted.document(at: 4)["n"] == "3")
        }
    }
}
