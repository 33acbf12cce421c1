import BSON
import CommandModel
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    /// Queries give the same documents with and without every index, in one batch or in many.
    @Suite struct IndexReadTests {
        static let documents = 300
        static let queries = 150

        static let indexes = [
            [#"{"key":{"a":1}}"#],
            [#"{"key":{"a":-1,"b":1}}"#, #"{"key":{"b.c":1},"sparse":true}"#],
            [#"{"key":{"$**":1}}"#],
            [
                #"{"key":{"d":1,"$**":1},"wildcardProjection":{"d":0}}"#,
                #"{"key":{"$**":1,"d":-1},"wildcardProjection":{"d":0,"c":0}}"#,
            ],
            [#"{"key":{"a":1,"c":1,"b":-1}}"#, #"{"key":{"c":-1,"a":1}}"#],
            [#"{"key":{"b":1,"a":1,"c":-1}}"#, #"{"key":{"c":1},"partialFilterExpression":{"c":{"$gt":1}}}"#],
        ]

        struct Maker {
            var random: SeededGenerator

            mutating func value(_ depth: Int = 0) -> String {
                switch Int.random(in: 0..<(depth > 1 ? 8 : 12), using: &random) {
                case 0: "null"
                case 1: "\"\("xyz".randomElement(using: &random) ?? "x")\""
                case 2: "1.5"
                case 3: "true"
                case 4...7: "\(Int.random(in: -2..<5, using: &random))"
                case 8: "{\"c\":\(value(depth + 1))}"
                default:
                    "["
                        + (0..<Int.random(in: 0..<4, using: &random)).map { _ in value(depth + 1) }
                        .joined(separator: ",") + "]"
                }
            }

            mutating func document(_ id: Int) -> Document {
                var fields = ["\"_id\":\(id)"]
                for name in ["a", "b", "c"] where Int.random(in: 0..<5, using: &random) > 0 {
                    // Two arrays in the fields of one index are refused.
                    let value = name == "b" ? value() : value(2)
                    fields.append("\"\(name)\":\(value)")
                }
                if id % 5 > 0 { fields.append("\"d\":\(Int.random(in: 0..<4, using: &random))") }
                return json("{" + fields.joined(separator: ",") + "}")
            }

            mutating func condition() -> String {
                let path = ["a", "b", "c", "b.c", "d"].randomElement(using: &random) ?? "a"
                let comparison = ["$gt", "$gte", "$lt", "$lte", "$ne", "$eq"].randomElement(using: &random) ?? "$eq"
                switch Int.random(in: 0..<9, using: &random) {
                case 0: return "{\"\(path)\":\(value())}"
                case 1, 2: return "{\"\(path)\":{\"$in\":[\(value(2)),\(value(2)),\(value(2))]}}"
                case 8: return "{\"\(path)\":{\"$gt\":\(value(2)),\"$lte\":\(value(2))}}"
                case 3: return "{\"\(path)\":{\"$exists\":\(Bool.random(using: &random))}}"
                case 4: return "{\"b\":{\"$elemMatch\":{\"$gte\":1,\"$lt\":4}}}"
                default: return "{\"\(path)\":{\"\(comparison)\":\(value(2))}}"
                }
            }

            mutating func filter() -> String {
                let conditions = (0..<Int.random(in: 1..<4, using: &random)).map { _ in condition() }
                let list = conditions.joined(separator: ",")
                return Int.random(in: 0..<4, using: &random) == 0 ? "{\"$or\":[\(list)]}" : "{\"$and\":[\(list)]}"
            }

            mutating func sort() -> String? {
                [nil, #"{"a":1,"_id":1}"#, #"{"b":-1,"_id":1}"#, #"{"a":-1,"b":1,"_id":1}"#].randomElement(
                    using: &random)
                    ?? nil
            }

            /// An order that an index may have, with ties.
            mutating func looseSort() -> String {
                [#"{"a":1}"#, #"{"a":-1}"#, #"{"c":1}"#, #"{"c":-1,"b":1}"#, #"{"b":1}"#, #"{"a":1,"c":1}"#]
                    .randomElement(
                        using: &random) ?? #"{"a":1}"#
            }
        }

        @Test("random filters and sorts: the same documents with and without indexes", arguments: indexes)
        func sameDocuments(indexes: [String]) async throws {
            let seed = SeededGenerator.seed()
            print("MARTLET_SEED=\(seed)")
            var maker = Maker(random: SeededGenerator(seed: seed))
            let store = try TestStore.make()
            let plain = try await store.collection("plain")
            for index in indexes { try await store.index(index, on: namespace("indexed")) }
            for id in 0..<Self.documents {
                let document = maker.document(id)
                try await store.engine.insert(document, into: plain)
                _ = try await store.engine.withCollectionCreated(namespace("indexed")) {
                    collection async throws(StorageError) in
                    try await store.engine.insert(document, into: collection)
                }
            }
            try await store.checkKeys(of: "indexed")
            let indexed = try await store.collection("indexed")
            for _ in 0..<Self.queries {
                let (filter, sort) = (maker.filter(), maker.sort())
                let batch = [1, 7, Int.max].randomElement(using: &maker.random) ?? 1
                let expected = try await store.engine.documents(of: plain, where: filter, sort: sort).map(\.text)
                let found = try await store.engine.documents(
                    of: indexed, where: filter, sort: sort, batch: batch
                ).map(\.text)
                let isSame = sort == nil ? found.sorted() == expected.sorted() : found == expected
                #expect(isSame, "\(filter) \(sort ?? "") MARTLET_SEED=\(seed)")
                let count = try await store.engine.count(
                    FindQuery(filter: try Filter(compiling: json(filter))), in: indexed)
                #expect(Int(count) == expected.count, "count of \(filter) MARTLET_SEED=\(seed)")
                var some = FindQuery(filter: try Filter(compiling: json(filter)))
                (some.skip, some.limit) = (1, 3)
                #expect(
                    try await store.engine.count(some, in: indexed) == Int64(min(max(expected.count - 1, 0), 3)),
                    "count of some \(filter) MARTLET_SEED=\(seed)")
            }
        }

        @Test("orders of indexes, merged walks among them: with a limit the right beginning, in one batch or in many")
        func sameOrder() async throws {
            let seed = SeededGenerator.seed()
            print("MARTLET_SEED=\(seed)")
            var maker = Maker(random: SeededGenerator(seed: seed))
            let store = try TestStore.make()
            try await store.index(
                #"{"key":{"a":1,"c":1,"b":-1}}"#, #"{"key":{"c":1,"a":-1}}"#, #"{"key":{"a":1,"b":1}}"#)
            let plain = try await store.collection("plain")
            for id in 0..<Self.documents {
                let document = maker.document(id)
                try await store.engine.insert(document, into: plain)
                _ = try await store.engine.withCollectionCreated(namespace()) { collection async throws(StorageError) in
                    try await store.engine.insert(document, into: collection)
                }
            }
            let indexed = try await store.collection()
            var merged = 0
            for _ in 0..<300 {
                var query = FindQuery(filter: try Filter(compiling: json(maker.filter())))
                let sort = try SortPattern(compiling: json(maker.looseSort()))
                query.sort = sort
                query.limit = [nil, 1, 5, 40].randomElement(using: &maker.random) ?? nil
                if case .keys(let scan) = try query.choosingAccess(in: indexed).access, scan.mergedFields > 0 {
                    merged += 1
                }
                let expected = try await documents(of: plain, query, batch: .max, store)
                let batch = [1, 3, Int.max].randomElement(using: &maker.random) ?? 1
                let found = try await documents(of: indexed, query, batch: batch, store)
                // Ties come in any order.
                let keys = try [expected, found].map { try $0.map { try $0.withRaw { raw in try sort.key(of: raw) } } }
                #expect(keys[0] == keys[1], "\(query.filter.specification.text) \(sort) MARTLET_SEED=\(seed)")
                #expect(Set(found.map(\.text)).count == found.count)
                if query.limit == nil { #expect(Set(found.map(\.text)) == Set(expected.map(\.text))) }
            }
            #expect(merged > 0)
        }

        private func documents(
            of collection: Storage.Collection, _ query: FindQuery, batch: Int, _ store: TestStore
        ) async throws -> [Document] {
            var run = QueryRun(query, on: collection)
            var all: [Document] = []
            while !run.isExhausted { all += try await store.engine.next(&run, count: batch) }
            return all
        }

        @Test("merged walks read no more keys than are wanted of each")
        func mergedKeys() async throws {
            let store = try TestStore.make()
            try await store.index(#"{"key":{"a":1,"b":1}}"#)
            let collection = try await store.collection()
            try await store.engine.fill(
                (0..<2_000).map { json("{\"_id\":\($0),\"a\":\($0 % 4),\"b\":\(1_999 - $0)}") }, into: collection)
            _ = try store.connect().execute(Statement.once("VACUUM (ANALYZE) \(collection.readyIndexes[0].table)"))
            var query = FindQuery(filter: try Filter(compiling: json(#"{"a":{"$in":[1,3]}}"#)))
            query.sort = try SortPattern(compiling: json(#"{"b":1}"#))
            query.limit = 5
            let found = try await documents(of: collection, query, batch: .max, store).compactMap { $0.int("b") }
            #expect(found == [0, 2, 4, 6, 8])
            let plans = try await store.engine.profile(query, in: collection, counts: false).postgresPlans
            let plan = try #require(plans.first)
            #expect(plan.contains("Limit") && !plan.contains(#""Actual Rows": 500"#), "\(plan)")
        }

        @Test("the index whose keys match least is taken, by what ANALYZE has found")
        func statistics() async throws {
            let store = try TestStore.make()
            let collection = try await store.collection()
            // `a` is 1 in most documents, `b` has many values.
            try await store.engine.fill(
                (0..<3_000).map {
                    json("{\"_id\":\($0),\"a\":\($0 < 2_900 ? 1 : $0),\"b\":\($0 % 1_000),\"c\":\($0 % 2)}")
                }, into: collection)
            try await store.index(#"{"key":{"a":1}}"#, #"{"key":{"b":1}}"#, #"{"key":{"c":1}}"#)
            _ = try store.connect().execute(Statement("ANALYZE"))
            try await store.engine.refreshEstimates()
            let indexed = try await store.collection()
            #expect(store.engine.estimates[indexed] == 3_000)
            await store.engine.prepareStatistics(of: indexed)
            func chosen(_ filter: String) throws -> String {
                let query = FindQuery(filter: try Filter(compiling: json(filter)))
                switch try query.choosingAccess(in: indexed).access {
                case .keys(let scan): return scan.index.definition.name
                case .collection: return "collection"
                default: return "other"
                }
            }
            #expect(try chosen(#"{"a":1,"b":7}"#) == "index1")
            #expect(try chosen(#"{"a":2950,"b":{"$lt":900}}"#) == "index0")
            #expect(try chosen(#"{"a":1,"c":1}"#) == "collection")
            // What has changed is found out after the next ANALYZE.
            _ = try store.connect().execute(Statement("DELETE FROM \(indexed.readyIndexes[1].table)"))
            _ = try store.connect().execute(Statement("ANALYZE \(indexed.readyIndexes[1].table)"))
            #expect(!indexed.readyIndexes[1].statistics.claim())
            try await store.engine.refreshEstimates()
            #expect(indexed.readyIndexes[1].statistics.claim())
        }

        @Test("min and max are bounds in the hinted index; without one of them it is open")
        func keyRange() async throws {
            let store = try TestStore.make()
            try await store.index(#"{"key":{"a":1,"b":-1}}"#)
            let collection = try await store.collection()
            try await store.engine.fill(
                (0..<20).map { json("{\"_id\":\($0),\"a\":\($0 % 4),\"b\":\($0)}") }, into: collection)
            func ids(_ min: String?, _ max: String?) async throws -> [Int64] {
                var query = FindQuery(filter: .everything)
                query.hint = .name("index0")
                query.keyRange = (min.map(json), max.map(json))
                var run = QueryRun(query, on: collection)
                return try await store.engine.next(&run, count: .max).compactMap { $0.int("_id") }
            }
            #expect(try await ids(#"{"a":1,"b":9}"#, #"{"a":2,"b":14}"#) == [9, 5, 1, 18])
            #expect(try await ids(#"{"a":3,"b":7}"#, nil) == [7, 3])
            #expect(try await ids(nil, #"{"a":0,"b":12}"#) == [16])
            #expect(await errorCode { _ = try await ids(#"{"b":1}"#, nil) } == 51174)
            #expect(await errorCode { _ = try await ids(#"{"a":2,"b":0}"#, #"{"a":1,"b":0}"#) } == 51175)
        }

        @Test("a cursor over an index of a capped collection goes on while its oldest documents go")
        func cappedIndex() async throws {
            let store = try TestStore.make()
            let options = json(#"{"capped":true,"size":1048576,"max":6}"#)
            _ = try await store.engine.catalog.collectionOrCreate(namespace(), options: options)
            try await store.index(#"{"key":{"a":1}}"#)
            let collection = try await store.collection()
            for id in 0..<6 { try await store.engine.insert(json("{\"_id\":\(id),\"a\":\(9 - id)}"), into: collection) }
            var run = QueryRun(FindQuery(filter: try Filter(compiling: json(#"{"a":{"$gt":0}}"#))), on: collection)
            var found = try await store.engine.next(&run, count: 2).compactMap { $0.int("_id") }
            try await store.engine.insert(json(#"{"_id":6,"a":0}"#), into: collection)
            while !run.isExhausted { found += try await store.engine.next(&run, count: 2).compactMap { $0.int("_id") } }
            #expect(found == [5, 4, 3, 2, 1])
        }

        @Test(
            "returnKey shows the values of the key by which a document was found",
            arguments: [
                (#"{"a":{"$gt":1}}"#, nil, nil, [#"{"a":2.5,"b":"x"}"#, #"{"a":3,"b":null}"#, #"{"a":7,"b":null}"#]),
                (
                    #"{"a":{"$gt":1}}"#, #"{"a":-1}"#, nil,
                    [#"{"a":3,"b":null}"#, #"{"a":7,"b":null}"#, #"{"a":2.5,"b":"x"}"#]
                ),
                (
                    #"{"a":{"$gt":1}}"#, #"{"c":1}"#, nil,
                    [#"{"a":7,"b":null}"#, #"{"a":2.5,"b":"x"}"#, #"{"a":3,"b":null}"#]
                ),
                (#"{"$or":[{"a":3},{"h":5}]}"#, nil, nil, [#"{"a":3,"b":null}"#, #"{"h":4470791281878691347}"#]),
                (#"{}"#, nil, nil, ["{}", "{}", "{}", "{}"]), (#"{"_id":{"$gt":2}}"#, nil, nil, [#"{"_id":3}"#]),
                (#"{}"#, nil, #"{"a":2,"b":1}"#, [#"{"a":2.5,"b":"x"}"#, #"{"a":3,"b":null}"#, #"{"a":7,"b":null}"#]),
            ] as [(String, String?, String?, [String])])
        func returnKey(_ filter: String, _ sort: String?, _ min: String?, _ expected: [String]) async throws {
            let store = try TestStore.make()
            try await store.index(#"{"key":{"a":1,"b":-1}}"#, #"{"key":{"h":"hashed"}}"#)
            let collection = try await store.collection()
            try await store.engine.fill(
                [
                    json(#"{"_id":0,"a":1,"h":5}"#), json(#"{"_id":1,"a":[0,3,9],"c":3}"#),
                    json(#"{"_id":2,"a":2.5,"b":"x","c":2}"#), json(#"{"_id":3,"a":7,"c":1}"#),
                ], into: collection)
            var query = FindQuery(filter: try Filter(compiling: json(filter)))
            query.sort = try sort.map { try SortPattern(compiling: json($0)) }
            query.returnsKey = true
            if let min { (query.hint, query.keyRange) = (.name("index0"), (json(min), nil)) }
            let run = QueryRun(query, on: collection)
            let batch = ReplyBatch(into: DocumentBuilder(), documentsMax: .max, showing: query)
            let (filled, _) = try await store.engine.fill(batch, from: run, deadline: .never)
            let keys = filled.builder.finish().withRaw { raw in
                raw.compactMap { $0.value.document.map { Document(copying: $0).text } }
            }
            #expect(keys == expected)
        }

        @Test("the keys of a geographic index are not shown")
        func unshownKeys() async throws {
            let store = try TestStore.make()
            try await store.index(#"{"key":{"l":"2dsphere"}}"#)
            let collection = try await store.collection()
            var query = FindQuery(
                filter: try Filter(compiling: json(#"{"l":{"$geoWithin":{"$centerSphere":[[0,0],0.1]}}}"#)))
            query.returnsKey = true
            #expect(await errorCode { _ = try query.choosingAccess(in: collection) } == 238)
        }

        @Test(
            "geographic filters: the same documents with and without an index",
            arguments: [#"{"key":{"l":"2dsphere"}}"#, #"{"key":{"l":"2d"}}"#, #"{"key":{"l":"2dsphere","n":1}}"#])
        func sameGeometries(index: String) async throws {
            let seed = SeededGenerator.seed()
            print("MARTLET_SEED=\(seed)")
            var random = SeededGenerator(seed: seed)
            let store = try TestStore.make()
            let plain = try await store.collection("plain")
            try await store.index(index, on: namespace("indexed"))
            func coordinate(_ most: Int) -> String { "\(Double(Int.random(in: -most...most, using: &random)) / 10)" }
            for id in 0..<200 {
                let point = "[\(coordinate(300)),\(coordinate(300))]"
                let document = json(id % 9 == 0 ? "{\"_id\":\(id)}" : "{\"_id\":\(id),\"n\":\(id % 3),\"l\":\(point)}")
                try await store.engine.insert(document, into: plain)
                _ = try await store.engine.withCollectionCreated(namespace("indexed")) {
                    collection async throws(StorageError) in
                    try await store.engine.insert(document, into: collection)
                }
            }
            let indexed = try await store.collection("indexed")
            for _ in 0..<60 {
                let center = "[\(coordinate(300)),\(coordinate(300))]"
                let sphere = "{\"$geoWithin\":{\"$centerSphere\":[\(center),0.08]}}"
                let plane = "{\"$geoWithin\":{\"$center\":[\(center),6]}}"
                let flatIndex = index.contains("\"2d\"")
                // What is near needs an index of its kind, but lies within a circle also where there is none.
                let (asked, same) =
                    [
                        (sphere, sphere), (plane, plane),
                        (
                            "{\"$geoWithin\":{\"$box\":[[-5,-5],\(center)]}}",
                            "{\"$geoWithin\":{\"$box\":[[-5,-5],\(center)]}}"
                        ),
                        ("{\"$nearSphere\":\(center),\"$maxDistance\":0.08}", sphere),
                        flatIndex ? ("{\"$near\":\(center),\"$maxDistance\":6}", plane) : (plane, plane),
                    ].randomElement(using: &random) ?? ("", "")
                let filter = "{\"l\":\(asked)}"
                let expected = try await documents(of: plain, "{\"l\":\(same)}", store)
                #expect(try await documents(of: indexed, filter, store) == expected, "\(filter) MARTLET_SEED=\(seed)")
            }
        }

        /// By `_id`: equal distances have no order.
        private func documents(
            of collection: Storage.Collection, _ filter: String, _ store: TestStore
        ) async throws -> [String] {
            var run = QueryRun(
                FindQuery(filter: try Filter(compiling: json(filter), allowing: .query)), on: collection)
            var all: [Document] = []
            while !run.isExhausted { all += try await store.engine.next(&run, count: .max) }
            return all.sorted { ($0.int("_id") ?? 0) < ($1.int("_id") ?? 0) }.map(\.text)
        }
    }
}
