import BSON
import CommandModel
import Postgres
import Query
import Testing

@testable import Storage

extension DatabaseTests {
    @Suite struct InsertTests {
        private let store: TestStore
        private let collection: Storage.Collection

        init() async throws {
            store = try TestStore.make()
            collection = try await store.collection()
        }

        private func insert(_ documents: [Document], ordered: Bool) async throws -> [Int] {
            let refused = try await store.engine.insert(documents, into: collection, isOrdered: ordered)
            #expect(refused.allSatisfy { $0.error.code.number == 11000 })
            return refused.map(\.index)
        }

        private func numbered(_ ids: some Sequence<Int>) -> [Document] {
            ids.map { id in Document { $0.append("_id", int32: Int32(id)) } }
        }

        @Test("a document comes back byte for byte")
        func bytes() async throws {
            let document = json(#"{"z": {"$numberDouble": "NaN"}, "_id": {"$numberLong": "1"}, "a": [1, {"b": null}]}"#)
            try await store.engine.insert(document, into: collection)
            #expect(try await store.engine.documents(of: collection) == [document])
            #expect(try await store.engine.read(key("1"), from: collection) == document.buffer)
        }

        @Test("a second document with an equal _id is a duplicate key, and says which")
        func duplicate() async throws {
            try await store.engine.insert(json(#"{"_id": 1, "n": 1}"#), into: collection)
            do {
                try await store.engine.insert(json(#"{"_id": 1.0, "n": 2}"#), into: collection)
                Issue.record("no error")
            } catch .command(let error) {
                #expect(error.code.number == 11000)
                #expect(error.details?.text == #"{"keyPattern":{"_id":1},"keyValue":{"_id":1.0}}"#)
            }
            #expect(try await store.engine.texts(of: collection) == [#"{"_id":1,"n":1}"#])
        }

        struct Case: Sendable {
            let ids: [Int]
            let ordered: Bool
            let refused: [Int]
            let stored: [Int]
        }

        /// 100 is there already.
        static let cases = [
            Case(ids: [1, 2, 3], ordered: true, refused: [], stored: [1, 2, 3]),
            Case(ids: [1, 100, 2, 100, 3], ordered: true, refused: [1], stored: [1]),
            Case(ids: [1, 100, 2, 100, 3], ordered: false, refused: [1, 3], stored: [1, 2, 3]),
            Case(ids: [3, 1, 3, 2], ordered: true, refused: [2], stored: [3, 1]),
            Case(ids: [3, 1, 3, 2, 1], ordered: false, refused: [2, 4], stored: [3, 1, 2]),
            Case(ids: [100, 1], ordered: true, refused: [0], stored: []),
            Case(ids: [100, 100], ordered: false, refused: [0, 1], stored: []),
            Case(ids: [1, 100, 1, 2], ordered: true, refused: [1], stored: [1]),
            Case(ids: [1, 2, 100], ordered: true, refused: [2], stored: [1, 2]),
            Case(ids: [], ordered: true, refused: [], stored: []),
        ]

        @Test("duplicates with what is stored and within the batch", arguments: cases)
        func duplicates(_ expected: Case) async throws {
            try await store.engine.insert(json(#"{"_id": 100}"#), into: collection)
            #expect(try await insert(numbered(expected.ids), ordered: expected.ordered) == expected.refused)
            #expect(
                try await store.engine.documents(of: collection).map { $0.int("_id") }
                    == ([100] + expected.stored).map(Int64.init))
        }

        @Test("borders of chunks", arguments: [999, 1_000, 1_001, 2_000, 2_001], [true, false])
        func chunkBorders(_ count: Int, _ ordered: Bool) async throws {
            let present = Set([count - 1, 1_000, 1_999]).filter { $0 < count }.sorted()
            #expect(try await insert(numbered(present), ordered: false) == [])
            let refused = try await insert(numbered(0..<count), ordered: ordered)
            let first = present.min() ?? 0
            #expect(refused == (ordered ? [first] : present))
            let new = (0..<(ordered ? first : count)).filter { !present.contains($0) }
            #expect(
                try await store.engine.documents(of: collection).map { $0.int("_id") }
                    == (present + new).map(Int64.init))
        }

        @Test("chunks are bounded by bytes too")
        func chunkBytes() async throws {
            let filler = String(repeating: "x", count: 1_500_000)
            let documents = (0..<9).map { id in
                Document {
                    $0.append("_id", int32: Int32(id % 8))
                    $0.append("s", string: filler)
                }
            }
            #expect(try await insert(documents, ordered: true) == [8])
            #expect(try await store.engine.documents(of: collection).map { $0.int("_id") } == (0..<8).map { $0 })
        }

        @Test("100,000 small documents in one insert keep their order")
        func manySmall() async throws {
            var random = SeededGenerator(seed: 1)
            let ids = (0..<100_000).shuffled(using: &random)
            #expect(try await insert(numbered(ids), ordered: true) == [])
            #expect(
                try await store.engine.documents(of: collection, batch: 9_999).map { $0.int("_id") }
                    == ids.map(Int64.init))
            #expect(try await store.engine.count(FindQuery(filter: .everything), in: collection) == 100_000)
        }

        @Test("inserts that lock one another's keys in opposite orders both succeed")
        func oppositeOrders() async throws {
            let store = try TestStore(TestServer.database().setting("deadlock_timeout", "20ms"))
            let collection = try await store.collection()
            let ids = Array(0..<4_000)
            let orders = [ids, ids.reversed()]
            for round in 0..<4 {
                let documents = orders.map { ids in numbered(ids.map { $0 + round * 10_000 }) }
                async let up = store.engine.insert(documents[0], into: collection, isOrdered: false)
                async let down = store.engine.insert(documents[1], into: collection, isOrdered: false)
                let refused = try await [up.count, down.count]
                #expect(refused.reduce(0, +) == ids.count)
            }
            #expect(try await store.engine.count(FindQuery(filter: .everything), in: collection) == 16_000)
        }

        @Test("single inserts of many tasks: each _id once, every other one a duplicate")
        func contended() async throws {
            let (store, collection) = (store, collection)
            let duplicates = try await withThrowingTaskGroup(of: Bool.self) { group in
                for task in 0..<400 {
                    group.addTask {
                        let document = json("{\"_id\": \(task % 100), \"by\": \(task)}")
                        return await errorCode { try await store.engine.insert(document, into: collection) } == 11000
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(duplicates == 300)
            #expect(try await store.engine.count(FindQuery(filter: .everything), in: collection) == 100)
        }
    }
}
