import BSON
import CommandModel
import Query
import Testing

@testable import Storage

extension DatabaseTests {
    /// Many clients on the same documents, with operations whose order does not matter: nothing is lost and nothing
    /// happens twice, under every strategy, through several servers, and with transactions in between.
    @Suite(.timeLimit(.minutes(20))) struct CommutativeTests {
        static let documents = 12
        static let clients = 16
        static let operationsPerClient = 20

        private enum Step: Sendable {
            case increment(id: Int, by: Int)
            case add(id: Int, element: Int)
            /// Of all documents of a third.
            case incrementThird(Int, by: Int)
            case addToThird(Int, element: Int)

            static func random(using random: inout SeededGenerator) -> Step {
                // Some of the documents are not there at first: upserts make them.
                let id = Int.random(in: 0..<(documents + 4), using: &random)
                let (third, by) = (Int.random(in: 0..<3, using: &random), Int.random(in: 1...9, using: &random))
                let element = Int.random(in: 0..<1_000, using: &random)
                switch Int.random(in: 0..<8, using: &random) {
                case 0..<4: return .increment(id: id, by: by)
                case 4..<6: return .add(id: id, element: element)
                case 6: return .incrementThird(third, by: by)
                default: return .addToThird(third, element: element)
                }
            }

            var operation: RandomOperation {
                get throws {
                    switch self {
                    case .increment(let id, let by):
                        .one(try .update("{\"_id\": \(id)}", "{\"$inc\": {\"n\": \(by)}}", upsert: true), sort: nil)
                    case .add(let id, let element):
                        .one(
                            try .update("{\"_id\": \(id)}", "{\"$addToSet\": {\"set\": \(element)}}", upsert: true),
                            sort: nil)
                    case .incrementThird(let third, let by):
                        .many(try .update("{\"third\": \(third)}", "{\"$inc\": {\"n\": \(by)}}", multi: true))
                    case .addToThird(let third, let element):
                        .many(
                            try .update(
                                "{\"third\": \(third)}", "{\"$addToSet\": {\"set\": \(element)}}", multi: true))
                    }
                }
            }
        }

        /// What must be there in the end.
        private struct Model: Equatable {
            var sums: [Int: Int] = [:]
            var sets: [Int: Set<Int>] = [:]

            mutating func apply(_ step: Step) {
                switch step {
                case .increment(let id, let by): sums[id, default: 0] += by
                case .add(let id, let element): sets[id, default: []].insert(element)
                case .incrementThird(let third, let by):
                    for id in 0..<documents where id % 3 == third { sums[id, default: 0] += by }
                case .addToThird(let third, let element):
                    for id in 0..<documents where id % 3 == third { sets[id, default: []].insert(element) }
                }
            }

            init() {}

            init(_ documents: [Document]) {
                for document in documents {
                    document.withRaw { raw in
                        guard let id = raw["_id"]?.number?.asInt64Exact.map(Int.init(clamping:)) else { return }
                        if let sum = raw["n"]?.number?.asInt64Exact, sum != 0 { sums[id] = Int(clamping: sum) }
                        guard let set = raw["set"]?.array else { return }
                        for element in set {
                            if let number = element.value.number?.asInt64Exact {
                                #expect(sets[id, default: []].insert(Int(clamping: number)).inserted)
                            }
                        }
                    }
                }
            }
        }

        /// Outside transactions, or in one of its own, again until it is committed.
        private static func run(
            _ operation: RandomOperation, on test: TestStore, in collection: Storage.Collection, inTransaction: Bool
        ) async throws {
            var store = DocumentStore(test.engine)
            guard inTransaction else {
                let answer = await operation.run(on: store, in: collection)
                return try #require(!answer.contains("("), "\(answer)")
            }
            for attempt in 1...2_000 {
                let transaction = try await test.open()
                store.transaction = transaction
                _ = await operation.run(on: store, in: collection)
                if await errorCode({ try await transaction.commit() }) == nil { return }
                await Backoff.sleep(attempt: attempt)
            }
            Issue.record("the transaction never got through")
        }

        @Test("increments and additions to sets, by key and by filter, all add up", arguments: [.plain] + Setup.others)
        func addUp(_ setup: Setup) async throws {
            let seed = SeededGenerator.seed()
            print("MARTLET_SEED=\(seed)")
            let stores = try setup.stores()
            let collection = try await stores[0].collection()
            try await stores[0].engine.fill(
                (0..<Self.documents).map { json("{\"_id\": \($0), \"n\": 0, \"third\": \($0 % 3)}") },
                into: collection)
            let plan = (0..<Self.clients).map { client in
                var random = SeededGenerator(seed: seed &+ UInt64(client))
                return (0..<Self.operationsPerClient).map { _ in Step.random(using: &random) }
            }
            try await concurrently(Self.clients) { client in
                for (turn, step) in plan[client].enumerated() {
                    try await Self.run(
                        step.operation, on: stores[(client + turn) % stores.count], in: collection,
                        inTransaction: setup.inTransaction && client % 2 == 0)
                }
            }
            var expected = Model()
            for step in plan.joined() { expected.apply(step) }
            let found = Model(try await stores[0].engine.documents(of: collection))
            #expect(found == expected, "\(setup.name), MARTLET_SEED=\(seed)")
        }
    }
}

extension Setup: CustomTestStringConvertible {
    var testDescription: String { name }
}
