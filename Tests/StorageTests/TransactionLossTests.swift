import BSON
import CommandModel
import NIOCore
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    /// Connections that break under a transaction, and transactions that somebody else ends.
    @Suite(.timeLimit(.minutes(20))) struct TransactionLossTests {
        private let id = LogicalSessionID(uuid: Array(repeating: 7, count: 16))
        private let everything = FindQuery(filter: .everything)

        @Test(
            "a connection that broke between two statements: nothing runs on the new one, and the lane serves the next")
        func lostBetween() async throws {
            let test = try TestTransactions.make(laneCount: 1)
            let collection = try await test.collection()
            for commits in [false, true] {
                let transaction = try await test.open()
                try await transaction.insert(#"{"_id": 1}"#, into: collection)
                try test.killConnections()
                let error = await transactionError {
                    if commits {
                        try await transaction.commit()
                    } else {
                        try await transaction.insert(#"{"_id": 2}"#, into: collection)
                    }
                }
                #expect(error?.code.number == 6 && error?.labels == ["TransientTransactionError"])
                #expect(await transactionError { try await transaction.commit() }?.code.number == 251)
                test.expectLanesFree()
            }
            #expect(try await test.engine.count(everything, in: collection) == 0)
            let next = try await test.open()
            try await next.insert(#"{"_id": 3}"#, into: collection)
            try await next.commit()
            #expect(try await test.engine.count(everything, in: collection) == 1)
        }

        @Test("a connection that breaks under a statement ends the transaction and frees the lane")
        func lostUnderStatement() async throws {
            let test = try TestTransactions.make(laneCount: 1)
            let collection = try await test.collection()
            let transaction = try await test.open()
            try await transaction.insert(#"{"_id": 1}"#, into: collection)
            let error = await transactionError {
                try await transaction.withConnection { connection throws(StorageError) in
                    do throws(PostgresError) {
                        _ = try connection.execute(Statement("SELECT pg_terminate_backend(pg_backend_pid())"))
                    } catch { throw .postgres(error) }
                }
            }
            #expect(error?.code.number == 6 && error?.labels == ["TransientTransactionError"])
            test.expectLanesFree()
            let next = try await test.open()
            #expect(try await next.count(everything, in: collection) == 0)
            await next.abort()
        }

        @Test("a connection that breaks under COMMIT leaves the outcome open, until the record is looked up")
        func lostUnderCommit() async throws {
            let test = try TestTransactions.make(laneCount: 1)
            let collection = try await test.collection()
            let suicide = Statement("SELECT pg_terminate_backend(pg_backend_pid())")
            for (number, isCommitted) in [(Int64(1), false), (2, true)] {
                let transaction = try await test.registry.begin(number, of: id, isolation: .snapshot)
                try await transaction.insert("{\"_id\": \(number)}", into: collection)
                #expect(try await test.registry.commit(number, of: id, recording: [suicide]) == .lookUpRecord)
                #expect(test.registry.state(of: id) == .unknown(number))
                #expect(try await test.registry.commit(number, of: id, recording: []) == .lookUpRecord)
                let code = await errorCode { try test.registry.recordFound(number, of: id, isCommitted: isCommitted) }
                #expect(code == (isCommitted ? nil : 251))
                #expect(test.registry.state(of: id) == (isCommitted ? .committed(number) : .aborted(number)))
            }
            #expect(test.registry.metrics.snapshot.unknown == 2)
            test.expectLanesFree()
        }

        @Test("a PostgreSQL that is away: the transaction fails, its lane is free")
        func away() async throws {
            let options = TransactionPool.options(
                connection: ConnectionOptions(conninfo: "host=/nonexistent"), laneCount: 1)
            let pool = try DatabasePool(worker: GeneralWorker(), options: options)
            defer { pool.shutdown() }
            let lanes = TransactionLanes(pool: pool)
            let collection = Storage.Collection(namespace: namespace(), number: 1, uuid: [], options: .empty)
            for _ in 0..<3 {
                let transaction = try await OpenTransaction.open(on: lanes, isolation: .snapshot)
                let error = await transactionError { _ = try await transaction.count(self.everything, in: collection) }
                #expect(error?.code.number == 6 && error?.labels == ["TransientTransactionError"])
                #expect(lanes.leased == 0)
            }
        }

        @Test("an abort that comes while a statement runs waits for it, and what is behind it does not run")
        func abortDuringStatement() async throws {
            let test = try TestTransactions.make(laneCount: 1)
            let collection = try await test.collection()
            let transaction = try await test.open()
            try await transaction.insert(#"{"_id": 1}"#, into: collection)
            let (isRunning, mayEnd) = (Shared(false), Shared(false))
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await transaction.withConnection { _ throws(StorageError) in
                        isRunning.update { $0 = true }
                        while !mayEnd.value { Backoff.pause(attempt: 1) }
                    }
                }
                #expect(try await eventually { isRunning.value })
                transaction.orderAbort()
                #expect(test.lanes.leased == 1)
                mayEnd.update { $0 = true }
                let error = await transactionError { try await transaction.insert(#"{"_id": 2}"#, into: collection) }
                #expect(error?.code.number == 251)
                try await group.waitForAll()
            }
            #expect(try await eventually { test.lanes.leased == 0 })
            #expect(try await test.engine.count(everything, in: collection) == 0)
        }

        @Test("a transaction that everyone forgot is rolled back before the lane serves the next")
        func forgotten() async throws {
            let test = try TestTransactions.make(laneCount: 1)
            let collection = try await test.collection(#"{"_id": 1, "n": 0}"#)
            do {
                let transaction = try await test.open()
                _ = try await transaction.update(#"{"_id": 1}"#, #"{"$inc": {"n": 1}}"#, in: collection)
            }
            #expect(try await eventually { test.lanes.leased == 0 })
            let next = try await test.open()
            _ = try await next.update(#"{"_id": 1}"#, #"{"$inc": {"n": 1}}"#, in: collection)
            try await next.commit()
            #expect(try await test.engine.texts(of: collection) == [json(#"{"_id": 1, "n": 1}"#).text])
        }

        @Test("a collection dropped during the transaction: run it again")
        func dropped() async throws {
            let test = try TestTransactions.make(laneCount: 1)
            let collection = try await test.collection()
            _ = try await test.engine.catalog.drop(namespace())
            let transaction = try await test.open()
            let error = await transactionError { try await transaction.insert(#"{"_id": 1}"#, into: collection) }
            #expect(error?.code.number == 246 && error?.labels == ["TransientTransactionError"])
            test.expectLanesFree()
        }
    }
}
