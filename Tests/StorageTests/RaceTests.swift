import BSON
import CommandModel
import Query
import Testing

@testable import Storage

extension DatabaseTests {
    /// Two servers on one database, and many tasks on few documents.
    @Suite struct RaceTests {
        private let stores: [TestStore]
        private let collections: [Storage.Collection]

        init() async throws {
            let database = try TestServer.database()
            let stores = [try TestStore(database), try TestStore(database)]
            self.stores = stores
            collections = [try await stores[0].collection(), try await stores[1].collection()]
            #expect(collections[0].number == collections[1].number)
        }

        private func outcomes(
            _ count: Int, _ operation: @escaping @Sendable (Int) throws -> DocumentOperation
        ) async throws -> [DocumentOutcome] {
            let (stores, collections) = (stores, collections)
            return try await withThrowingTaskGroup(of: DocumentOutcome.self) { group in
                for task in 0..<count {
                    group.addTask {
                        try await stores[task % 2].engine.modify(operation(task), in: collections[task % 2])
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }

        @Test("upserts of one _id: exactly one inserts, all others update")
        func upserts() async throws {
            for id in 0..<20 {
                let outcomes = try await outcomes(64) { _ in
                    try .update("{\"_id\": \(id)}", #"{"$inc": {"n": 1}}"#, upsert: true)
                }
                #expect(outcomes.count { $0.upsertedID != nil } == 1)
                #expect(outcomes.count { $0.matched && $0.modified } == 63)
            }
            #expect(
                try await stores[0].engine.documents(of: collections[0]).map { $0.int("n") }
                    == Array(repeating: 64, count: 20))
        }

        @Test("upserts of one _id by statements for many documents race as well")
        func multiUpserts() async throws {
            let (stores, collections) = (stores, collections)
            for id in 0..<10 {
                try await concurrently(32) { task in
                    _ = try await stores[task % 2].engine.modifyMany(
                        .update("{\"_id\": \(id)}", #"{"$inc": {"n": 1}}"#, upsert: true, multi: true),
                        in: collections[task % 2], deadline: .never)
                }
            }
            #expect(
                try await stores[0].engine.documents(of: collections[0]).map { $0.int("n") }
                    == Array(repeating: 32, count: 10))
        }

        @Test("$inc of one hot document from 64 tasks and two servers: the sum is exact")
        func hotDocument() async throws {
            try await stores[0].engine.insert(json(#"{"_id": 1, "n": 0}"#), into: collections[0])
            let (stores, collections) = (stores, collections)
            try await concurrently(64) { task in
                for _ in 0..<25 {
                    let outcome = try await stores[task % 2].engine.modify(
                        .update(#"{"_id": 1}"#, #"{"$inc": {"n": 1}}"#), in: collections[task % 2])
                    #expect(outcome.modified)
                }
            }
            #expect(try await stores[1].engine.texts(of: collections[1]) == [#"{"_id":1,"n":1600}"#])
        }

        @Test("a queue in a collection: each job is taken once")
        func queue() async throws {
            try await stores[0].engine.fill(
                (0..<60).map { json("{\"_id\": \($0), \"state\": \"new\"}") }, into: collections[0])
            let outcomes = try await outcomes(80) { task in
                try .update(#"{"state": "new"}"#, "{\"$set\": {\"state\": \(task)}}", images: true)
            }
            let taken = outcomes.compactMap { $0.image?.int("_id") }
            #expect(taken.count == 60 && Set(taken).count == 60)
            #expect(outcomes.count { !$0.matched } == 20)
        }

        @Test("groups that insert, upsert and update each other's documents do not stand in each other's way")
        func mixedGroups() async throws {
            let (stores, collections) = (stores, collections)
            let seed = SeededGenerator.seed()
            try await concurrently(64) { task in
                var random = SeededGenerator(seed: seed &+ UInt64(task))
                let (engine, collection) = (stores[task % 2].engine, collections[task % 2])
                for _ in 0..<20 {
                    let id = Int.random(in: 0..<60, using: &random)
                    if Bool.random(using: &random) {
                        let code = await errorCode {
                            try await engine.insert(json("{\"_id\": \(id), \"n\": 0}"), into: collection)
                        }
                        #expect(code == nil || code == 11000, "MARTLET_SEED=\(seed)")
                    } else {
                        _ = try await engine.modify(
                            .update("{\"_id\": \(id)}", #"{"$inc": {"n": 1}}"#, upsert: true), in: collection)
                    }
                }
            }
            #expect(try stores[0].deadlocks() == 0, "MARTLET_SEED=\(seed)")
        }
    }
}
