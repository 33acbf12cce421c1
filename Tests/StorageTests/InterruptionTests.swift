import BSON
import CommandModel
import NIOCore
import Postgres
import Query
import SQL
import Testing

@testable import Storage

@Suite("deadlines and interruptions")
struct InterruptionTests {
    @Test("the first reason counts, and comes before the time")
    func reasons() {
        let interruption = Interruption()
        let deadline = Deadline(maxTimeMilliseconds: 1, from: .now() - .seconds(1), interruption: interruption)
        #expect(deadline.failure?.code == .maxTimeMSExpired)
        interruption.interrupt(.clientLeft)
        interruption.interrupt(.killed)
        #expect(deadline.failure?.code.number == 279)
        #expect(Deadline.never.failure == nil && Deadline(maxTimeMilliseconds: 0).isNever)
        #expect(!Deadline(maxTimeMilliseconds: 0, interruption: Interruption()).isNever)
    }

    @Test("an interrupted operation stops within PostgreSQL", arguments: Interruption.Reason.all)
    func statement(reason: Interruption.Reason) async throws {
        let store = try TestStore.make()
        let interruption = Interruption()
        async let code = errorCode {
            try await sleep(in: store, until: Deadline(maxTimeMilliseconds: 0, interruption: interruption))
        }
        #expect(try await eventually { try sleepers(in: store) == 1 })
        interruption.interrupt(reason)
        #expect(await code == reason.error.code.number)
        #expect(try sleepers(in: store) == 0)
        #expect(try await store.engine.general.withConnection { _ in 1 } == 1, "the connection lives")
    }

    @Test("maxTimeMS ends a statement of any kind")
    func timeLimit() async throws {
        let store = try TestStore.make()
        #expect(await errorCode { try await sleep(in: store, until: Deadline(maxTimeMilliseconds: 20)) } == 50)
        #expect(try sleepers(in: store) == 0)
    }

    @Test("an operation that waits for a connection is answered in time, and never runs")
    func queued() async throws {
        let store = try TestStore.make(.init(general: 1))
        let blocker = Interruption()
        async let blocked = errorCode {
            try await sleep(in: store, until: Deadline(maxTimeMilliseconds: 0, interruption: blocker))
        }
        #expect(try await eventually { try sleepers(in: store) == 1 })
        let code = await errorCode {
            try await store.engine.general.withConnection(until: Deadline(maxTimeMilliseconds: 20)) { _ in
                _ = Issue.record("it has run")
            }
        }
        #expect(code == 50, "answered while the only connection was busy")
        #expect(try sleepers(in: store) == 1)
        blocker.interrupt(.killed)
        #expect(await blocked == 11601)
        try await store.engine.general.withConnection { _ in }
    }

    @Test("what is over before it begins does not begin")
    func expired() async throws {
        let store = try TestStore.make()
        let collection = try await store.collection()
        try await store.engine.insert(json(#"{"_id": 1}"#), into: collection)
        let past = Deadline(maxTimeMilliseconds: 1, from: .now() - .seconds(1))
        #expect(await errorCode { _ = try await store.engine.read(key("1"), from: collection, deadline: past) } == 50)
        #expect(await errorCode { try await store.engine.insert(json("{}"), into: collection, deadline: past) } == 50)
        let update = try DocumentOperation.update(#"{"_id": 1}"#, #"{"$set": {"n": 1}}"#)
        #expect(
            await errorCode { _ = try await store.engine.modifyOne(update, in: collection, deadline: past) } == 50)
        #expect(await errorCode { _ = try await store.engine.validate(collection, deadline: past) } == 50)
        #expect(try await store.engine.texts(of: collection) == [#"{"_id":1}"#])
    }

    private func sleep(in store: TestStore, until deadline: Deadline) async throws(StorageError) {
        try await store.engine.general.withConnection(until: deadline) { connection throws(StorageError) in
            do throws(PostgresError) {
                _ = try connection.execute(script: "SELECT pg_sleep(120)")
            } catch { throw .postgres(error) }
        }
    }

    private func sleepers(in store: TestStore) throws -> Int64? {
        try store.connect().execute(
            Statement(
                """
                SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' \
                AND query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()
                """
            )
        ).int8(row: 0, column: 0)
    }
}

extension Interruption.Reason {
    static let all: [Interruption.Reason] = [.killed, .clientLeft]
}
