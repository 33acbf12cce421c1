import BSON
import CommandModel
import Postgres
import Query
import Testing

@testable import Storage

extension DatabaseTests {
    @Suite struct ModifyTests {
        private let store: TestStore
        private let collection: Storage.Collection
        private var engine: StorageEngine { store.engine }

        init() async throws {
            store = try TestStore(TestServer.database().setting("deadlock_timeout", "20ms"), .init(general: 4))
            collection = try await store.collection()
        }

        private func fill(_ ids: Range<Int>, _ fields: String = #""n": 0"#) async throws {
            try await engine.fill(ids.map { json("{\"_id\": \($0), \(fields)}") }, into: collection)
        }

        @Test("by _id: update, no match, no change, removal")
        func byID() async throws {
            try await fill(0..<3)
            let updated = try await engine.modify(
                .update(#"{"_id": 1}"#, #"{"$inc": {"n": 5}}"#, images: true), in: collection)
            #expect(updated.matched && updated.modified)
            #expect(updated.image?.text == #"{"_id":1,"n":0}"#)
            let unmatched = try await engine.modify(
                .update(#"{"_id": 1, "n": 0}"#, #"{"$inc": {"n": 5}}"#), in: collection)
            #expect(!unmatched.matched && !unmatched.modified)
            let unchanged = try await engine.modify(.update(#"{"_id": 1}"#, #"{"$set": {"n": 5}}"#), in: collection)
            #expect(unchanged.matched && !unchanged.modified)
            let removed = try await engine.modify(.delete(#"{"_id": 2}"#, images: true), in: collection)
            #expect(removed.matched && removed.image?.text == #"{"_id":2,"n":0}"#)
            #expect(try await engine.texts(of: collection) == [#"{"_id":0,"n":0}"#, #"{"_id":1,"n":5}"#])
        }

        @Test("by filter: the first in the order asked for")
        func byFilter() async throws {
            try await engine.fill([3, 1, 2].map { json("{\"_id\": \($0), \"s\": 1}") }, into: collection)
            _ = try await engine.modify(.update(#"{"s": 1}"#, #"{"$set": {"s": 2}}"#), in: collection)
            _ = try await engine.modifyOne(
                .update(#"{"s": 1}"#, #"{"$set": {"s": 3}}"#), in: collection,
                sort: SortPattern(compiling: json(#"{"_id": 1}"#)), deadline: .never)
            #expect(
                try await engine.texts(of: collection) == [
                    #"{"_id":3,"s":2}"#, #"{"_id":1,"s":3}"#, #"{"_id":2,"s":1}"#,
                ])
        }

        @Test("an upsert by filter inserts what the filter and the update say")
        func upsertByFilter() async throws {
            let upsert = try DocumentOperation.update(#"{"k": 1}"#, #"{"$inc": {"n": 1}}"#, upsert: true)
            #expect(try await engine.modify(upsert, in: collection).upsertedID != nil)
            #expect(try await engine.modify(upsert, in: collection).upsertedID == nil)
            #expect(try await engine.documents(of: collection).map { $0.int("n") } == [2])
        }

        @Test("many: over several chunks, with documents that do not match or do not change")
        func many() async throws {
            try await fill(0..<2_500)
            _ = try await engine.modify(.update(#"{"_id": 7}"#, #"{"$set": {"n": 1}}"#), in: collection)
            let tally = try await engine.modifyMany(
                .update(#"{"_id": {"$gte": 5}}"#, #"{"$set": {"n": 1}}"#, multi: true), in: collection, deadline: .never
            )
            #expect(tally.matched == 2_495 && tally.modified == 2_494)
            #expect(try await engine.documents(of: collection, where: #"{"n": 1}"#).count == 2_495)
            let removed = try await engine.modifyMany(.delete(#"{"n": 1}"#), in: collection, deadline: .never)
            #expect(removed.modified == 2_495)
            #expect(try await engine.documents(of: collection).map { $0.int("_id") } == [0, 1, 2, 3, 4])
        }

        @Test("many: the first document that cannot be updated ends the statement, those before it are stored")
        func manyWithError() async throws {
            try await fill(0..<1_500)
            _ = try await engine.modify(.update(#"{"_id": 1200}"#, #"{"$set": {"n": "x"}}"#), in: collection)
            let code = await errorCode {
                _ = try await engine.modifyMany(
                    .update("{}", #"{"$inc": {"n": 1}}"#, multi: true), in: collection, deadline: .never)
            }
            #expect(code == 14)
            #expect(
                try await engine.documents(of: collection, where: #"{"n": 1}"#).map { $0.int("_id") }
                    == (0..<1_200).map { $0 })
        }

        @Test("many: large documents take more chunks")
        func manyLarge() async throws {
            let documents = (0..<120).map { id in
                Document {
                    $0.append("_id", int32: Int32(id))
                    $0.append("n", int32: 0)
                    $0.append("s", string: String(repeating: "x", count: 400_000))
                }
            }
            try await engine.fill(documents, into: collection)
            let tally = try await engine.modifyMany(
                .update("{}", #"{"$inc": {"n": 1}}"#, multi: true), in: collection, deadline: .never)
            #expect(tally.modified == 120)
            #expect(try await engine.documents(of: collection).map { $0.int("n") } == Array(repeating: 1, count: 120))
        }

        @Test("many, against each other and against single writes of the same documents: nothing is lost or doubled")
        func manyAgainstWrites() async throws {
            try await fill(0..<600, #""n": 0, "m": 0"#)
            let (engine, collection) = (engine, collection)
            let seed = SeededGenerator.seed()
            try await concurrently(20) { task in
                var random = SeededGenerator(seed: seed &+ UInt64(task))
                for _ in 0..<(task < 4 ? 5 : 100) {
                    if task < 4 {
                        let tally = try await engine.modifyMany(
                            .update("{}", #"{"$inc": {"m": 1}}"#, multi: true), in: collection, deadline: .never)
                        #expect(tally.modified == 600)
                    } else {
                        let id = Int.random(in: 0..<600, using: &random)
                        let outcome = try await engine.modify(
                            .update("{\"_id\": \(id)}", #"{"$inc": {"n": 1}}"#), in: collection)
                        #expect(outcome.modified)
                    }
                }
            }
            let documents = try await engine.documents(of: collection)
            #expect(documents.allSatisfy { $0.int("m") == 20 }, "MARTLET_SEED=\(seed)")
            #expect(documents.reduce(0) { $0 + ($1.int("n") ?? 0) } == 1_600, "MARTLET_SEED=\(seed)")
            #expect(try store.deadlocks() == 0)
        }

        @Test("many: of several tasks that delete the same documents, each document is counted once")
        func manyDeletes() async throws {
            try await fill(0..<3_000)
            let (engine, collection) = (engine, collection)
            let deleted = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await engine.modifyMany(.delete("{}"), in: collection, deadline: .never).modified
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(deleted == 3_000)
            #expect(try await engine.texts(of: collection).isEmpty)
        }
    }
}
