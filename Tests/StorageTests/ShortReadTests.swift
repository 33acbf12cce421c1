import BSON
import CommandModel
import Metrics
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    /// Reads of few rows share the readers' connections.
    @Suite struct ShortReadTests {
        static let groups = 7

        private func filled(_ store: TestStore, indexed: Bool = true) async throws -> Storage.Collection {
            if indexed { try await store.index(#"{"key":{"group":1}}"#) }
            let collection = try await store.collection()
            let documents = (0..<210).map { json("{\"_id\":\($0),\"group\":\($0 % Self.groups)}") }
            try await store.engine.fill(documents, into: collection)
            return collection
        }

        private func run(_ filter: String, on collection: Storage.Collection) throws -> QueryRun {
            QueryRun(FindQuery(filter: try Filter(compiling: json(filter))), on: collection)
        }

        @Test("many at once, in batches of every size, get what is theirs, and none has a connection for itself")
        func together() async throws {
            let store = try TestStore.make()
            let collection = try await filled(store)
            let before = store.engine.general.metrics.requests
            try await concurrently(60) { number in
                let group = number % Self.groups
                var run = try self.run("{\"group\":\(group)}", on: collection)
                var ids: [Int64] = []
                while !run.isExhausted {
                    ids += try await store.engine.next(&run, count: 1 + number).compactMap { $0.int("_id") }
                }
                #expect(ids.sorted() == (0..<30).map { Int64($0 * Self.groups + group) })
            }
            #expect(store.engine.general.metrics.requests == before)
        }

        @Test("what has more to do than to hand out rows has a connection for itself")
        func others() async throws {
            let store = try TestStore.make()
            let collection = try await filled(store)
            for (filter, batch) in [
                (#"{"group":3,"_id":{"$mod":[2,1]}}"#, 10), (#"{"group":3}"#, 1_000),
            ] {
                let before = store.engine.general.metrics.requests
                var run = try run(filter, on: collection)
                _ = try await store.engine.next(&run, count: batch)
                #expect(store.engine.general.metrics.requests > before, "\(filter)")
            }
        }

        @Test("one that fails takes no other with it")
        func failures() async throws {
            let store = try TestStore.make()
            let collection = try await filled(store)
            let gone = Storage.Collection(namespace: namespace("gone"), number: 999, uuid: [], options: .empty)
            try await concurrently(40) { number in
                if number % 4 == 0 {
                    var run = try self.run("{}", on: gone)
                    let code = await errorCode { _ = try await store.engine.next(&run, count: 10) }
                    #expect(code != nil)
                } else {
                    var run = try self.run("{\"group\":1}", on: collection)
                    #expect(try await store.engine.next(&run, count: 100).count == 30)
                }
            }
        }

        @Test("a connection that is lost in between is no failure")
        func lostConnections() async throws {
            let store = try TestStore.make()
            let collection = try await filled(store)
            let killer = try store.connect()
            for _ in 0..<10 {
                _ = try killer.execute(
                    Statement(
                        """
                        SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                        WHERE datname = current_database() AND pid <> pg_backend_pid()
                        """))
                try await concurrently(8) { _ in
                    var run = try self.run("{\"group\":1}", on: collection)
                    #expect(try await store.engine.next(&run, count: 100).count == 30)
                }
            }
        }
    }
}
