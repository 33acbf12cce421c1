import BSON
import CommandModel
import Metrics
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    /// Documents that do not come with the rows, among those that do.
    @Suite struct LargeDocumentTests {
        /// The least size at which a document comes by itself is among these.
        static let sizes = [10, 100_000, 65_400, 65_500, 65_600, 20, 200_000, 30, 40]
        static let documents = 108

        private func filled(_ store: TestStore) async throws -> Storage.Collection {
            try await store.index(#"{"key":{"g":1}}"#)
            let collection = try await store.collection()
            for id in 0..<Self.documents {
                let text = String(repeating: "x", count: Self.sizes[id % Self.sizes.count])
                try await store.engine.insert(
                    json("{\"_id\":\(id),\"g\":\(id % 4),\"t\":\"\(text)\"}"), into: collection)
            }
            return collection
        }

        struct Shape: CustomTestStringConvertible, Sendable {
            let filter: String
            var sort: String?
            var limit: Int?
            let ids: [Int64]
            var testDescription: String { "\(filter) \(sort ?? "") \(limit ?? 0)" }
        }

        static let all = Array(0..<Int64(documents))
        static let shapes = [
            Shape(filter: "{}", ids: all),
            Shape(filter: "{}", sort: #"{"$natural":-1}"#, ids: all.reversed()),
            Shape(filter: "{}", sort: #"{"_id":1}"#, limit: 50, ids: Array(all.prefix(50))),
            Shape(filter: #"{"_id":{"$gte":50}}"#, sort: #"{"_id":-1}"#, ids: all[50...].reversed()),
            Shape(filter: #"{"g":2}"#, ids: all.filter { $0 % 4 == 2 }),
            Shape(filter: #"{"g":2}"#, limit: 20, ids: Array(all.filter { $0 % 4 == 2 }.prefix(20))),
            Shape(filter: #"{"g":{"$gte":2},"_id":{"$mod":[9,1]}}"#, ids: all.filter { $0 % 4 >= 2 && $0 % 9 == 1 }),
            Shape(filter: #"{"t":{"$regex":"^x{20}$"}}"#, ids: all.filter { $0 % 9 == 5 }),
            Shape(filter: "{}", sort: #"{"g":1,"_id":1}"#, ids: all.sorted { ($0 % 4, $0) < ($1 % 4, $1) }),
        ]

        @Test("come in their turn, in batches of every size", arguments: [1, 7, .max])
        func inTurn(batch: Int) async throws {
            let store = try TestStore.make()
            let collection = try await filled(store)
            for shape in Self.shapes {
                var query = FindQuery(filter: try Filter(compiling: json(shape.filter)))
                query.sort = try shape.sort.map { try SortPattern(compiling: json($0)) }
                query.limit = shape.limit
                var run = QueryRun(query, on: collection)
                var found: [Document] = []
                while !run.isExhausted { found += try await store.engine.next(&run, count: batch) }
                let ids = found.compactMap { $0.int("_id") }
                let isOrdered = shape.sort != nil || shape.filter == "{}"
                #expect(isOrdered ? ids == shape.ids : ids.sorted() == shape.ids, "\(shape.testDescription)")
                for document in found {
                    let size = document.withRaw { $0["t"]?.string?.utf8.count }
                    let id = Int(document.int("_id") ?? 0)
                    #expect(size == Self.sizes[id % Self.sizes.count])
                }
            }
        }

        @Test("one that is deleted while the rows before it are read is left out")
        func deleted() async throws {
            let store = try TestStore.make()
            let collection = try await filled(store)
            var run = QueryRun(FindQuery(filter: .everything), on: collection)
            var ids = try await store.engine.next(&run, count: 1).compactMap { $0.int("_id") }
            try await concurrently(2) { task in
                guard task == 0 else { return }
                for id in 70..<Self.documents {
                    _ = try await store.engine.modify(try .delete("{\"_id\":\(id)}"), in: collection)
                }
            }
            while !run.isExhausted {
                ids += try await store.engine.next(&run, count: 30).compactMap { $0.int("_id") }
            }
            #expect(ids == Array(0..<70))
        }

        @Test("the connection goes on behind a reader that has enough, or refuses one of them")
        func afterwards() async throws {
            let store = try TestStore.make()
            let collection = try await filled(store)
            for limit in [1, 2, 3, 7, 8, 70] {
                var query = FindQuery(filter: try Filter(compiling: json(#"{"g":{"$ne":9}}"#)))
                query.limit = limit
                var run = QueryRun(query, on: collection)
                #expect(try await store.engine.next(&run, count: .max).count == limit)
                let code = await errorCode {
                    let failing = #"{"$expr":{"$cond":[{"$eq":["$_id",7]},{"$divide":[1,0]},true]}}"#
                    _ = try await store.engine.documents(of: collection, where: failing)
                }
                #expect(code == 224)
            }
            #expect(try await store.engine.documents(of: collection).count == Self.documents)
        }
    }
}
