import BSON
import CommandModel
import Postgres
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    @Suite struct ConnectionLossTests {
        private static func terminate(beside connection: Connection) throws -> Int64 {
            let result = try connection.execute(
                Statement(
                    """
                    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                    WHERE datname = current_database() AND pid <> pg_backend_pid()
                    """))
            return result.int8(row: 0, column: 0) ?? 0
        }

        @Test("connections killed during a storm of writes: what was acknowledged is there, and connections come back")
        func killed() async throws {
            let store = try TestStore.make()
            let collection = try await store.collection()
            _ = try await store.engine.insert(json(#"{"_id": "hot", "n": 0}"#), into: collection)
            let isOver = Shared<Bool>(false)
            let (tried, counted) = (Shared<Int64>(0), Shared<Int64>(0))
            let acknowledged = Shared<Set<Int64>>([])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<32 {
                    group.addTask {
                        var id = Int64(task) * 1_000_000
                        while !isOver.value {
                            id += 1
                            let document = json("{\"_id\": \(id)}")
                            let code = await errorCode { try await store.engine.insert(document, into: collection) }
                            #expect(code == nil || code == 6 || code == 10107)
                            if code == nil { acknowledged.update { _ = $0.insert(document.int("_id") ?? 0) } }
                            tried.update { $0 += 1 }
                            let increment = await errorCode {
                                _ = try await store.engine.modify(
                                    .update(#"{"_id": "hot"}"#, #"{"$inc": {"n": 1}}"#), in: collection)
                            }
                            if increment == nil { counted.update { $0 += 1 } }
                        }
                    }
                }
                group.addTask {
                    defer { isOver.update { $0 = true } }
                    let killer = try store.connect()
                    for _ in 0..<15 {
                        let before = acknowledged.value.count
                        try #require(try await eventually { acknowledged.value.count > before + 50 })
                        #expect(try Self.terminate(beside: killer) > 0)
                    }
                }
                try await group.waitForAll()
            }
            let documents = try await Self.documents(store, collection)
            let found = Set(documents.compactMap { $0.int("_id") })
            #expect(found.isSuperset(of: acknowledged.value))
            let sum = documents.compactMap { $0.int("n") }.reduce(0, +)
            #expect(sum >= counted.value && sum <= tried.value)
            #expect(
                try await eventually {
                    await errorCode { try await store.engine.insert(json(#"{"_id": "after"}"#), into: collection) }
                        == nil
                })
        }

        /// A connection killed while idle may fail the first work on it.
        private static func documents(
            _ store: TestStore, _ collection: Storage.Collection
        ) async throws -> [Document] {
            let found = Shared<[Document]>([])
            _ = try await eventually {
                await errorCode {
                    let documents = try await store.engine.documents(of: collection)
                    found.update { $0 = documents }
                } == nil
            }
            return found.value
        }
    }
}
