import BSON
import CommandModel
import Query
import Testing

@testable import Storage

extension DatabaseTests {
    /// What a query takes over from a pipeline, and what memory there is, changes no answer.
    @Suite struct PipelineMetamorphicTests {
        private let store: TestStore
        private let collection: Storage.Collection
        private let other: Storage.Collection
        private var engine: StorageEngine { store.engine }

        init() async throws {
            store = try TestStore.make()
            collection = try await store.collection()
            other = try await store.engine.catalog.collectionOrCreate(namespace("other")).collection
        }

        @Test("pipelines give the same with and without SQL, in little and in much memory, batch by batch")
        func sameAnswers() async throws {
            let seed = SeededGenerator.seed()
            var random = SeededGenerator(seed: seed)
            try await engine.fill(
                (0..<300).map { Self.document($0, &random) }.shuffled(using: &random), into: collection)
            try await engine.fill((0..<40).map { Self.document($0, &random) }, into: other)
            for round in 0..<400 {
                let text = Self.pipeline(&random)
                guard let pipeline = try? Self.compile(text) else { continue }
                guard let expected = await rows(FindQuery(filter: .everything), pipeline, batch: .max) else { continue }
                var rest = pipeline.optimized()
                var query = FindQuery(absorbing: &rest)
                let context: Comment = "seed \(seed) round \(round): \(text)"
                #expect(await rows(query, rest, batch: 7) == expected, context)
                (query.spill, query.sortBytesMax) = (engine.spill, 3_000)
                let spilled = await rows(query, rest, batch: .max)
                // A window needs its partition in memory, and a graph what it has found.
                let needsMemory = ["$setWindowFields", "$fill", "$graphLookup"].contains { text.contains($0) }
                if spilled == nil, needsMemory { continue }
                // Groups that came too late to be in memory come in another order: to a second $group, whose arrays
                // have the order of what came, and to stages that leave some out.
                let behindGroup = text.split(separator: "$group", maxSplits: 1).dropFirst().first ?? ""
                if behindGroup.contains("$skip") || behindGroup.contains("$limit") {
                    #expect(spilled != nil, context)
                } else if behindGroup.contains("$group") {
                    #expect(spilled?.count == expected.count, context)
                } else if text.contains("$group") {
                    #expect(spilled?.sorted() == expected.sorted(), context)
                } else {
                    #expect(spilled == expected, context)
                }
            }
        }

        @Test("rows to skip are skipped by SQL where every row counts", arguments: [1, 40, 1000])
        func offset(_ batch: Int) async throws {
            try await engine.fill((0..<500).map { json(#"{"_id": \#($0), "n": \#($0 % 7)}"#) }, into: collection)
            for skip in [0, 1, 63, 260, 499, 500, Int.max] {
                for limit in [nil, 1, 300, Int.max] {
                    let expected = Array((0..<500).dropFirst(skip).prefix(limit ?? .max)).map(Int64.init)
                    for filter in ["{}", #"{"_id": {"$gte": 0}}"#, #"{"n": {"$gte": 0}}"#] {
                        var query = FindQuery(filter: try Filter(compiling: json(filter)))
                        query.sort = try SortPattern(compiling: json(#"{"_id": 1}"#))
                        (query.skip, query.limit) = (skip, limit)
                        var (run, ids) = (QueryRun(query, on: collection), [Int64]())
                        while !run.isExhausted {
                            ids += try await engine.next(&run, count: batch).compactMap { $0.int("_id") }
                        }
                        #expect(ids == expected, "skip \(skip), limit \(String(describing: limit)), \(filter)")
                    }
                }
            }
        }

        /// Nil for a pipeline that fails.
        private func rows(_ query: FindQuery, _ pipeline: Pipeline, batch: Int) async -> [String]? {
            var foreign = ForeignCollections(database: "test")
            foreign.collections = ["other": other]
            var run = QueryRun(
                query, on: collection, through: pipeline.stages.isEmpty ? nil : pipeline, reading: foreign)
            var rows: [String] = []
            do {
                while !run.isExhausted { rows += try await engine.next(&run, count: batch).map(\.text) }
                return rows
            } catch {
                return nil
            }
        }

        private static func compile(_ pipeline: String) throws -> Pipeline {
            try json(#"{"pipeline": \#(pipeline)}"#).withRaw { document in
                let stages = try #require(document["pipeline"]?.array)
                return try PipelineCompiler(in: .anyTime).compile(stages).pipeline
            }
        }

        private static func pipeline(_ random: inout SeededGenerator) -> String {
            var stages: [String] = []
            for _ in 0..<Int.random(in: 1...5, using: &random) { stages.append(stage(&random)) }
            return "[\(stages.joined(separator: ", "))]"
        }

        private static func stage(_ random: inout SeededGenerator) -> String {
            let id = Int.random(in: -5...310, using: &random)
            let field = ["_id", "a", "b.c", "d"].randomElement(using: &random) ?? "a"
            return [
                #"{"$match": {"_id": {"$gte": \#(id)}}}"#, #"{"$match": {"_id": {"$lt": \#(id), "$gt": 9}}}"#,
                #"{"$match": {"_id": {"$in": [\#(id), 7, 8.0, "k3", null]}}}"#, #"{"$match": {"_id": {"$gt": "k"}}}"#,
                #"{"$match": {"a": {"$gt": 1}, "_id": {"$ne": \#(id)}}}"#, #"{"$match": {"\#(field)": 2}}"#,
                #"{"$sort": {"_id": 1}}"#, #"{"$sort": {"_id": -1}}"#, #"{"$sort": {"\#(field)": -1, "d": 1}}"#,
                #"{"$skip": \#(abs(id) / 4)}"#, #"{"$limit": \#(abs(id) + 1)}"#, #"{"$limit": \#(id % 9 + 10)}"#,
                #"{"$project": {"a": 1, "x": "$\#(field)"}}"#, #"{"$addFields": {"d": {"$add": ["$_id", 1]}}}"#,
                #"{"$set": {"x": "$\#(field)"}}"#, #"{"$unset": "\#(field)"}"#, #"{"$match": {"x": {"$lte": 2}}}"#,
                #"{"$unwind": "$a"}"#, #"{"$unwind": {"path": "$a", "preserveNullAndEmptyArrays": true}}"#,
                #"{"$group": {"_id": "$\#(field)", "n": {"$sum": "$d"}, "l": {"$push": "$_id"}}}"#,
                #"{"$group": {"_id": null, "a": {"$first": "$$ROOT"}, "n": {"$sum": 1}}}"#,
                #"{"$setWindowFields": {"partitionBy": "$d", "sortBy": {"_id": 1}, "output": {"x": {"$sum": "$d"}}}}"#,
                #"{"$facet": {"a": [{"$match": {"\#(field)": 2}}, {"$limit": 9}], "#
                    + #""x": [{"$group": {"_id": "$d", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}]}}"#,
                #"{"$bucketAuto": {"groupBy": "$_id", "buckets": 7, "#
                    + #""output": {"a": {"$sum": "$d"}, "d": {"$max": "$a"}}}}"#,
                #"{"$densify": {"field": "d", "range": {"step": 1, "bounds": [-2, 6]}}}"#,
                #"{"$fill": {"sortBy": {"_id": 1}, "output": {"a": {"method": "locf"}, "x": {"value": "$d"}}}}"#,
                #"{"$setWindowFields": {"sortBy": {"_id": 1}, "output": {"x": {"$sum": "$d", "#
                    + #""window": {"documents": [-3, 1]}}}}}"#,
                #"{"$unionWith": {"coll": "other", "pipeline": [{"$match": {"\#(field)": {"$lt": 3}}}]}}"#,
                #"{"$lookup": {"from": "other", "localField": "\#(field)", "foreignField": "a", "as": "x"}}"#,
                #"{"$lookup": {"from": "other", "localField": "d", "foreignField": "_id", "#
                    + #""pipeline": [{"$limit": 2}, {"$project": {"a": 1}}], "as": "x"}}"#,
                #"{"$lookup": {"from": "other", "let": {"v": "$d"}, "as": "x", "#
                    + #""pipeline": [{"$match": {"$expr": {"$eq": ["$_id", "$$v"]}}}, {"$project": {"a": 1}}]}}"#,
                #"{"$graphLookup": {"from": "other", "startWith": "$d", "connectFromField": "a", "#
                    + #""connectToField": "_id", "as": "x", "maxDepth": 3, "depthField": "n"}}"#,
            ].randomElement(using: &random) ?? "{}"
        }

        private static func document(_ number: Int, _ random: inout SeededGenerator) -> Document {
            let value = ["1", "2", "3.5", "null", "[1, 2]", "[]", #"[{"c": 2}]"#].randomElement(using: &random) ?? "1"
            let id = number % 10 == 3 ? #""k\#(number)""# : "\(number)"
            let text = String(repeating: "x", count: number % 50)
            let fields = [
                #""a": \#(value)"#, #""b": {"c": \#(number % 5)}"#, #""d": \#(number % 4)"#, #""t": "\#(text)""#,
            ]
            return json("{\((fields.shuffled(using: &random) + [#""_id": \#(id)"#]).joined(separator: ", "))}")
        }
    }
}
