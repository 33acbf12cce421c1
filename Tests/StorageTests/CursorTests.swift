import BSON
import CommandModel
import NIOCore
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    /// Queries that go on batch by batch while the collection changes.
    @Suite struct CursorTests {
        private let store: TestStore
        private let collection: Storage.Collection
        private var engine: StorageEngine { store.engine }

        init() async throws {
            store = try TestStore.make(.init(general: 1))
            collection = try await store.collection()
        }

        private func run(_ filter: String = "{}", sort: String? = nil, limit: Int? = nil, skip: Int = 0) throws
            -> QueryRun
        {
            var query = FindQuery(filter: try Filter(compiling: json(filter)))
            query.sort = try sort.map { try SortPattern(compiling: json($0)) }
            (query.limit, query.skip) = (limit, skip)
            return QueryRun(query, on: collection)
        }

        private func document(_ id: Int, bytes: Int) -> Document {
            Document {
                $0.append("_id", int32: Int32(id))
                $0.append("n", int32: Int32(id))
                $0.append("s", string: String(repeating: "x", count: bytes))
            }
        }

        struct Case: Sendable {
            var filter = "{}"
            var sort: String?
            var batch = 7
        }

        static let cases = [
            Case(), Case(batch: 1), Case(batch: 300), Case(filter: #"{"kept": true}"#), Case(sort: #"{"_id": 1}"#),
            Case(sort: #"{"$natural": -1}"#), Case(filter: #"{"_id": {"$gte": 0}}"#, sort: #"{"_id": -1}"#, batch: 11),
        ]

        @Test(
            "what was there all the time is seen exactly once and in order, whatever is done meanwhile",
            arguments: cases)
        func resumes(_ shape: Case) async throws {
            let seed = SeededGenerator.seed()
            let documents = (0..<400).map { id in json("{\"_id\": \(id), \"kept\": \(id % 2 == 0), \"n\": 0}") }
            try await engine.fill(documents, into: collection)
            let (engine, collection) = (engine, collection)
            let isOver = Shared<Bool>(false)
            async let disturbance: Void = Self.disturb(engine, collection, seed, until: { isOver.value })
            var run = try run(shape.filter, sort: shape.sort)
            var seen: [Int64] = []
            while !run.isExhausted {
                let batch = try await engine.next(&run, count: shape.batch)
                #expect(batch.count <= shape.batch)
                seen += batch.filter { $0.withRaw { $0["kept"]?.bool == true } }.compactMap { $0.int("_id") }
            }
            isOver.update { $0 = true }
            try await disturbance
            let kept = stride(from: Int64(0), to: 400, by: 2).map { $0 }
            let isDescending = shape.sort?.contains("-1") == true
            #expect(seen == (isDescending ? kept.reversed() : kept), "MARTLET_SEED=\(seed)")
        }

        /// Changes what is kept, removes and inserts the rest.
        private static func disturb(
            _ engine: StorageEngine, _ collection: Storage.Collection, _ seed: UInt64,
            until isOver: @Sendable () -> Bool
        ) async throws {
            var random = SeededGenerator(seed: seed)
            var new = 1_000
            while !isOver() {
                let id = Int.random(in: 0..<400, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0:
                    _ = try await engine.modify(
                        .update(
                            "{\"_id\": \(id)}", #"{"$inc": {"n": 1}, "$set": {"filler": "xxxxxxxxxxxxxxxxxxxxxxxx"}}"#),
                        in: collection)
                case 1: _ = try await engine.modify(.delete("{\"_id\": \(id | 1)}"), in: collection)
                default:
                    new += 1
                    try await engine.insert(json("{\"_id\": \(new), \"kept\": false}"), into: collection)
                }
            }
        }

        @Test("skip and limit count over batches", arguments: ["{}", #"{"n": {"$gte": 0}}"#], [1, 3, 100])
        func skipAndLimit(_ filter: String, _ count: Int) async throws {
            try await engine.fill((0..<50).map { json("{\"_id\": \($0), \"n\": \($0)}") }, into: collection)
            for sort in [nil, #"{"_id": 1}"#, #"{"n": 1}"#] {
                var run = try run(filter, sort: sort, limit: 10, skip: 5)
                var seen: [Int64?] = []
                while !run.isExhausted { seen += try await engine.next(&run, count: count).map { $0.int("_id") } }
                #expect(seen == (5..<15).map { $0 }, "\(sort ?? "natural")")
            }
        }

        @Test(
            "batches are bounded by 16 MiB, and go on after the last document",
            arguments: ["{}", #"{"n": {"$gte": 0}}"#], [nil, #"{"_id": 1}"#, #"{"n": 1}"#] as [String?])
        func batchBytes(_ filter: String, _ sort: String?) async throws {
            try await engine.fill((0..<12).map { document($0, bytes: 3_000_000) }, into: collection)
            var run = try run(filter, sort: sort)
            var batches: [[Int64?]] = []
            while !run.isExhausted, batches.count < 5 {
                var batch = ReplyBatch(into: DocumentBuilder(), documentsMax: 100)
                (batch, run) = try await engine.fill(batch, from: run, deadline: .never)
                #expect(batch.builder.count <= ReplyBatch.bytesMax + 1_000)
                batches.append(
                    batch.builder.finish().withRaw { $0.map { $0.value.document?["_id"]?.number?.asInt64Exact } })
            }
            #expect(batches.map(\.count).prefix(2) == [5, 5])
            #expect(batches.flatMap { $0 } == (0..<12).map { $0 })
        }

        @Test("a document of 16 MiB still makes a batch of its own")
        func hugeDocument() async throws {
            let sizes = [10, ReplyBatch.bytesMax - 64, 10]
            try await engine.fill(zip(1...3, sizes).map { document($0, bytes: $1) }, into: collection)
            var run = try run()
            var seen: [Int64?] = []
            while !run.isExhausted, seen.count < 10 {
                seen += try await engine.next(&run, count: 100).map { $0.int("_id") }
            }
            #expect(seen == [1, 2, 3])
        }

        @Test("a scan that stops early leaves its connection in order")
        func stopsEarly() async throws {
            try await engine.fill((0..<20_000).map { json("{\"_id\": \($0), \"n\": \($0)}") }, into: collection)
            for round in 0..<50 {
                var run = try run("{\"n\": {\"$gte\": \(round * 100)}}")
                #expect(try await engine.next(&run, count: 1 + round % 5).first?.int("_id") == Int64(round * 100))
                #expect(!run.isExhausted)
            }
            #expect(try await engine.count(FindQuery(filter: .everything), in: collection) == 20_000)
        }

        @Test("a deadline that passes during a wait is MaxTimeMSExpired, and the connection is usable after it")
        func deadline() async throws {
            try await engine.insert(json(#"{"_id": 1, "n": 1}"#), into: collection)
            let blocker = try store.connect()
            try blocker.execute(script: "BEGIN; LOCK TABLE \(collection.sql.table) IN ACCESS EXCLUSIVE MODE")
            var query = FindQuery(filter: try Filter(compiling: json(#"{"n": 1}"#)))
            for _ in 0..<3 {
                query.deadline = Deadline(maxTimeMilliseconds: 30)
                let (deadline, counted) = (query.deadline, query)
                #expect(
                    await errorCode {
                        var run = QueryRun(counted, on: collection)
                        _ = try await engine.next(&run, count: 10, deadline: deadline)
                    } == 50)
                query.deadline = Deadline(maxTimeMilliseconds: 30)
                let again = query
                #expect(await errorCode { _ = try await engine.count(again, in: collection) } == 50)
            }
            try blocker.execute(script: "ROLLBACK")
            var patient = try run(#"{"n": 1}"#)
            let documents = try await engine.next(
                &patient, count: 10, deadline: Deadline(maxTimeMilliseconds: 600_000))
            #expect(documents.map(\.text) == [#"{"_id":1,"n":1}"#])
            let timeout = try await engine.general.withConnection { connection throws(StorageError) in
                do throws(PostgresError) {
                    return try connection.execute(Statement("SHOW statement_timeout")).text(row: 0, column: 0)
                } catch { throw .postgres(error) }
            }
            #expect(timeout == "0")
        }

        @Test("a cursor of a collection that was dropped ends with an error")
        func dropped() async throws {
            try await engine.fill((0..<10).map { json("{\"_id\": \($0)}") }, into: collection)
            var run = try run()
            _ = try await engine.next(&run, count: 3)
            _ = try await engine.catalog.drop(namespace())
            _ = try await store.collection()
            #expect(await errorCode { _ = try await engine.next(&run, count: 3) } == 26)
        }
    }
}
