import BSON
import CommandModel
import Query
import Testing

@testable import Storage

extension DatabaseTests {
    /// `$merge` that finds documents by the fields of a unique secondary index.
    @Suite struct MergeFieldsTests {
        private let store: TestStore

        init() throws {
            store = try TestStore.make()
        }

        /// Each document with the update that it asks for, of the one with its `k`.
        private func items(_ documents: [String], _ update: String, upsert: Bool = true) throws -> [MergeItem] {
            try documents.map { text in
                let document = json(text)
                let filter = try document.withRaw { raw in
                    let key = raw["k"].map(Value.init(copying:)) ?? .null
                    return try Filter(compiling: Document { $0.append("k", key) })
                }
                let program = try json(#"{"u":\#(update)}"#).withRaw { raw in
                    try UpdateProgram(compiling: raw["u"].map(Value.init(copying:)) ?? .null)
                }
                var operation = DocumentOperation(
                    on: namespace(), filter: filter, action: .update(program),
                    upsertID: upsert ? ObjectID(high: 7, low: 9) : nil)
                operation.supplied = document
                return MergeItem(document, operation)
            }
        }

        @discardableResult
        private func merge(_ items: [MergeItem], on engine: StorageEngine? = nil) async throws -> [Int32] {
            try await store.merge(items, on: MergeFields(["k"], comparedBy: nil), by: engine)
        }

        private static let increment = #"[{"$set": {"n": {"$add": [{"$ifNull": ["$n", 0]}, 1]}}}]"#
        private static let index = #"{"key":{"k":1},"unique":true}"#

        @Test(
            "an index serves if it is unique in exactly these fields for all documents",
            arguments: [
                (#"{"key":{"a":1,"b":-1},"unique":true}"#, ["b", "a"], true),
                (#"{"key":{"a":1,"b":1},"unique":true,"sparse":true}"#, ["a", "b"], true),
                (#"{"key":{"a":1,"b":1},"unique":true,"hidden":true}"#, ["a", "b"], true),
                (#"{"key":{"a":1,"b":1}}"#, ["a", "b"], false),
                (#"{"key":{"a":1,"b":1},"unique":true}"#, ["a"], false),
                (#"{"key":{"a":1},"unique":true}"#, ["a", "b"], false),
                (#"{"key":{"a":1},"unique":true,"partialFilterExpression":{"a":{"$gt":0}}}"#, ["a"], false),
                (#"{"key":{"a":1},"unique":true,"collation":{"locale":"en"}}"#, ["a"], false),
            ])
        func fits(_ index: String, _ fields: [String], _ fits: Bool) async throws {
            try await store.index(index)
            let collection = try await store.collection()
            #expect((collection.uniqueIndex(on: fields, under: nil) != nil) == fits)
            #expect(collection.hasUniqueIndex(on: ["_id"], under: nil))
        }

        @Test("an index that holds all documents is preferred to a sparse one")
        func preferred() async throws {
            try await store.index(
                #"{"key":{"k":1,"j":1},"unique":true,"sparse":true}"#, #"{"key":{"j":1,"k":1},"unique":true}"#)
            let index = try await store.collection().uniqueIndex(on: ["k", "j"], under: nil)
            #expect(index?.definition.isSparse == false)
        }

        @Test("a document finds the one with its value, whatever the _id; the first of a batch makes it")
        func order() async throws {
            try await store.index(Self.index)
            try await store.engine.fill([json(#"{"_id":1,"k":"a"}"#)], into: try await store.collection())
            let documents = [
                #"{"_id":8,"k":"a"}"#, #"{"_id":2,"k":"b","n":5}"#, #"{"_id":9,"k":"b"}"#, #"{"_id":7,"k":"a"}"#,
                #"{"_id":3}"#, #"{"_id":4,"k":null}"#, #"{"_id":1,"k":"c"}"#,
            ]
            #expect(try await merge(items(documents, Self.increment)) == [1, 0, 1, 1, 0, 1, 11000])
            #expect(
                try await store.texts() == [
                    #"{"_id":1,"k":"a","n":2}"#, #"{"_id":2,"k":"b","n":6}"#, #"{"_id":3,"n":1}"#,
                ])
            try await store.checkKeys()
            let found = try items([#"{"_id":9,"k":"b"}"#, #"{"_id":9,"k":"z"}"#], Self.increment, upsert: false)
            #expect(try await merge(found) == [1, 0])
        }

        @Test("a document that gives its value away within a batch is not found by it any more")
        func moved() async throws {
            try await store.index(Self.index)
            try await store.engine.fill([json(#"{"_id":1,"k":1}"#)], into: try await store.collection())
            let next = #"[{"$set": {"k": {"$add": ["$k", 1]}}}]"#
            let documents = [#"{"_id":5,"k":1}"#, #"{"_id":6,"k":1}"#, #"{"_id":7,"k":2}"#]
            #expect(try await merge(items(documents, next)) == [1, 0, 1])
            #expect(try await store.texts() == [#"{"_id":1,"k":3}"#, #"{"_id":6,"k":1}"#])
            try await store.checkKeys()
        }

        @Test("a value that another unique index refuses is the error of its document alone")
        func otherIndex() async throws {
            try await store.index(Self.index, #"{"key":{"o":1},"unique":true}"#)
            let documents = (0..<4).map { "{\"_id\":\($0),\"k\":\($0),\"o\":\($0 == 2 ? 1 : $0)}" }
            #expect(try await merge(items(documents, Self.increment)) == [0, 0, 11000, 0])
            #expect(try await merge(items(documents, #"{"$max": {"o": 1}}"#)) == [11000, 1, 11000, 1])
            try await store.checkKeys()
        }

        @Test("without an index there is nothing to find them by")
        func missing() async throws {
            _ = try await store.collection()
            let items = try items([#"{"_id":1,"k":1}"#], Self.increment)
            #expect(await errorCode { try await merge(items) } == 51183)
        }

        @Test("nothing is lost when merges of two servers make and change the same documents under different _ids")
        func contended() async throws {
            try await store.index(Self.index)
            let other = try TestStore(store.database)
            let engines = [store.engine, other.engine]
            try await concurrently(4) { number in
                for round in 0..<5 {
                    let documents = (0..<30).map { key in
                        "{\"_id\":\((number * 5 + round) * 100 + key),\"k\":\((key * 7 + number) % 30),\"n\":1}"
                    }
                    let codes = try await merge(items(documents, Self.increment), on: engines[number % 2])
                    #expect(codes.allSatisfy { $0 < 2 })
                }
            }
            let documents = try await store.engine.documents(of: try await store.collection())
            #expect(documents.count == 30)
            #expect(documents.allSatisfy { $0.int("n") == 20 })
            try await store.checkKeys()
        }
    }
}
