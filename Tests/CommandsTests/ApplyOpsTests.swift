import Access
import BSON
import CommandModel
import Storage
import Testing

@testable import Commands

@Suite("Entries of an oplog")
struct ApplyOpsTests {
    @Test(
        "what cannot be is refused with MongoDB's codes",
        arguments: [
            (#"{"applyOps": [{"ns": "a.b", "o": {"_id": 1}}]}"#, 4),
            (#"{"applyOps": [{"op": "i", "o": {"_id": 1}}]}"#, 20),
            (#"{"applyOps": [{"op": "i", "ns": "a.b"}]}"#, 40_414),
            (#"{"applyOps": [{"op": "i", "ns": "a.b", "o": {}}]}"#, 4),
            (#"{"applyOps": [{"op": "x", "ns": "a.b", "o": {"_id": 1}}]}"#, 2),
            (#"{"applyOps": [{"op": "", "ns": "a.b", "o": {"_id": 1}}]}"#, 20),
            (#"{"applyOps": [{"op": 1, "ns": "a.b", "o": {"_id": 1}}]}"#, 14),
            (#"{"applyOps": [{"op": "i", "ns": "a.b", "o": {"_id": 1}, "q": 1}]}"#, 40_415),
            (#"{"applyOps": [{"op": "i", "ns": "ab", "o": {"_id": 1}}]}"#, 73),
            (#"{"applyOps": [{"op": "u", "ns": "a.b", "o": {"x": 1}, "o2": {}}]}"#, 4),
            (#"{"applyOps": [{"op": "u", "ns": "a.b", "o": {"$set": {"x": 1}}, "o2": {"_id": 1}}]}"#, 2),
            (#"{"applyOps": [{"op": "u", "ns": "a.b", "o": {"$v": 1, "diff": {}}, "o2": {"_id": 1}}]}"#, 2),
            (#"{"applyOps": [{"op": "d", "ns": "a.b", "o": {"_id": {"$gt": 0}}}]}"#, 52),
            (
                #"{"applyOps": [{"op": "d", "ns": "a.b", "o": {"_id": [1]}}]}"#,
                53
            ),
            (#"{"applyOps": [{"op": "c", "ns": "a.$cmd", "o": {"applyOps": []}}]}"#, 2),
            (#"{"applyOps": [{"op": "c", "ns": "admin.$cmd", "o": {"createUser": "eve"}}]}"#, 2),
            (#"{"applyOps": [{"op": "c", "ns": "a.$cmd", "o": {}}]}"#, 2),
            (#"{"applyOps": [{"op": "c", "ns": "a.$cmd", "o": {"create": "b"}, "ui": 1}]}"#, 115),
            (#"{"applyOps": [], "preCondition": []}"#, 6_711_600),
            (#"{"applyOps": [], "alwaysUpsert": true}"#, 6_711_601),
            (#"{"applyOps": [], "partialTxn": false}"#, 31_056), (#"{"applyOps": [], "prepare": false}"#, 2),
            (#"{"applyOps": [], "bypassDocumentValidation": true}"#, 115),
            (#"{"applyOps": [], "count": 1}"#, 14),
        ] as [(String, Int32)])
    func refusals(command: String, code: Int32) async throws {
        #expect(try await TestServer().failure(command)?.code.number == code, "\(command)")
    }

    @Test("nothing to apply is applied")
    func nothing() async throws {
        let reply = try await TestServer().run(
            #"{"applyOps": [{"op": "n", "ns": "", "o": {"msg": "x"}}], "allowAtomic": 5}"#)
        #expect(reply.extendedJSON(.relaxed) == #"{"applied":0,"results":[]}"#)
    }

    @Test(
        "only writes that belong together are one transaction",
        arguments: [
            (#"[{"op": "i", "ns": "a.b", "o": {"_id": 1}}, {"op": "d", "ns": "a.b", "o": {"_id": 1}}]"#, true),
            (#"[{"op": "i", "ns": "a.b", "o": {"_id": 1}}]"#, false),
            (#"[{"op": "i", "ns": "a.b", "o": {"_id": 1}}, {"op": "c", "ns": "a.$cmd", "o": {"drop": "b"}}]"#, false),
        ])
    func atomicity(entries: String, isAtomic: Bool) throws {
        #expect(try ApplyOpsArguments(TestServer.request(#"{"applyOps": \#(entries)}"#)).isAtomic == isAtomic)
        let request = try TestServer.request(#"{"applyOps": \#(entries), "allowAtomic": false}"#)
        #expect(try !ApplyOpsArguments(request).isAtomic)
    }

    @Test(
        "an entry needs the rights of what it writes, and the one to apply entries",
        arguments: [
            (#"{"op": "i", "ns": "app.b", "o": {"_id": 1}}"#, [.insert, .update]),
            (#"{"op": "u", "ns": "app.b", "o": {"x": 1}, "o2": {"_id": 1}}"#, [.update]),
            (#"{"op": "u", "ns": "app.b", "o": {"x": 1}, "o2": {"_id": 1}, "b": true}"#, [.update, .insert]),
            (#"{"op": "d", "ns": "app.b", "o": {"_id": 1}}"#, [.remove]),
            (#"{"op": "n", "ns": "app.b", "o": {}}"#, []),
            // The first of two counts, here and where it is applied.
            (#"{"op": "n", "op": "d", "ns": "app.b", "o": {"_id": 1}}"#, []),
        ] as [(String, [Action])])
    func rights(entry: String, actions: [Action]) throws {
        let needed = try ApplyOpsAccess.needed(TestServer.request(#"{"applyOps": [\#(entry)]}"#))
        let writes = actions.map { Requirement($0, Namespace(database: "app", collection: "b")) }
        #expect(needed == [Requirement(.applyOps, on: .cluster)] + writes)
    }

    @Test("the indexes of an oplog become those of a command")
    func indexes() throws {
        let text = #"{"createIndexes": "b", "v": 2, "key": {"x": 1}, "name": "x_1"}"#
        let entry = try Document(extendedJSON: #"{"op": "c", "ns": "a.$cmd", "o": \#(text)}"#).withRaw {
            try OplogEntry($0, at: 0)
        }
        guard case .command(let body, database: "a") = entry.action else { throw CommandError(.badValue, "no command") }
        #expect(
            body.extendedJSON(.relaxed)
                == #"{"createIndexes":"b","indexes":[{"v":2,"key":{"x":1},"name":"x_1"}]}"#)
    }
}
