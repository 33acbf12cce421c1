import BSON
import CommandModel
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    @Suite struct CollectionKindTests {
        private let store: TestStore

        init() throws { store = try TestStore.make() }

        private func make(_ options: String, _ name: String = "c") async throws -> Storage.Collection {
            try await store.engine.catalog.collectionOrCreate(namespace(name), options: json(options)).collection
        }

        private func measurement(_ seconds: Int, _ rest: String) -> Document {
            json(#"{"t": {"$date": {"$numberLong": "\#(seconds * 1000)"}}, \#(rest)}"#)
        }

        @Test("a clustered collection is read in the order of _id, in batches, and backwards")
        func clustered() async throws {
            let collection = try await make(#"{"clusteredIndex": {"v": 2, "key": {"_id": 1}, "name": "x"}}"#)
            try await store.engine.fill(["c", "a", "d", "b"].map { json(#"{"_id": "\#($0)"}"#) }, into: collection)
            #expect(collection.isClustered)
            let ids = { (documents: [Document]) in documents.map { $0.withRaw { $0["_id"]?.string } } }
            #expect(ids(try await store.engine.documents(of: collection, batch: 1)) == ["a", "b", "c", "d"])
            let backwards = try await store.engine.documents(of: collection, sort: #"{"$natural": -1}"#, batch: 3)
            #expect(ids(backwards) == ["d", "c", "b", "a"])
        }

        @Test("measurements need a time, may share an _id, and come in the order of their time")
        func timeseries() async throws {
            let collection = try await make(#"{"timeseries": {"timeField": "t", "metaField": "m"}}"#)
            let documents = DocumentStore(store.engine)
            let batch = [
                measurement(30, #""_id": 1, "m": "a""#), json(#"{"_id": 2, "t": 7}"#), json(#"{"_id": 3}"#),
                measurement(10, #""_id": 1, "m": "b""#), measurement(20, #""_id": 1, "m": "a""#),
            ]
            let refused = try await documents.insert(
                batch, statements: [0, 1, 2, 3, 4], into: collection, isOrdered: false)
            #expect(refused.map(\.index) == [1, 2] && refused.allSatisfy { $0.error.code == .badValue })
            let ordered = try await documents.insert(
                [measurement(40, #""_id": 9"#), json("{}"), measurement(50, #""_id": 9"#)], statements: [0, 1, 2],
                into: collection, isOrdered: true)
            #expect(ordered.map(\.index) == [1])
            let read = try await store.engine.documents(of: collection, batch: 2)
            let metas = read.map { $0.withRaw { $0["m"]?.string } }
            #expect(metas == ["b", "a", "a", nil])
            #expect(try await store.engine.documents(of: collection, where: #"{"_id": 1}"#).count == 3)
            let sorted = try await store.engine.documents(of: collection, sort: #"{"_id": -1}"#)
            #expect(sorted.compactMap { $0.int("_id") } == [9, 1, 1, 1])
        }

        @Test("measurements that are alike are changed and deleted one by one")
        func changes() async throws {
            let collection = try await make(#"{"timeseries": {"timeField": "t", "metaField": "m"}}"#)
            try await store.engine.fill((0..<4).map { _ in measurement(5, #""_id": 1, "m": 1"#) }, into: collection)
            let many = try DocumentOperation.update(#"{"m": 1}"#, #"{"$inc": {"m": 1}}"#, multi: true)
            #expect(try await store.engine.modifyMany(many, in: collection, deadline: .never).modified == 4)
            for left in [3, 2, 1, 0] {
                #expect(try await store.engine.modify(.delete(#"{"_id": 1}"#), in: collection).modified)
                #expect(try await store.engine.documents(of: collection).count == left)
            }
            #expect(try await !store.engine.modify(.delete(#"{"_id": 1}"#), in: collection).modified)
        }

        @Test(
            "documents go when their time is over: measurements by their time, clustered ones by an _id that is a date")
        func expiry() async throws {
            let expiry = #""expireAfterSeconds": 100"#
            let series = try await make(#"{"timeseries": {"timeField": "t"}, \#(expiry)}"#)
            let clustered = try await make(#"{"clusteredIndex": {"key": {"_id": 1}}, \#(expiry)}"#, "d")
            let plain = try await store.collection("e")
            for collection in [series, plain] {
                try await store.engine.fill(
                    [measurement(10, #""_id": 1"#), measurement(899, #""_id": 2"#), measurement(901, #""_id": 3"#)],
                    into: collection)
            }
            let dates = [10, 899, 901].map { json(#"{"_id": {"$date": {"$numberLong": "\#($0 * 1000)"}}}"#) }
            try await store.engine.fill(dates + [json(#"{"_id": 1}"#), json(#"{"_id": "a"}"#)], into: clustered)
            var keeper = LeaseKeeper(
                "job", holder: "a", engine: store.engine, terms: LeaseTerms(), logger: TestServer.logger)
            await keeper.tick()
            let reaped = await DocumentReaper.run(
                with: &keeper, engine: store.engine, now: 1_000_000, logger: TestServer.logger)
            #expect(reaped == 4)
            #expect(try await store.engine.documents(of: series).compactMap { $0.int("_id") } == [3])
            #expect(try await store.engine.documents(of: clustered).count == 3)
            #expect(try await store.engine.documents(of: plain).count == 3)
        }

        @Test("a view is known to all servers as it is now, and resolved down to its collection")
        func views() async throws {
            let other = try TestStore(store.database)
            _ = try await make(#"{"viewOn": "c", "pipeline": [{"$match": {"a": 1}}]}"#, "v")
            _ = try await make(#"{"viewOn": "v", "pipeline": [{"$limit": 5}]}"#, "w")
            let resolved = try await other.engine.catalog.resolve(namespace("w"))
            #expect(resolved.namespace == namespace() && resolved.collection == nil && resolved.isView)
            #expect(resolved.pipeline.map(\.text) == [#"{"$match":{"a":1}}"#, #"{"$limit":5}"#])
            let (onD, onW) = (json(#"{"viewOn": "d", "pipeline": []}"#), json(#"{"viewOn": "w", "pipeline": []}"#))
            #expect(try await store.engine.catalog.modify(namespace("v")) { _ in onD })
            let changed = try await other.engine.catalog.resolve(namespace("w"))
            #expect(changed.namespace == namespace("d") && changed.pipeline.count == 1)
            let listed = try await store.engine.texts(of: store.collection("system.views"))
            #expect(
                listed == [
                    #"{"_id":"test.v","viewOn":"d","pipeline":[]}"#,
                    #"{"_id":"test.w","viewOn":"v","pipeline":[{"$limit":5}]}"#,
                ])
            let circle = await errorCode { _ = try await store.engine.catalog.modify(namespace("v")) { _ in onW } }
            #expect(circle == 5)
            #expect(try await other.engine.catalog.drop(namespace("v")))
            #expect(try await store.engine.catalog.collection(namespace("v")) == nil)
            #expect(try await store.engine.texts(of: store.collection("system.views")).count == 1)
            #expect(try await store.engine.catalog.drop(namespace("system.views")))
            #expect(try await other.engine.catalog.collection(namespace("w")) == nil)
        }

        @Test("two views that would form a circle are not both made, however close together they come")
        func circles() async throws {
            let other = try TestStore(store.database)
            for round in 0..<10 {
                let made = Shared(0)
                let stores = [store, other]
                try await concurrently(2) { task in
                    let options = json(#"{"viewOn": "v\#(round)_\#(1 - task)", "pipeline": []}"#)
                    let code = await errorCode {
                        _ = try await stores[task].engine.catalog.collectionOrCreate(
                            namespace("v\(round)_\(task)"), options: options)
                    }
                    #expect(code == nil || code == 5)
                    if code == nil { made.update { $0 += 1 } }
                }
                #expect(made.value == 1)
            }
        }
    }
}

@Suite("the graph of views")
struct ViewGraphTests {
    private func view(on source: String, _ stages: String = "[]") throws -> ViewDefinition {
        try #require(CollectionKind(json(#"{"viewOn": "\#(source)", "pipeline": \#(stages)}"#)).view)
    }

    private func code(_ body: () throws(CommandError) -> Void) -> Int32? {
        do throws(CommandError) {
            try body()
            return nil
        } catch { return error.code.number }
    }

    @Test(
        "circles are found, through stages, too",
        arguments: [
            ("a", "a", "[]", Int32?(5)), ("c", "a", "[]", nil), ("a", "b", "[]", 5),
            ("a", "x", #"[{"$lookup": {"from": "b", "as": "y"}}]"#, 5), ("a", "x", #"[{"$unionWith": "b"}]"#, 5),
            ("a", "x", #"[{"$facet": {"f": [{"$unionWith": {"coll": "b"}}]}}]"#, 5),
            ("a", "x", #"[{"$lookup": {"from": "x", "as": "b"}}]"#, nil),
        ])
    func circles(_ name: String, _ source: String, _ stages: String, expected: Int32?) throws {
        var graph = ViewGraph(["b": try view(on: "a")], in: "test")
        let added = try view(on: source, stages)
        #expect(code { () throws(CommandError) in try graph.add(name, added) } == expected)
    }

    @Test("twenty views stand on each other, wherever the next one is put, but not one more")
    func depth() throws {
        for first in [0, 10, 20] {
            var graph = ViewGraph([:], in: "test")
            // All but the one that joins the two halves.
            for level in 0..<21 where level != first && level < 20 {
                let below = try view(on: "v\(level - 1)")
                try graph.add("v\(level)", below)
            }
            let joining = try view(on: "v\(first - 1)")
            let isTooDeep = first == 20
            let found = code { () throws(CommandError) in try graph.add("v\(first)", joining) }
            #expect(found == (isTooDeep ? 165 : nil), "\(first)")
        }
    }

    @Test("the pipelines of a view and of those below it must not grow beyond all bounds")
    func size() throws {
        var graph = ViewGraph([:], in: "test")
        let half = String(repeating: "x", count: 8_000_000)
        for (name, source, expected) in [("a", "c", nil), ("b", "a", Int32?(195))] {
            let added = try view(on: source, #"[{"$match": {"a": "\#(half)"}}]"#)
            #expect(code { () throws(CommandError) in try graph.add(name, added) } == expected)
        }
    }
}
