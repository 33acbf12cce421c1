import BSON
import CommandModel
import Query
import Testing

@testable import Storage

extension DatabaseTests {
    /// A random sequence of operations gives the same answers and the same documents one by one, and concurrently over
    /// disjoint documents in large groups, whatever the number of connections.
    @Suite struct MetamorphicTests {
        static let groups = 48
        static let operationsPerGroup = 30

        enum Operation: Sendable {
            case insert(Document)
            case bulkInsert([Document], ordered: Bool)
            case one(DocumentOperation, sort: SortPattern?)
            case many(DocumentOperation)
        }

        /// Operations on documents of `group` alone: their `_id`s and their field `g` say so.
        static func operation(group: Int, using random: inout SeededGenerator) throws -> Operation {
            func id() -> Int { group * 10 + Int.random(in: 0..<4, using: &random) }
            func document() -> Document { json("{\"_id\": \(id()), \"g\": \(group), \"n\": \(small())}") }
            func small() -> Int { Int.random(in: 0..<5, using: &random) }
            let byFilter = "{\"g\": \(group), \"n\": {\"$gte\": \(small())}}"
            let update =
                [
                    "{\"$inc\": {\"n\": \(small() - 2)}}", "{\"$push\": {\"list\": \(small())}}",
                    #"{"$inc": {"list": 1}}"#,
                    "{\"$set\": {\"n\": \(small()), \"x\": null}}", #"{"$unset": {"x": ""}}"#,
                ].randomElement(using: &random) ?? "{}"
            switch Int.random(in: 0..<10, using: &random) {
            case 0: return .insert(document())
            case 1: return .bulkInsert((0..<3).map { _ in document() }, ordered: Bool.random(using: &random))
            case 2, 3: return .one(try .update("{\"_id\": \(id())}", update, images: true), sort: nil)
            case 4:
                let filter = "{\"_id\": \(id()), \"g\": \(group)}"
                return .one(try .update(filter, update, upsert: true, images: true), sort: nil)
            case 5: return .one(try .update(byFilter, update), sort: nil)
            case 6:
                let sort = try SortPattern(compiling: json(#"{"n": -1, "_id": 1}"#))
                return .one(try .update(byFilter, update, images: true), sort: sort)
            case 7: return .many(try .update(byFilter, update, multi: true))
            case 8: return .one(try .delete("{\"_id\": \(id())}", images: true), sort: nil)
            default: return .many(try .delete("{\"g\": \(group), \"n\": \(small())}"))
            }
        }

        /// The answer, as text.
        static func run(_ operation: Operation, _ engine: StorageEngine) async -> String {
            do throws(CommandError) {
                // A collection gets another entry when a document brings a new fact to one of its indexes.
                return try await engine.withCollectionCreated(namespace()) { collection async throws(StorageError) in
                    try await run(operation, engine, collection)
                }
            } catch {
                return error.description
            }
        }

        private static func run(
            _ operation: Operation, _ engine: StorageEngine, _ collection: Storage.Collection
        ) async throws(StorageError) -> String {
            switch operation {
            case .insert(let document):
                try await engine.insert(document, into: collection)
                return "inserted"
            case .bulkInsert(let documents, let ordered):
                return try await engine.insert(documents, into: collection, isOrdered: ordered).map(\.index)
                    .description
            case .one(let operation, let sort):
                let outcome = try await engine.modifyOne(operation, in: collection, sort: sort, deadline: .never)
                return "\(outcome.matched) \(outcome.modified) \(outcome.upsertedID != nil) "
                    + (outcome.image?.text ?? "-")
            case .many(let operation):
                let tally = try await engine.modifyMany(operation, in: collection, deadline: .never)
                return "\(tally.matched) \(tally.modified)"
            }
        }

        struct History: Equatable {
            var answers: [[String]]
            /// Sorted by `_id`: the natural order of different groups is anybody's.
            var documents: [String]
        }

        static func play(
            _ plan: [[Operation]], concurrently: Bool, connections: Int, indexed: Bool = false
        ) async throws -> History {
            let store = try TestStore.make(.init(readers: 1, writers: connections, general: connections))
            if indexed {
                try await store.index(
                    #"{"key":{"n":1}}"#, #"{"key":{"g":-1,"list":1}}"#, #"{"key":{"x":1},"sparse":true}"#)
            }
            let engine = store.engine
            var answers = plan.map { _ in [String]() }
            if concurrently {
                try await withThrowingTaskGroup(of: (Int, [String]).self) { tasks in
                    for (group, operations) in plan.enumerated() {
                        tasks.addTask {
                            var answers: [String] = []
                            for operation in operations { answers.append(await run(operation, engine)) }
                            return (group, answers)
                        }
                    }
                    for try await (group, given) in tasks { answers[group] = given }
                }
            } else {
                // Not group after group, but turn by turn.
                for turn in 0..<operationsPerGroup {
                    for group in plan.indices {
                        answers[group].append(await run(plan[group][turn], engine))
                    }
                }
            }
            if indexed { try await store.checkKeys() }
            let documents = try await engine.documents(of: try await store.collection(), sort: #"{"_id": 1}"#).map(
                \.text)
            return History(answers: answers, documents: documents)
        }

        @Test("one by one or all at once, with one connection or four, with indexes or without: the same answers")
        func sameDocuments() async throws {
            let seed = SeededGenerator.seed()
            print("MARTLET_SEED=\(seed)")
            var random = SeededGenerator(seed: seed)
            let plan = try (0..<Self.groups).map { group in
                try (0..<Self.operationsPerGroup).map { _ in try Self.operation(group: group, using: &random) }
            }
            // Which document a write by filter finds first depends on the index that it is found by.
            for indexed in [false, true] {
                let expected = try await Self.play(plan, concurrently: false, connections: 1, indexed: indexed)
                for connections in [1, 4] {
                    let history = try await Self.play(
                        plan, concurrently: true, connections: connections, indexed: indexed)
                    let run = "MARTLET_SEED=\(seed) connections \(connections) indexed \(indexed)"
                    #expect(history.documents == expected.documents, "\(run)")
                    for (group, answers) in history.answers.enumerated() {
                        #expect(answers == expected.answers[group], "\(run) group \(group)")
                    }
                }
            }
        }

        /// All operations on one set of documents and at once: no order is promised, but sums are.
        @Test("concurrent random increments on shared documents add up", arguments: [1, 4])
        func sharedDocuments(_ connections: Int) async throws {
            let seed = SeededGenerator.seed()
            let store = try TestStore.make(.init(readers: 1, writers: connections, general: connections))
            let collection = try await store.collection()
            let engine = store.engine
            try await engine.fill((0..<20).map { json("{\"_id\": \($0), \"n\": 0}") }, into: collection)
            let sum = try await withThrowingTaskGroup(of: Int64.self) { tasks in
                for task in 0..<64 {
                    tasks.addTask {
                        var random = SeededGenerator(seed: seed &+ UInt64(task))
                        var sum: Int64 = 0
                        for _ in 0..<20 {
                            let by = Int64.random(in: 1...9, using: &random)
                            let id = Int.random(in: 0..<20, using: &random)
                            let filter = ["{\"_id\": \(id)}", "{\"n\": {\"$gte\": \(id)}}"].randomElement(
                                using: &random)
                            let outcome = try await engine.modify(
                                .update(filter ?? "", "{\"$inc\": {\"n\": \(by)}}"), in: collection)
                            if outcome.modified { sum += by }
                        }
                        return sum
                    }
                }
                return try await tasks.reduce(0, +)
            }
            let stored = try await engine.documents(of: collection).reduce(0) { $0 + ($1.int("n") ?? 0) }
            #expect(stored == sum, "MARTLET_SEED=\(seed)")
        }
    }
}
