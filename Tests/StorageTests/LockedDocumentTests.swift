import BSON
import CommandModel
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    /// Work outside transactions that meets what an open transaction holds: it waits for as long as that takes, without
    /// a thread or a connection that others need, and then it is done.
    @Suite(.timeLimit(.minutes(20))) struct LockedDocumentTests {
        private let store: TestStore
        private let collection: Storage.Collection

        /// One connection of each kind: who waits on it has everyone wait.
        init() async throws {
            store = try TestStore.make(.init(readers: 1, writers: 1, general: 1))
            collection = try await store.collection()
            try await store.engine.fill(
                (0..<8).map { json("{\"_id\": \($0), \"k\": \($0), \"n\": 0}") }, into: collection)
        }

        /// Lets `work` wait for an open transaction, uses other documents meanwhile, calls `end`, and waits for `work`.
        private func expectWaiting(
            for end: () async throws -> Void, sourceLocation: SourceLocation = #_sourceLocation,
            _ work: @escaping @Sendable () async throws -> Void
        ) async throws {
            let isOver = Shared(false)
            let beside = try store.connect()
            let before = lockRetries
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { isOver.update { $0 = true } }
                    try await work()
                }
                // Lanes wait once and then look again and again; others wait again and again.
                #expect(
                    try await eventually {
                        try lockRetries > before || isWaiting(beside) || isOver.value
                    }, sourceLocation: sourceLocation)
                for _ in 0..<10 { try await useOthers() }
                #expect(!isOver.value, sourceLocation: sourceLocation)
                try await end()
                try await group.waitForAll()
            }
        }

        private var lockRetries: Int {
            store.engine.metrics.retries.all.first { $0.state == SQLState.lockNotAvailable.description }?.count ?? 0
        }

        private func isWaiting(_ beside: Connection) throws -> Bool {
            try beside.execute(
                Statement(
                    """
                    SELECT FROM pg_stat_activity \
                    WHERE datname = current_database() AND wait_event_type = 'Lock'
                    """)
            ).rowCount > 0
        }

        /// By key, by filter, one, many, reads: none of them needs a locked document.
        private func useOthers() async throws {
            let engine = store.engine
            let increment = #"{"$inc": {"n": 1}}"#
            #expect(try await engine.modify(.update(#"{"_id": 6}"#, increment), in: collection).modified)
            #expect(try await engine.modify(.update(#"{"k": 6}"#, increment), in: collection).modified)
            let many = try await engine.modifyMany(
                .update(#"{"k": {"$gte": 6, "$lt": 8}}"#, increment, multi: true), in: collection, deadline: .never)
            #expect(many.modified == 2)
            try await engine.fill([json(#"{"_id": "a", "k": 20}"#), json(#"{"_id": "b"}"#)], into: collection)
            #expect(try await engine.modify(.delete(#"{"k": 20}"#), in: collection).modified)
            #expect(try await engine.modify(.delete(#"{"_id": "b"}"#), in: collection).modified)
            #expect(try await engine.read(key("1"), from: collection) != nil)
        }

        /// Documents 0 to 5, which ``useOthers()`` leaves alone.
        private func numbers() async throws -> [Int64?] {
            try await store.engine.documents(of: collection, where: #"{"_id": {"$lt": 6}}"#, sort: #"{"_id": 1}"#)
                .map { $0.int("n") }
        }

        @Test("a write by filter waits for the document that it has found, and applies to what the transaction leaves")
        func oneByFilter() async throws {
            let sort = try SortPattern(compiling: json(#"{"n": -1, "k": 1}"#))
            var expected: Int64 = 0
            for commits in [true, false] {
                for sort in [nil, sort] {
                    let transaction = try await store.open()
                    _ = try await transaction.update(#"{"_id": 1}"#, #"{"$inc": {"n": 10}}"#, in: collection)
                    let operation = try DocumentOperation.update(
                        #"{"k": 1}"#, #"{"$inc": {"n": 1}}"#, images: true)
                    let before = expected + (commits ? 10 : 0)
                    try await expectWaiting(for: { try await end(transaction, commits) }) { [store, collection] in
                        let outcome = try await store.engine.modifyOne(
                            operation, in: collection, sort: sort, deadline: .never)
                        #expect(outcome.modified && outcome.image?.int("n") == before)
                    }
                    expected = before + 1
                }
            }
            #expect(try await numbers() == [0, expected, 0, 0, 0, 0])
        }

        @Test("a write by filter whose document no longer matches after the transaction finds another one, or none")
        func movedAway() async throws {
            for commits in [true, false] {
                let transaction = try await store.open()
                _ = try await transaction.update(#"{"_id": 2}"#, #"{"$set": {"k": 30}}"#, in: collection)
                try await expectWaiting(for: { try await end(transaction, commits) }) { [store, collection] in
                    let upsert = try DocumentOperation.update(
                        #"{"k": 2, "_id": {"$lte": 2}}"#, #"{"$inc": {"n": 1}}"#)
                    let outcome = try await store.engine.modify(upsert, in: collection)
                    #expect(outcome.matched == !commits)
                }
                if commits {
                    _ = try await store.engine.modify(.update(#"{"_id": 2}"#, #"{"$set": {"k": 2}}"#), in: collection)
                }
            }
            let transaction = try await store.open()
            _ = try await transaction.modifyOne(.delete(#"{"_id": 3}"#), in: collection, deadline: .never)
            try await expectWaiting(for: { try await end(transaction, true) }) { [store, collection] in
                let operation = try DocumentOperation.update(#"{"k": {"$in": [3, 4]}}"#, #"{"$inc": {"n": 1}}"#)
                #expect(try await store.engine.modify(operation, in: collection).modified)
            }
            #expect(try await numbers() == [0, 0, 1, 1, 0])
        }

        @Test("an update and a removal of many wait for the locked one, and count each document once")
        func manyByFilter() async throws {
            for commits in [true, false] {
                let transaction = try await store.open()
                _ = try await transaction.update(#"{"_id": 1}"#, #"{"$inc": {"n": 10}}"#, in: collection)
                try await expectWaiting(for: { try await end(transaction, commits) }) { [store, collection] in
                    let operation = try DocumentOperation.update(
                        #"{"k": {"$lt": 6}}"#, #"{"$inc": {"n": 1}}"#, multi: true)
                    let tally = try await store.engine.modifyMany(operation, in: collection, deadline: .never)
                    #expect(tally.matched == 6 && tally.modified == 6)
                }
            }
            #expect(try await numbers() == [2, 12, 2, 2, 2, 2])
            let transaction = try await store.open()
            _ = try await transaction.update(#"{"_id": 1}"#, #"{"$set": {"k": 7}}"#, in: collection)
            try await expectWaiting(for: { try await end(transaction, true) }) { [store, collection] in
                let tally = try await store.engine.modifyMany(
                    .delete(#"{"k": {"$lt": 6}}"#), in: collection, deadline: .never)
                #expect(tally.modified == 5)
            }
            #expect(try await numbers() == [12])
        }

        @Test(
            "inserts of an _id that a transaction holds wait: duplicates after its commit, stored after its abort",
            arguments: [true, false])
        func inserts(_ commits: Bool) async throws {
            for ordered in [true, false] {
                for isGuarded in [true, false] {
                    let first = (ordered ? 100 : 200) + (isGuarded ? 50 : 0)
                    let transaction = try await store.open()
                    try await transaction.insert("{\"_id\": \(first + 1), \"k\": 40}", into: collection)
                    let guarded = isGuarded ? try await store.guarded(number: Int64(first), isRetry: false) : nil
                    try await expectWaiting(for: { try await end(transaction, commits) }) { [store, collection] in
                        var documents = DocumentStore(store.engine)
                        documents.guarded = guarded
                        let errors = try await documents.insert(
                            (0..<3).map { json("{\"_id\": \(first + $0)}") }, statements: [0, 1, 2], into: collection,
                            isOrdered: ordered)
                        #expect(errors.map(\.index) == (commits ? [1] : []))
                        #expect(errors.allSatisfy { $0.error.code.number == 11000 })
                    }
                    let found = try await store.engine.documents(
                        of: collection, where: "{\"_id\": {\"$gte\": \(first), \"$lt\": \(first + 3)}}")
                    #expect(found.count == (commits && ordered ? 2 : 3))
                    #expect(found.contains { $0.int("k") == 40 } == commits)
                }
            }
            let transaction = try await store.open()
            try await transaction.insert(#"{"_id": 300}"#, into: collection)
            try await expectWaiting(for: { try await end(transaction, commits) }) { [store, collection] in
                let code = await errorCode { try await store.engine.insert(json(#"{"_id": 300}"#), into: collection) }
                #expect(code == (commits ? 11000 : nil))
            }
        }

        @Test(
            "a drop waits for a transaction that uses the collection, which others can use meanwhile",
            arguments: [true, false])
        func drop(_ commits: Bool) async throws {
            let transaction = try await store.open()
            #expect(try await transaction.texts(of: collection).count == 8)
            _ = try await transaction.update(#"{"_id": 1}"#, #"{"$inc": {"n": 10}}"#, in: collection)
            let later = try await store.open()
            try await expectWaiting(
                for: {
                    // It has what it needs, so that the drop does not stand in its way.
                    _ = try await transaction.update(#"{"_id": 2}"#, #"{"$inc": {"n": 10}}"#, in: collection)
                    try await end(transaction, commits)
                },
                { [store] () async throws -> Void in
                    let isDropped: Bool = try await store.engine.catalog.drop(namespace())
                    #expect(isDropped)
                })
            let error = await transactionError { try await later.insert(#"{"_id": 100}"#, into: collection) }
            #expect(error?.code.number == 246 && error?.labels == ["TransientTransactionError"])
            #expect(try await store.engine.catalog.collection(namespace()) == nil)
            let again = try await store.collection()
            #expect(again.number != collection.number)
            #expect(try await store.engine.texts(of: again).isEmpty)
        }

        private func end(_ transaction: OpenTransaction, _ commits: Bool) async throws {
            if commits { try await transaction.commit() } else { await transaction.abort() }
        }
    }
}
