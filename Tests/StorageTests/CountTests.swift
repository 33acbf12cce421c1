import BSON
import Query
import Testing

@testable import Storage

extension DatabaseTests {
    @Suite struct CountTests {
        private static let long = String(repeating: "x", count: 3_000)

        @Test(
            "what PostgreSQL counts alone is what the filter matches",
            arguments: [
                "{}", #"{"_id": 5}"#, #"{"_id": {"$in": [1, 5, 5.0, "a", 77]}}"#, #"{"_id": {"$gt": 5}}"#,
                #"{"_id": {"$gte": 5, "$lt": 9}}"#, #"{"_id": {"$lt": 5}}"#, #"{"_id": {"$lte": "b"}}"#,
                #"{"_id": {"$gt": 5, "$lt": "b"}}"#, #"{"_id": {"$gt": "LONG"}}"#, #"{"_id": {"$lte": "LONGb"}}"#,
                #"{"_id": "LONGa"}"#, #"{"_id": null}"#, #"{"_id": {"$gt": {"$minKey": 1}}}"#, #"{"_id": {"$in": []}}"#,
            ])
        func count(_ text: String) async throws {
            let filter = text.replacing("LONG", with: Self.long)
            let store = try TestStore.make()
            let collection = try await store.collection()
            let ids =
                (0..<20).map { "\($0)" } + [
                    #""a""#, #""b""#, #""c""#, "\"\(Self.long)a\"", "\"\(Self.long)b\"", "null",
                ]
                + [#"{"$numberDouble": "NaN"}"#, #"{"$numberDouble": "-Infinity"}"#, "true", "{\"a\": 1}"]
            try await store.engine.fill(ids.map { json("{\"_id\": \($0)}") }, into: collection)
            let query = FindQuery(filter: try Filter(compiling: json(filter)))
            let matching = try ids.filter { try query.filter.matches(json("{\"_id\": \($0)}")) }.count
            #expect(try await store.engine.count(query, in: collection) == Int64(matching))
            #expect(try await store.engine.documents(of: collection, where: filter).count == matching)
        }

        @Test(
            "a skip and a limit that together are more than a number holds",
            arguments: [nil, #"{"n": 1}"#], ["{}", #"{"_id": {"$gt": 0}}"#, #"{"x": null}"#])
        func skipAndLimit(sort: String?, filter: String) async throws {
            let store = try TestStore.make()
            let collection = try await store.collection()
            try await store.engine.fill([json(#"{"_id": 1}"#)], into: collection)
            for (skip, limit, found) in [(0, Int.max, 1), (1, .max, 0), (.max, 5, 0), (.max, .max, 0)] {
                var query = FindQuery(filter: try Filter(compiling: json(filter)))
                (query.skip, query.limit) = (skip, limit)
                query.sort = try sort.map { try SortPattern(compiling: json($0)) }
                #expect(try await store.engine.count(query, in: collection) == Int64(found))
                var run = QueryRun(query, on: collection)
                #expect(try await store.engine.next(&run, count: 10).count == found)
            }
        }
    }
}
