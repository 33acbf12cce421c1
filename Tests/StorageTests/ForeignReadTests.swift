import BSON
import CommandModel
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    /// Pipelines that read other collections on the connection that they run on.
    @Suite struct ForeignReadTests {
        private let store: TestStore
        private let orders: Storage.Collection
        private let items: Storage.Collection

        init() async throws {
            store = try TestStore.make(.init(general: 1))
            orders = try await store.engine.catalog.collectionOrCreate(namespace("orders")).collection
            items = try await store.engine.catalog.collectionOrCreate(namespace("items")).collection
            try await store.engine.fill(
                (0..<2_500).map { json(#"{"_id": \#($0), "item": \#($0 % 700), "s": "s\#($0 % 7)"}"#) }, into: orders)
            try await store.engine.fill(
                (0..<700).map { json(#"{"_id": \#($0), "v": \#($0), "s": "s\#($0)"}"#) }, into: items)
        }

        private func run(_ stages: String, memory: Int? = nil) throws -> QueryRun {
            let pipeline = try json(#"{"p": \#(stages)}"#).withRaw { raw in
                try PipelineCompiler(in: .none).compile(raw["p"]?.array ?? json("{}").withRaw { $0 }).pipeline
            }
            var foreign = ForeignCollections(database: "test")
            foreign.collections = ["orders": orders, "items": items]
            var query = FindQuery(filter: .everything)
            if let memory { query.sortBytesMax = memory }
            return QueryRun(query, on: orders, through: pipeline, reading: foreign)
        }

        private func results(
            _ run: QueryRun, batch: Int = 1_000, in transaction: OpenTransaction? = nil
        ) async throws -> [Document] {
            var (run, results) = (run, [Document]())
            var documents = DocumentStore(store.engine)
            documents.transaction = transaction
            repeat {
                let (filled, next) = try await documents.fill(
                    ReplyBatch(into: DocumentBuilder(), documentsMax: batch), from: run, deadline: .never)
                run = next
                filled.builder.finish().withRaw { raw in
                    results += raw.compactMap { $0.value.document.map(Document.init(copying:)) }
                }
            } while !run.isExhausted
            return results
        }

        static let joins = [
            #"{"from": "items", "localField": "item", "foreignField": "_id", "as": "j"}"#,
            #"{"from": "items", "localField": "item", "foreignField": "v", "as": "j"}"#,
            #"""
            {"from": "items", "let": {"i": "$item"}, "as": "j",
                "pipeline": [{"$match": {"$expr": {"$eq": ["$v", "$$i"]}}}]}
            """#,
        ]

        @Test("a join finds for each document what belongs to it, over many batches", arguments: joins, [1_000, 37])
        func join(_ lookup: String, batch: Int) async throws {
            let limit = lookup.contains("let") ? 60 : 2_500
            let run = try run(#"[{"$limit": \#(limit)}, {"$lookup": \#(lookup)}]"#)
            let found = try await results(run, batch: batch)
            #expect(found.count == limit)
            for (index, document) in found.enumerated() {
                #expect(
                    document.text == #"{"_id":\#(index),"item":\#(index % 700),"s":"s\#(index % 7)","#
                        + #""j":[{"_id":\#(index % 700),"v":\#(index % 700),"s":"s\#(index % 700)"}]}"#)
            }
        }

        @Test("a join gives the same when memory holds neither the collection nor what belongs to a batch")
        func littleMemory() async throws {
            let stages = #"[{"$limit": 400}, {"$lookup": \#(Self.joins[1])}]"#
            let expected = try await results(try run(stages)).map(\.text)
            #expect(try await results(try run(stages, memory: 12_000)).map(\.text) == expected)
        }

        @Test("a union behind a sort, and pipelines side by side")
        func others() async throws {
            let union = try run(#"[{"$sort": {"_id": -1}}, {"$limit": 2}, {"$unionWith": "items"}, {"$count": "n"}]"#)
            #expect(try await results(union).map(\.text) == [#"{"n":702}"#])
            let facet = try run(
                #"""
                [{"$facet": {"n": [{"$count": "n"}],
                    "j": [{"$match": {"_id": 3}}, {"$lookup": \#(Self.joins[1])},
                     {"$project": {"_id": 0, "j._id": 1}}]}}]
                """#)
            #expect(try await results(facet).map(\.text) == [#"{"n":[{"n":2500}],"j":[{"j":[{"_id":3}]}]}"#])
        }

        @Test("a collection that has another table now is told as stale, not as empty")
        func stale() async throws {
            let run = try run(#"[{"$limit": 1}, {"$lookup": \#(Self.joins[1])}]"#)
            _ = try await store.engine.catalog.drop(namespace("items"))
            do {
                _ = try await results(run)
                Issue.record("the dropped table was read")
            } catch let error as StorageError {
                #expect(error.isStaleCollection)
            }
        }

        @Test("an operation that is interrupted in a join ends")
        func interrupted() async throws {
            let interruption = Interruption()
            let deadline = Deadline(maxTimeMilliseconds: 0, interruption: interruption)
            let lookup = Self.joins[2]
            let run = try run(
                #"[{"$lookup": \#(lookup)}, {"$unwind": "$j"}, {"$lookup": \#(lookup)}, {"$count": "n"}]"#)
            async let code = errorCode {
                _ = try await store.engine.fill(
                    ReplyBatch(into: DocumentBuilder(), documentsMax: 10), from: run, deadline: deadline)
            }
            try await Task.sleep(for: .milliseconds(50))
            interruption.interrupt(.killed)
            #expect(await code == 11601)
        }
    }
}
