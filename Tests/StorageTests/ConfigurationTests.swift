import BSON
import CommandModel
import Query
import Testing

@testable import Storage

/// A way to run the same operations.
struct Setup: Sendable {
    let name: String
    var sizes = TestStore.Sizes()
    /// Servers on one database, which take turns.
    var engines = 1
    /// Everything in one transaction; or, when clients are concurrent, in one for each of them.
    var inTransaction = false

    static let plain = Setup("one connection", .init(writers: 1, general: 1))

    static let others = [
        Setup("one write per group", .init(batchMax: 1)),
        Setup("four connections", .init(readers: 2, writers: 4, general: 4)),
        Setup("optimistic", .init(writers: 8, general: 4, strategy: .optimistic)),
        Setup("pessimistic", .init(writers: 8, general: 4, strategy: .pessimistic)),
        Setup("reads on the analytics pool", .init(analyticsThreshold: 0)),
        Setup("two servers", .init(), engines: 2),
        Setup("two servers, optimistic", .init(writers: 8, strategy: .optimistic), engines: 2),
        Setup("in transactions", .init(lanes: 16), inTransaction: true),
    ]

    init(_ name: String, _ sizes: TestStore.Sizes, engines: Int = 1, inTransaction: Bool = false) {
        (self.name, self.sizes, self.engines, self.inTransaction) = (name, sizes, engines, inTransaction)
    }

    func stores() throws -> [TestStore] {
        let database = try TestServer.database()
        return try (0..<engines).map { _ in try TestStore(database, sizes) }
    }
}

extension DatabaseTests {
    /// How writes are protected, grouped and routed is no client's business: operations have the same results and leave
    /// the same documents under every strategy, with any pools, through several servers, within a transaction.
    @Suite(.timeLimit(.minutes(20))) struct ConfigurationTests {
        static let groups = 16
        static let operationsPerGroup = 40

        struct History: Equatable {
            var answers: [[String]]
            var documents: [String]
        }

        /// Turn by turn. The documents are in their natural order: it is part of the result.
        private static func playInTurns(_ plan: [[RandomOperation]], _ setup: Setup) async throws -> History {
            let stores = try setup.stores()
            let collection = try await stores[0].collection()
            let transaction = setup.inTransaction ? try await stores[0].open() : nil
            var answers = plan.map { _ in [String]() }
            for turn in 0..<operationsPerGroup {
                for group in plan.indices {
                    var store = DocumentStore(stores[(turn + group) % stores.count].engine)
                    store.transaction = transaction
                    answers[group].append(await plan[group][turn].run(on: store, in: collection))
                }
            }
            try await transaction?.commit()
            return History(answers: answers, documents: try await stores[0].engine.texts(of: collection))
        }

        /// All groups at once; sorted by `_id`, because the natural order of different groups is anybody's.
        private static func playAtOnce(_ plan: [[RandomOperation]], _ setup: Setup) async throws -> History {
            let stores = try setup.stores()
            let collection = try await stores[0].collection()
            let answers = Shared(plan.map { _ in [String]() })
            try await concurrently(plan.count) { group in
                let given = try await play(plan[group], of: group, on: stores, in: collection, setup)
                answers.update { $0[group] = given }
            }
            let documents = try await stores[0].engine.documents(of: collection, sort: #"{"_id": 1}"#)
            return History(answers: answers.value, documents: documents.map(\.text))
        }

        /// A transaction that conflicts runs again, as drivers have it. Its documents are its own, but the end of the
        /// table's file is not, and it waits for no lock for long.
        private static func play(
            _ operations: [RandomOperation], of group: Int, on stores: [TestStore], in collection: Storage.Collection,
            _ setup: Setup
        ) async throws -> [String] {
            var refusals: [String] = []
            while refusals.count < 50 {
                let transaction = setup.inTransaction ? try await stores[0].open() : nil
                var answers: [String] = []
                for (turn, operation) in operations.enumerated() {
                    var store = DocumentStore(stores[(turn + group) % stores.count].engine)
                    store.transaction = transaction
                    answers.append(await operation.run(on: store, in: collection))
                }
                if await errorCode({ try await transaction?.commit() }) == nil { return answers }
                refusals.append(answers.first { $0.hasPrefix("postgres") } ?? "at its commit")
                print("group \(group) again: \(refusals.last ?? "")")
                await Backoff.sleep(attempt: refusals.count)
            }
            Issue.record("the transaction never got through: \(Set(refusals))")
            return []
        }

        private static func plan(_ seed: UInt64) throws -> [[RandomOperation]] {
            try (0..<groups).map { group in
                var operations = RandomOperations(group: group, seed: seed)
                return try (0..<operationsPerGroup).map { _ in try operations.next() }
            }
        }

        private func expectSame(_ history: History, as expected: History, _ comment: Comment) {
            #expect(history.documents == expected.documents, comment)
            for (group, answers) in history.answers.enumerated() {
                #expect(answers.count == Self.operationsPerGroup, comment)
                for (turn, answer) in answers.enumerated() where answer != expected.answers[group][turn] {
                    Issue.record(
                        "group \(group) turn \(turn): \(answer), not \(expected.answers[group][turn]); \(comment)")
                    return
                }
            }
        }

        @Test("one after another: the same result of each operation and the same documents in the same order")
        func inTurns() async throws {
            let seed = SeededGenerator.seed()
            print("MARTLET_SEED=\(seed)")
            let plan = try Self.plan(seed)
            let expected = try await Self.playInTurns(plan, .plain)
            #expect(!expected.documents.isEmpty)
            for setup in Setup.others {
                let history = try await Self.playInTurns(plan, setup)
                expectSame(history, as: expected, "\(setup.name), MARTLET_SEED=\(seed)")
            }
        }

        @Test("clients at once, each on its own documents: the same results and the same documents")
        func atOnce() async throws {
            let seed = SeededGenerator.seed()
            print("MARTLET_SEED=\(seed)")
            let plan = try Self.plan(seed)
            var expected = try await Self.playInTurns(plan, .plain)
            expected.documents = try await Self.playAtOnce(plan, .plain).documents
            for setup in [.plain] + Setup.others {
                let history = try await Self.playAtOnce(plan, setup)
                expectSame(history, as: expected, "\(setup.name), MARTLET_SEED=\(seed)")
            }
        }
    }
}

extension TestStore {
    /// A transaction of this server.
    func open(_ isolation: OpenTransaction.Isolation = .snapshot) async throws -> OpenTransaction {
        try await OpenTransaction.open(on: engine.transactions.lanes, isolation: isolation)
    }
}
