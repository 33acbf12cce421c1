import BSON
import CommandModel
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    /// Two who want the same document: one of them always gets through, and the other one learns it at once.
    @Suite(.timeLimit(.minutes(20))) struct TransactionConflictTests {
        private let increment = #"{"$inc": {"n": 1}}"#

        @Test("a document that another transaction is changing: the second one fails at once, the first commits")
        func lockedByTransaction() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection(#"{"_id": 1, "n": 0}"#)
            let (first, second) = (try await test.open(), try await test.open())
            _ = try await first.update(#"{"_id": 1}"#, increment, in: collection)
            await expectConflict { _ = try await second.update(#"{"_id": 1}"#, increment, in: collection) }
            #expect(test.lanes.leased == 1)
            #expect(await transactionError { try await second.commit() }?.code.number == 251)
            try await first.commit()
            #expect(try await test.engine.texts(of: collection) == [json(#"{"_id": 1, "n": 1}"#).text])
            test.expectLanesFree()
        }

        @Test(
            "what was changed since the snapshot conflicts, unless the write changes nothing"
        )
        func changedSinceSnapshot() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection(#"{"_id": 1, "n": 0}"#, #"{"_id": 2, "n": 0}"#)
            let writes: [DocumentOperation] = [
                try .update(#"{"_id": 1}"#, increment), try .update(#"{"n": 0}"#, increment),
                try .delete(#"{"_id": 1}"#), try .update(#"{"_id": 1}"#, #"{"$set": {"n": 0}}"#),
            ]
            for (index, write) in writes.enumerated() {
                let transaction = try await test.open()
                #expect(try await transaction.texts(of: collection).count == 2)
                _ = try await test.engine.modify(.update(#"{"_id": 1}"#, #"{"$set": {"n": 5}}"#), in: collection)
                if index < 3 {
                    await expectConflict {
                        _ = try await transaction.modifyOne(write, in: collection, deadline: .never)
                    }
                } else {
                    #expect(try await transaction.modifyOne(write, in: collection, deadline: .never).matched)
                    try await transaction.commit()
                }
                _ = try await test.engine.modify(.update(#"{"_id": 1}"#, #"{"$set": {"n": 0}}"#), in: collection)
            }
            let transaction = try await test.open()
            #expect(try await transaction.texts(of: collection).count == 2)
            _ = try await test.engine.modify(.update(#"{"_id": 2}"#, increment), in: collection)
            await expectConflict {
                let many = try DocumentOperation.update("{}", increment, multi: true)
                _ = try await transaction.modifyMany(many, in: collection, deadline: .never)
            }
            test.expectLanesFree()
        }

        @Test("a key that someone inserts, or has inserted since the snapshot, is a conflict, not a duplicate")
        func inserts() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection()
            let (first, second, third) = (try await test.open(), try await test.open(), try await test.open())
            try await first.insert(#"{"_id": 1}"#, into: collection)
            #expect(try await third.texts(of: collection).isEmpty)
            await expectConflict { try await second.insert(#"{"_id": 1}"#, into: collection) }
            try await first.commit()
            await expectConflict { try await third.insert(#"{"_id": 1}"#, into: collection) }
            let fourth = try await test.open()
            #expect(await errorCode { try await fourth.insert(#"{"_id": 1}"#, into: collection) } == 11000)
            await fourth.abort()
            let (fifth, sixth) = (try await test.open(), try await test.open())
            let upsert = try DocumentOperation.update(#"{"_id": 2}"#, increment, upsert: true)
            #expect(try await fifth.modifyOne(upsert, in: collection, deadline: .never).upsertedID != nil)
            await expectConflict { _ = try await sixth.modifyOne(upsert, in: collection, deadline: .never) }
            await fifth.abort()
            test.expectLanesFree()
        }

        @Test("a plain write waits for the transaction that holds its document, and nothing is lost")
        func plainWriteWaits() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection(#"{"_id": 1, "n": 0}"#)
            let transaction = try await test.open()
            _ = try await transaction.update(#"{"_id": 1}"#, increment, in: collection)
            let (isDone, increment) = (Shared(false), increment)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    _ = try await test.engine.modify(.update(#"{"_id": 1}"#, increment), in: collection)
                    isDone.update { $0 = true }
                }
                let beside = try test.store.connect()
                let waiting = Statement(
                    """
                    SELECT count(*) FROM pg_stat_activity \
                    WHERE datname = current_database() AND wait_event_type = 'Lock'
                    """)
                // It waits for PostgreSQL's lock again and again, each time for a moment. Who waits for that to be seen
                // on a busy machine waits for longer than a transaction may take.
                for _ in 0..<200 where try beside.execute(waiting).int8(row: 0, column: 0) != 1 {
                    try await Task.sleep(for: .milliseconds(5))
                }
                #expect(!isDone.value)
                try await transaction.commit()
                try await group.waitForAll()
            }
            #expect(try await test.engine.texts(of: collection) == [json(#"{"_id": 1, "n": 2}"#).text])
        }

        @Test(
            "transfers between accounts by many transactions: no money appears or disappears, under either isolation",
            arguments: [OpenTransaction.Isolation.snapshot, .serializable])
        func transfers(_ isolation: OpenTransaction.Isolation) async throws {
            let seed = SeededGenerator.seed()
            let test = try TestTransactions.make(laneCount: 6)
            let collection = try await test.store.collection()
            try await test.engine.fill((0..<5).map { json("{\"_id\": \($0), \"n\": 100}") }, into: collection)
            let committed = Shared(0)
            try await concurrently(12) { task in
                var random = SeededGenerator(seed: seed &+ UInt64(task))
                for _ in 0..<25 {
                    let (from, to) = (Int.random(in: 0..<5, using: &random), Int.random(in: 0..<5, using: &random))
                    let transaction = try await test.open(isolation)
                    do {
                        _ = try await transaction.update("{\"_id\": \(from)}", #"{"$inc": {"n": -1}}"#, in: collection)
                        _ = try await transaction.update("{\"_id\": \(to)}", #"{"$inc": {"n": 1}}"#, in: collection)
                        if Bool.random(using: &random) {
                            try await transaction.commit()
                            committed.update { $0 += 1 }
                        } else {
                            await transaction.abort()
                        }
                    } catch let error as StorageError {
                        let error = CommandError(inTransaction: error)
                        #expect(error.code.number == 112, "\(error) MARTLET_SEED=\(seed)")
                    }
                }
            }
            let sum = try await test.engine.documents(of: collection).compactMap { $0.int("n") }.reduce(0, +)
            #expect(sum == 500 && committed.value > 0, "MARTLET_SEED=\(seed)")
            #expect(try test.store.deadlocks() == 0)
            test.expectLanesFree()
        }

        @Test(
            "write skew passes a snapshot and is refused by serializable",
            arguments: [OpenTransaction.Isolation.snapshot, .serializable])
        func writeSkew(_ isolation: OpenTransaction.Isolation) async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection(#"{"_id": 1, "on": true}"#, #"{"_id": 2, "on": true}"#)
            let (first, second) = (try await test.open(isolation), try await test.open(isolation))
            let onDuty = FindQuery(filter: try Filter(compiling: json(#"{"on": true}"#)))
            #expect(try await first.count(onDuty, in: collection) == 2)
            #expect(try await second.count(onDuty, in: collection) == 2)
            var refused = 0
            for (transaction, id) in [(first, 1), (second, 2)] {
                do {
                    _ = try await transaction.update("{\"_id\": \(id)}", #"{"$set": {"on": false}}"#, in: collection)
                    try await transaction.commit()
                } catch let error as StorageError {
                    let error = CommandError(inTransaction: error)
                    #expect(error.code.number == 112 && error.labels == ["TransientTransactionError"])
                    refused += 1
                }
            }
            #expect(refused == (isolation == .serializable ? 1 : 0))
            #expect(try await test.engine.count(onDuty, in: collection) == (isolation == .serializable ? 1 : 0))
            test.expectLanesFree()
        }

        @Test("serializable transactions on different documents found by key do not conflict")
        func serializableByKey() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.store.collection()
            try await test.engine.fill((0..<2_000).map { json("{\"_id\": \($0), \"n\": 0}") }, into: collection)
            let (first, second) = (try await test.open(.serializable), try await test.open(.serializable))
            _ = try await first.update(#"{"_id": 5}"#, increment, in: collection)
            _ = try await second.update(#"{"_id": 1990}"#, increment, in: collection)
            try await first.commit()
            try await second.commit()
        }
    }
}
