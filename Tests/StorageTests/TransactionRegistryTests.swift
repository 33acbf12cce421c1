import BSON
import CommandModel
import NIOCore
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    @Suite(.timeLimit(.minutes(20))) struct TransactionRegistryTests {
        private let id = LogicalSessionID(uuid: Array(repeating: 1, count: 16))
        private let other = LogicalSessionID(uuid: Array(repeating: 2, count: 16))

        private func count(_ test: TestTransactions, _ collection: Storage.Collection) async throws -> Int64 {
            try await test.engine.count(FindQuery(filter: .everything), in: collection)
        }

        @Test("begin, go on, commit, commit again; then the next one")
        func life() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection()
            let registry = test.registry
            for number in Int64(1)...3 {
                let begun = try await registry.begin(number, of: id, isolation: .snapshot)
                try await begun.insert("{\"_id\": \(number)}", into: collection)
                #expect(try registry.transaction(number, of: id) === begun)
                #expect(try await registry.commit(number, of: id, recording: []) == .committed)
                #expect(try await registry.commit(number, of: id, recording: []) == .committed)
                #expect(await errorCode { _ = try registry.transaction(number, of: id) } == 256)
                #expect(await errorCode { try await registry.abort(number, of: id) } == 256)
            }
            #expect(try await count(test, collection) == 3)
            let outcomes = registry.metrics.snapshot
            #expect(outcomes.started == 3 && outcomes.committed == 3 && outcomes.aborted == 0)
            #expect(registry.metrics.open == 0)
            test.expectLanesFree()
        }

        @Test("abort rolls back and gives the lane back; a second abort and a commit find no transaction")
        func abort() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection()
            let transaction = try await test.registry.begin(1, of: id, isolation: .serializable)
            try await transaction.insert(#"{"_id": 1}"#, into: collection)
            try await test.registry.abort(1, of: id)
            test.expectLanesFree()
            #expect(await errorCode { try await test.registry.abort(1, of: id) } == 251)
            #expect(await errorCode { _ = try await test.registry.commit(1, of: id, recording: []) } == 251)
            #expect(try await count(test, collection) == 0)
            #expect(test.registry.metrics.serializable.aborted == 1)
        }

        @Test("a statement that failed ends the transaction, also for the commit")
        func failed() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection(#"{"_id": 1}"#)
            let transaction = try await test.registry.begin(1, of: id, isolation: .snapshot)
            #expect(await errorCode { try await transaction.insert(#"{"_id": 1}"#, into: collection) } == 11000)
            await test.registry.fail(1, of: id)
            test.expectLanesFree()
            #expect(await errorCode { _ = try test.registry.transaction(1, of: id) } == 251)
            #expect(await errorCode { _ = try await test.registry.commit(1, of: id, recording: []) } == 251)
            await test.registry.fail(1, of: id)
        }

        @Test("a newer transaction, or retryable write, rolls the one in progress back: its locks are gone")
        func superseded() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection(#"{"_id": 1, "n": 0}"#)
            let increment = #"{"$inc": {"n": 1}}"#
            for number in Int64(1)...3 {
                let transaction = try await test.registry.begin(number, of: id, isolation: .snapshot)
                _ = try await transaction.update(#"{"_id": 1}"#, increment, in: collection)
                #expect(test.lanes.leased == 1)
            }
            try await test.registry.writeRetryably(4, of: id)
            test.expectLanesFree()
            #expect(await errorCode { _ = try test.registry.transaction(3, of: id) } == 225)
            _ = try await test.engine.modify(.update(#"{"_id": 1}"#, increment), in: collection)
            #expect(try await test.engine.texts(of: collection) == [json(#"{"_id": 1, "n": 1}"#).text])
            try await test.registry.writeRetryably(1, of: other)
            #expect(test.registry.state(of: other) == .none)
        }

        @Test("when no lane is to be had nothing has happened: the same number may begin again")
        func noLane() async throws {
            let test = try TestTransactions(TestServer.database(), laneCount: 1, waitMilliseconds: 30)
            _ = try await test.registry.begin(1, of: other, isolation: .snapshot)
            #expect(await errorCode { _ = try await test.registry.begin(1, of: id, isolation: .snapshot) } == 462)
            try await test.registry.abort(1, of: other)
            _ = try await test.registry.begin(1, of: id, isolation: .snapshot)
            try await test.registry.abort(1, of: id)
            test.expectLanesFree()
        }

        @Test("a commit that this server knows nothing of is looked up")
        func lookUp() async throws {
            let test = try TestTransactions.make()
            #expect(try await test.registry.commit(9, of: id, recording: []) == .lookUpRecord)
            try test.registry.recordFound(9, of: id, isCommitted: true)
            #expect(try await test.registry.commit(9, of: id, recording: []) == .committed)
            #expect(await errorCode { _ = try await test.registry.begin(8, of: id, isolation: .snapshot) } == 225)
        }

        @Test("a transaction whose time is up is rolled back, and its documents are free")
        func expiry() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection(#"{"_id": 1, "n": 0}"#)
            let transaction = try await test.registry.begin(1, of: id, isolation: .snapshot)
            _ = try await transaction.update(#"{"_id": 1}"#, #"{"$inc": {"n": 1}}"#, in: collection)
            #expect(test.registry.reap(now: .now() + .seconds(30)) == 0)
            #expect(test.registry.reap(now: .now() + .seconds(61)) == 1)
            #expect(await errorCode { _ = try test.registry.transaction(1, of: id) } == 251)
            #expect(await transactionError { try await transaction.commit() }?.code.number == 251)
            _ = try await test.engine.modify(.update(#"{"_id": 1}"#, #"{"$inc": {"n": 5}}"#), in: collection)
            #expect(try await test.engine.texts(of: collection) == [json(#"{"_id": 1, "n": 5}"#).text])
            #expect(try await eventually { test.lanes.leased == 0 })
            #expect(test.registry.metrics.snapshot.expired == 1)
            #expect(test.registry.state(of: id) == .aborted(1))
            test.registry.reap(now: .now() + .hours(1))
            #expect(test.registry.state(of: id) == .none)
        }

        @Test("killed sessions lose their transactions, others keep them; ended ones are forgotten")
        func kill() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection()
            let killed = try await test.registry.begin(1, of: id, isolation: .snapshot)
            let kept = try await test.registry.begin(1, of: other, isolation: .snapshot)
            try await killed.insert(#"{"_id": 1}"#, into: collection)
            try await kept.insert(#"{"_id": 2}"#, into: collection)
            test.registry.kill([id])
            #expect(await errorCode { _ = try test.registry.transaction(1, of: id) } == 251)
            #expect(try await test.registry.commit(1, of: other, recording: []) == .committed)
            #expect(try await eventually { test.lanes.leased == 0 })
            #expect(try await count(test, collection) == 1)
            test.registry.end([id, other])
            #expect(test.registry.state(of: id) == .none && test.registry.state(of: other) == .none)
        }

        @Test("at shutdown all are rolled back, and none begins")
        func shutDown() async throws {
            let test = try TestTransactions.make()
            let collection = try await test.collection()
            let transaction = try await test.registry.begin(1, of: id, isolation: .snapshot)
            try await transaction.insert(#"{"_id": 1}"#, into: collection)
            test.registry.shutDown()
            #expect(await errorCode { _ = try await test.registry.begin(1, of: other, isolation: .snapshot) } == 91)
            #expect(try await eventually { test.lanes.leased == 0 })
            #expect(try await count(test, collection) == 0)
        }
    }
}
