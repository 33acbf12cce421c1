import BSON
import CommandModel
import Query
import Testing

@testable import Storage

extension DatabaseTests {
    /// `$group` that counts, by the keys of an index.
    @Suite struct GroupCountTests {
        private let store: TestStore
        private static let stage = #"{"$group": {"_id": "$a.b", "n": {"$sum": 1}, "m": {"$count": {}}}}"#

        init() async throws {
            store = try TestStore.make()
        }

        private func collection(_ index: String, _ documents: [String]) async throws -> Storage.Collection {
            try await store.engine.fill(documents.map { json($0) }, into: try await store.collection())
            try await store.index(index)
            return try #require(try await store.engine.catalog.collection(namespace()))
        }

        private func group(_ stage: String) throws -> Group {
            let stages = try json(#"{"p": [\#(stage)]}"#).withRaw { raw in
                try PipelineCompiler(in: .anyTime).compile(try #require(raw["p"]?.array)).pipeline.stages
            }
            guard case .group(let group)? = stages.first else { throw CommandError(.badValue, "no group") }
            return group
        }

        @Test(
            "keys are counted as documents would be",
            arguments: [#"{"key": {"a.b": 1}}"#, #"{"key": {"a.b": -1}}"#])
        func counts(_ index: String) async throws {
            let seed = SeededGenerator.seed()
            var random = SeededGenerator(seed: seed)
            let values = [
                #"{"b": 1}"#, #"{"b": 2}"#, #"{"b": null}"#, "{}", "7", #"{"b": "x"}"#, #"{"b": {"c": 1}}"#,
                #"{"b": "\#(String(repeating: "y", count: 900))"}"#, #"{"b": true}"#,
            ]
            let documents = (0..<500).map { number in
                #"{"_id": \#(number), "a": \#(values.randomElement(using: &random) ?? "{}")}"#
            }
            let collection = try await collection(index, documents)
            let counting = try #require(try group(Self.stage).fieldCounting)
            let keys = try #require(collection.indexCounting(counting.path, nil))
            var query = FindQuery(filter: .everything)
            let counted = try await DocumentStore(store.engine).count(counting, by: keys, query, in: collection)
            var run = QueryRun(query, on: collection, through: Pipeline([.group(try group(Self.stage))]))
            let expected = try await store.engine.next(&run, count: 100).map(\.text).sorted()
            #expect(counted?.map(\.text).sorted() == expected, "seed \(seed)")
            #expect(expected.count == 7)
            query.sortBytesMax = 100
            #expect(try await DocumentStore(store.engine).count(counting, by: keys, query, in: collection) == nil)
        }

        @Test(
            "an index that does not tell what is counted is not asked",
            arguments: [
                (#"{"key": {"a.b": 1}}"#, #"{"a": [{"b": 1}]}"#), (#"{"key": {"a.b": 1}, "sparse": true}"#, "{}"),
                (#"{"key": {"a.b": 1, "c": 1}}"#, "{}"), (#"{"key": {"a.b": "hashed"}}"#, "{}"),
                (#"{"key": {"a.b": 1}, "partialFilterExpression": {"c": 1}}"#, "{}"), (#"{"key": {"a": 1}}"#, "{}"),
            ])
        func refused(_ index: String, _ document: String) async throws {
            #expect(try await collection(index, [document]).indexCounting("a.b", nil) == nil)
        }

        @Test(
            "a group that asks for more is grouped",
            arguments: [
                #"{"$group": {"_id": "$a", "n": {"$sum": 2}}}"#, #"{"$group": {"_id": "$a", "n": {"$sum": "$b"}}}"#,
                #"{"$group": {"_id": {"x": "$a"}, "n": {"$sum": 1}}}"#, #"{"$group": {"_id": null, "n": {"$sum": 1}}}"#,
                #"{"$group": {"_id": "$$ROOT", "n": {"$sum": 1}}}"#,
            ])
        func grouped(_ stage: String) throws {
            #expect(try group(stage).fieldCounting == nil)
        }
    }
}
