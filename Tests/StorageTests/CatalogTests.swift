import BSON
import CommandModel
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    /// Two servers on one database, one of which changes collections under the other.
    @Suite struct CatalogTests {
        private let ours: TestStore
        private let theirs: TestStore

        init() throws {
            let database = try TestServer.database().setting("deadlock_timeout", "20ms")
            (ours, theirs) = (try TestStore(database), try TestStore(database))
        }

        private func insert(_ document: Document, into name: String = "c") async throws {
            try await ours.engine.withCollectionCreated(namespace(name)) { collection throws(StorageError) in
                try await ours.engine.insert(document, into: collection)
            }
        }

        @Test("two servers that create one collection at once get the same one")
        func createAtOnce() async throws {
            for round in 0..<10 {
                let numbers = Shared<Set<Int64>>([])
                let made = Shared<Int>(0)
                let stores = [ours, theirs]
                try await concurrently(8) { task in
                    let (collection, isNew) = try await stores[task % 2].engine.catalog.collectionOrCreate(
                        namespace("c\(round)"))
                    numbers.update { _ = $0.insert(collection.number) }
                    if isNew { made.update { $0 += 1 } }
                }
                #expect(numbers.value.count == 1 && made.value == 1)
            }
        }

        @Test("a stale entry is found out, forgotten and read anew, by reads, scans and writes")
        func stale() async throws {
            for round in 0..<3 {
                try await insert(json(#"{"_id": 1}"#))
                let before = try #require(ours.engine.catalog.cached(namespace()))
                #expect(try await theirs.engine.catalog.drop(namespace()))
                #expect(ours.engine.catalog.cached(namespace())?.number == before.number)
                switch round {
                case 0:
                    let read = try await ours.engine.withCollection(namespace()) { collection throws(StorageError) in
                        try await ours.engine.read(key("1"), from: collection)
                    }
                    #expect(read == nil)
                case 1:
                    let count = try await ours.engine.withCollection(namespace()) { collection throws(StorageError) in
                        try await ours.engine.count(FindQuery(filter: .everything), in: collection)
                    }
                    #expect(count == nil)
                default:
                    try await insert(json(#"{"_id": 2}"#))
                    let after = try #require(ours.engine.catalog.cached(namespace()))
                    #expect(after.number > before.number)
                    #expect(try await ours.engine.texts(of: after) == [#"{"_id":2}"#])
                    continue
                }
                #expect(ours.engine.catalog.cached(namespace()) == nil)
            }
        }

        @Test("absence is not remembered")
        func absence() async throws {
            #expect(try await ours.engine.catalog.collection(namespace()) == nil)
            _ = try await theirs.collection()
            #expect(try await ours.engine.catalog.collection(namespace()) != nil)
        }

        @Test("a renamed collection keeps its documents and its uuid, and cannot be reached by its old entry")
        func rename() async throws {
            try await insert(json(#"{"_id": 1}"#))
            let old = try #require(ours.engine.catalog.cached(namespace()))
            try await theirs.engine.catalog.rename(namespace(), to: namespace("d"), dropTarget: false)
            let code = await errorCode { try await ours.engine.insert(json(#"{"_id": 2}"#), into: old) }
            #expect(code == 26)
            let new = try #require(await ours.engine.catalog.collection(namespace("d")))
            #expect(new.uuid == old.uuid && new.number != old.number)
            #expect(try await ours.engine.texts(of: new) == [#"{"_id":1}"#])
        }

        @Test("while a collection is renamed away again and again, every acknowledged write is in one of them")
        func renameStorm() async throws {
            let (ours, theirs) = (ours, theirs)
            let isOver = Shared<Bool>(false)
            let acknowledged = Shared<[Int64]>([])
            let refused = Shared<[Int32]>([])
            let next = Shared<Int>(0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<16 {
                    group.addTask {
                        while !isOver.value {
                            let id = next.update { number in
                                number += 1
                                return number
                            }
                            let code = await errorCode {
                                try await Self.write(id, ours)
                            }
                            if let code { refused.update { $0.append(code) } }
                            if code == nil { acknowledged.update { $0.append(Int64(id)) } }
                        }
                    }
                }
                group.addTask {
                    defer { isOver.update { $0 = true } }
                    try await Self.renameAway(12, theirs, while: { acknowledged.value.count })
                }
                try await group.waitForAll()
            }
            var found: [Int64] = []
            for sizes in try await theirs.engine.catalog.collections(in: "test") {
                found += try await theirs.engine.documents(of: sizes.collection).compactMap { $0.int("_id") }
            }
            let sent = Int64(next.value)
            #expect(Set(found).count == found.count && found.allSatisfy { 1...sent ~= $0 })
            #expect(Set(found) == Set(acknowledged.value), "every acknowledged document, and no other")
            // Losing five times in a row is allowed to be an error, but not to be a silent one.
            #expect(refused.value.allSatisfy { $0 == 112 })
        }

        private static func write(_ id: Int, _ store: TestStore) async throws {
            let engine = store.engine
            try await engine.withCollectionCreated(namespace()) { collection throws(StorageError) in
                switch id % 3 {
                case 0:
                    try await engine.insert(json("{\"_id\": \(id)}"), into: collection)
                case 1:
                    let refused = try await engine.insert([json("{\"_id\": \(id)}")], into: collection, isOrdered: true)
                    if !refused.isEmpty { throw .command(refused[0].error) }
                default:
                    let operation: DocumentOperation
                    do {
                        operation = try .update("{\"_id\": \(id)}", #"{"$set": {"n": 1}}"#, upsert: true)
                    } catch { throw .command(CommandError(.internalError, "\(error)")) }
                    _ = try await engine.modifyOne(operation, in: collection, deadline: .never)
                }
            }
        }

        /// Renames the collection away when there is something in it. From then on nothing may come to what it was.
        private static func renameAway(_ times: Int, _ store: TestStore, while acknowledged: () -> Int) async throws {
            var sizes: [(Storage.Collection, Int64)] = []
            for round in 0..<times {
                let before = acknowledged()
                try #require(try await eventually { acknowledged() > before + 20 })
                let target = namespace("away\(round)")
                try await store.engine.catalog.rename(namespace(), to: target, dropTarget: false)
                let collection = try #require(await store.engine.catalog.collection(target))
                sizes.append((collection, try await store.engine.count(FindQuery(filter: .everything), in: collection)))
            }
            for (collection, size) in sizes {
                #expect(try await store.engine.count(FindQuery(filter: .everything), in: collection) == size)
            }
        }

        @Test("while collections are dropped and made again, no write lands in another one")
        func dropStorm() async throws {
            let (ours, theirs) = (ours, theirs)
            let isOver = Shared<Bool>(false)
            let lastAcknowledged = Shared<[String: Int64]>([:])
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<12 {
                    group.addTask {
                        let name = "c\(task % 3)"
                        var id: Int64 = 0
                        while !isOver.value {
                            id += 1
                            let document = json("{\"_id\": \"\(task)-\(id)\", \"of\": \"\(name)\"}")
                            let code = await errorCode {
                                try await ours.engine.withCollectionCreated(namespace(name)) {
                                    collection throws(StorageError) in
                                    _ = try await ours.engine.insert(document, into: collection)
                                }
                            }
                            if code == nil { lastAcknowledged.update { $0["\(task)-\(id)"] = id } }
                        }
                    }
                }
                group.addTask {
                    defer { isOver.update { $0 = true } }
                    for round in 0..<30 {
                        let before = lastAcknowledged.value.count
                        try #require(try await eventually { lastAcknowledged.value.count > before + 10 })
                        _ = try await theirs.engine.catalog.drop(namespace("c\(round % 3)"))
                        if round % 2 == 0 { _ = try await theirs.collection("c\(round % 3)") }
                    }
                    // What is acknowledged from here on must be there in the end.
                    lastAcknowledged.update { $0 = [:] }
                    try #require(try await eventually { lastAcknowledged.value.count > 100 })
                }
                try await group.waitForAll()
            }
            var found: Set<String> = []
            for name in ["c0", "c1", "c2"] {
                guard let collection = try await theirs.engine.catalog.collection(namespace(name)) else { continue }
                for document in try await theirs.engine.documents(of: collection) {
                    document.withRaw { raw in
                        #expect(raw["of"]?.string == name)
                        if let id = raw["_id"]?.string { found.insert(id) }
                    }
                }
            }
            #expect(found.isSuperset(of: lastAcknowledged.value.keys))
        }
    }
}
