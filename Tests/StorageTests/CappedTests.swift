import BSON
import CommandModel
import NIOCore
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    /// Two servers on one database, and capped collections that both write into.
    @Suite struct CappedTests {
        private let ours: TestStore
        private let theirs: TestStore

        init() throws {
            let database = try TestServer.database()
            (ours, theirs) = (try TestStore(database), try TestStore(database))
        }

        private func capped(
            _ name: String = "c", bytes: Int64 = 1 << 30, documents: Int64 = 0, in store: TestStore? = nil
        ) async throws -> Storage.Collection {
            let options = json(#"{"capped": true, "size": \#(bytes), "max": \#(documents)}"#)
            return try await (store ?? ours).engine.catalog.collectionOrCreate(namespace(name), options: options)
                .collection
        }

        /// Documents of 14 bytes each.
        private func documents(_ ids: [Int]) -> [Document] { ids.map { json(#"{"_id": \#($0)}"#) } }

        private func ids(_ collection: Storage.Collection) async throws -> [Int64] {
            try await ours.engine.documents(of: collection).compactMap { $0.int("_id") }
        }

        @Test(
            "the oldest documents go when there are too many, or too many bytes, however they are inserted",
            arguments: [
                (bytes: Int64(1 << 20), documents: Int64(3)), (bytes: 45, documents: 0), (bytes: 45, documents: 9),
                (bytes: 1 << 20, documents: 0), (bytes: 1, documents: 0),
            ], [1, 4, 10])
        func limits(_ limit: (bytes: Int64, documents: Int64), batch: Int) async throws {
            let collection = try await capped(bytes: limit.bytes, documents: limit.documents)
            var expected: [Int64] = []
            for start in stride(from: 0, to: 10, by: batch) {
                let new = Array(start..<min(start + batch, 10))
                if batch == 1 {
                    try await ours.engine.insert(documents(new)[0], into: collection)
                } else {
                    #expect(try await ours.engine.insert(documents(new), into: collection, isOrdered: true).isEmpty)
                }
                for id in new {
                    expected.append(Int64(id))
                    while expected.count > 1,
                        limit.documents > 0 && expected.count > limit.documents || expected.count * 14 > limit.bytes
                    {
                        expected.removeFirst()
                    }
                }
                #expect(try await ids(collection) == expected)
            }
        }

        @Test(
            "an ordered insert drives out what its documents before the duplicate do, and nothing more",
            arguments: [
                // 1 is there until the insert of 4 has driven it out.
                (inserted: [4, 1, 5], ordered: true, refused: [Int](), left: [Int64(4), 1, 5]),
                (inserted: [1, 4, 5], ordered: true, refused: [0], left: [1, 2, 3]),
                (inserted: [4, 3, 5], ordered: true, refused: [1], left: [2, 3, 4]),
                (inserted: [4, 3, 5], ordered: false, refused: [1], left: [3, 4, 5]),
                (inserted: [4, 4], ordered: true, refused: [1], left: [2, 3, 4]),
            ])
        func duplicates(_ sample: (inserted: [Int], ordered: Bool, refused: [Int], left: [Int64])) async throws {
            let collection = try await capped(documents: 3)
            try await ours.engine.fill(documents([1, 2, 3]), into: collection)
            let refused = try await ours.engine.insert(
                documents(sample.inserted), into: collection, isOrdered: sample.ordered)
            #expect(refused.map(\.index) == sample.refused)
            #expect(try await ids(collection) == sample.left)
        }

        @Test("whatever two servers write, the sums agree with the documents, and no limit is exceeded")
        func sums() async throws {
            let seed = SeededGenerator.seed()
            let collections = [try await capped(documents: 40), try await capped(in: theirs)]
            let stores = [ours, theirs]
            try await concurrently(8) { task in
                var random = SeededGenerator(seed: seed &+ UInt64(task))
                let (engine, collection) = (stores[task % 2].engine, collections[task % 2])
                for _ in 0..<40 {
                    let id = Int.random(in: 0..<200, using: &random)
                    switch Int.random(in: 0..<6, using: &random) {
                    case 0, 1: _ = try? await engine.insert(documents([id])[0], into: collection)
                    case 2:
                        let batch = (0..<9).map { _ in Int.random(in: 0..<200, using: &random) }
                        _ = try await engine.insert(documents(batch), into: collection, isOrdered: id % 2 == 0)
                    case 3:
                        let padding = String(repeating: "x", count: id)
                        _ = try await engine.modify(
                            .update("{\"_id\": \(id)}", #"{"$set": {"p": "\#(padding)"}}"#, upsert: true),
                            in: collection)
                    case 4: _ = try await engine.modify(.delete("{\"_id\": \(id)}"), in: collection)
                    default:
                        let many = try DocumentOperation.update(
                            "{\"_id\": {\"$lt\": \(id)}}", #"{"$inc": {"n": 1}}"#, multi: true)
                        _ = try await engine.modifyMany(many, in: collection, deadline: .never)
                    }
                }
            }
            let number = collections[0].number
            let row = try ours.connect().execute(
                Statement(
                    """
                    SELECT c.bytes = d.bytes AND c.documents = d.documents AND c.documents BETWEEN 1 AND 40 \
                    FROM martlet.capped c, (SELECT sum(octet_length(doc)) AS bytes, count(*) AS documents \
                    FROM martlet.documents_\(number)) d WHERE c.number = \(number)
                    """))
            #expect(row.bool(row: 0, column: 0) == true, "seed \(seed)")
        }

        @Test("cursors that follow the writers of two servers see each document once, in one order")
        func following() async throws {
            let collections = [try await capped(), try await capped(in: theirs)]
            let stores = [ours, theirs]
            try await ours.engine.insert(documents([-1])[0], into: collections[0])
            let (perWriter, writers) = (60, 6)
            let seen = Shared<[[Int64]]>([])
            try await concurrently(writers + 4) { task in
                let (engine, collection) = (stores[task % 2].engine, collections[task % 2])
                guard task >= writers else {
                    for step in stride(from: 0, to: perWriter, by: 3) {
                        let new = documents((step..<step + 3).map { task * perWriter + $0 })
                        try await engine.insert(new[0], into: collection)
                        _ = try await engine.insert(Array(new[1...]), into: collection, isOrdered: true)
                    }
                    return
                }
                var query = FindQuery(filter: .everything)
                query.isTailable = true
                var run = QueryRun(query, on: collection)
                var own: [Int64] = []
                let complete = try await eventually {
                    own += try await engine.next(&run, count: 7).compactMap { $0.int("_id") }
                    return own.count > writers * perWriter
                }
                #expect(complete && !run.isExhausted)
                seen.update { $0.append(own) }
            }
            let natural = try await ids(collections[0])
            #expect(natural.count == writers * perWriter + 1)
            for own in seen.value { #expect(own == natural) }
        }

        @Test("a cursor loses its place when the document there goes, however it goes")
        func lostPlace() async throws {
            for way in 0..<3 {
                let collection = try await capped("c\(way)", documents: 3)
                try await ours.engine.fill(documents([1, 2, 3]), into: collection)
                var query = FindQuery(filter: .everything)
                query.isTailable = true
                var run = QueryRun(query, on: collection)
                #expect(try await ours.engine.next(&run, count: 10).count == 3)
                try await ours.engine.fill(documents([4, 5]), into: collection)
                #expect(try await ours.engine.next(&run, count: 1).map(\.text) == [#"{"_id":4}"#])
                switch way {
                case 0: try await ours.engine.fill(documents([6, 7, 8]), into: collection)
                case 1: _ = try await ours.engine.modify(.delete(#"{"_id": 4}"#), in: collection)
                default: _ = try await ours.engine.modifyMany(.delete("{}"), in: collection, deadline: .never)
                }
                let code = await errorCode { _ = try await ours.engine.next(&run, count: 1) }
                #expect(code == 136, "way \(way)")
            }
        }

        @Test("a collection becomes a capped one, and its copy does, with the newest documents that fit")
        func conversion() async throws {
            let plain = try await ours.collection("p")
            try await ours.engine.fill(documents(Array(0..<10)), into: plain)
            let stale = try await theirs.collection("p")
            let options = json(#"{"capped": true, "size": 45}"#)
            try await ours.engine.catalog.cloneAsCapped(
                namespace("p"), to: namespace("copy"), options: options, size: 45)
            #expect(try await ours.engine.catalog.convertToCapped(namespace("p"), options: options, size: 45))
            for name in ["p", "copy"] {
                let collection = try await ours.collection(name)
                #expect(collection.isCapped)
                #expect(try await ids(collection) == [7, 8, 9])
            }
            // Who takes it for a plain one must find out.
            #expect(!stale.isCapped)
            let code = await errorCode {
                _ = try await theirs.engine.insert(documents([11, 12]), into: stale, isOrdered: true)
            }
            #expect(code == 26)
            let existing = await errorCode {
                try await ours.engine.catalog.cloneAsCapped(
                    namespace("p"), to: namespace("copy"), options: options, size: 45)
            }
            #expect(existing == 48)
        }

        @Test("changed limits hold from the next insert on; a renamed collection stays a capped one")
        func changes() async throws {
            let collection = try await capped(documents: 10)
            try await ours.engine.fill(documents(Array(0..<5)), into: collection)
            let isFound = try await ours.engine.catalog.modify(namespace()) { _ in
                json(#"{"capped": true, "size": 1000000, "max": 3}"#)
            }
            #expect(isFound)
            #expect(try await ids(collection).count == 5)
            try await ours.engine.catalog.rename(namespace(), to: namespace("d"), dropTarget: false)
            let renamed = try await theirs.collection("d")
            try await theirs.engine.insert(documents([5])[0], into: renamed)
            #expect(try await ids(renamed) == [3, 4, 5])
            #expect(try await ours.engine.catalog.drop(namespace("d")))
            let rows = try ours.connect().execute(Statement("SELECT count(*) FROM martlet.capped"))
            #expect(rows.int8(row: 0, column: 0) == 0)
        }

        @Test("who waits for documents hears of them, whichever server they come through")
        func waiting() async throws {
            let collections = [try await capped(), try await capped(in: theirs)]
            let stores = [ours, theirs]
            for writer in 0..<2 {
                let arrivals = ours.engine.arrivals
                let isStopped = Shared(false)
                let heard = Task {
                    var seen: Int64 = 0
                    while !isStopped.value {
                        let news = arrivals.news(of: collections[0])
                        seen = try await ours.engine.count(FindQuery(filter: .everything), in: collections[0])
                        if seen == writer + 1 { return true }
                        await arrivals.wait(
                            in: collections[0], since: news, until: .now() + .minutes(10), while: { !isStopped.value })
                    }
                    return false
                }
                try await stores[writer].engine.insert(documents([writer])[0], into: collections[writer])
                #expect(try await heard.value)
                isStopped.update { $0 = true }
            }
        }

        @Test("a wait ends when it may not go on, and when the server stops; none begins after that")
        func endOfWaits() async throws {
            let collection = try await capped()
            let arrivals = ours.engine.arrivals
            let news = arrivals.news(of: collection)
            let mayGoOn = Shared(true)
            let wait = Task {
                await arrivals.wait(in: collection, since: news, until: .distantFuture, while: { mayGoOn.value })
            }
            mayGoOn.update { $0 = false }
            await wait.value
            let second = Task {
                await arrivals.wait(in: collection, since: news, until: .distantFuture, while: { true })
            }
            arrivals.shutDown()
            await second.value
            await arrivals.wait(in: collection, since: news, until: .distantFuture, while: { true })
        }
    }
}
