import BSON
import CommandModel
import NIOCore
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension TestStore {
    /// Makes indexes, each a specification without its name and version.
    func index(_ specifications: String..., on namespace: Namespace = StorageTests.namespace()) async throws {
        _ = try await engine.catalog.changeIndexes(of: namespace, creating: .empty) {
            collection throws(CommandError) in
            let present = collection.readyIndexes.count
            return try specifications.enumerated().map { number, text throws(CommandError) in
                let full = Document { builder in
                    builder.append("v", int32: 2)
                    json(text).withRaw { raw in for field in raw { builder.append(field) } }
                    builder.append("name", string: "index\(present + number)")
                }
                return .create(try IndexDefinition(full))
            }
        }
    }

    /// Checks that the tables of keys hold the keys of the documents and nothing else.
    func checkKeys(of name: String = "c") async throws {
        let collection = try #require(try await engine.catalog.collection(StorageTests.namespace(name)))
        let connection = try connect()
        let rows = try connection.execute(Statement("SELECT id, doc FROM \(collection.sql.table)"))
        for index in try collection.indexes.get() {
            var expected: Set<[ByteBuffer]> = []
            for row in 0..<rows.rowCount {
                let id = ByteBuffer(bytes: try #require(rows.bytes(row: row, column: 0)))
                let document = try #require(rows.bytes(row: row, column: 1).flatMap(RawDocument.init))
                let made = try index.definition.keys(of: document)
                #expect(index.facts.covers(made.facts), "the catalog lacks facts of \(index.definition.name)")
                for key in made.keys { expected.insert([key, id]) }
            }
            var present: Set<[ByteBuffer]> = []
            let keys = try connection.execute(Statement("SELECT key, id FROM \(index.table)"))
            for row in 0..<keys.rowCount {
                present.insert(try (0..<2).map { ByteBuffer(bytes: try #require(keys.bytes(row: row, column: $0))) })
            }
            #expect(present == expected, "\(index.definition.name) of \(rows.rowCount) documents")
        }
    }
}

extension DatabaseTests {
    /// The tables of keys follow the documents, in whatever way these are written.
    @Suite struct IndexTests {
        private let store: TestStore

        init() throws {
            store = try TestStore.make()
        }

        private func insert(_ documents: String..., ordered: Bool = true) async throws -> [Int: Int32] {
            let errors = try await store.engine.withCollectionCreated(StorageTests.namespace()) {
                collection async throws(StorageError) in
                try await store.engine.insert(documents.map(json), into: collection, isOrdered: ordered)
            }
            return Dictionary(uniqueKeysWithValues: errors.map { ($0.index, $0.error.code.number) })
        }

        private func modify(_ operation: DocumentOperation, many: Bool = false) async throws -> WriteTally {
            let tally = try await store.engine.withCollectionCreated(StorageTests.namespace()) {
                collection async throws(StorageError) in
                many
                    ? try await store.engine.modifyMany(operation, in: collection, deadline: .never)
                    : WriteTally(try await store.engine.modifyOne(operation, in: collection, deadline: .never))
            }
            return tally
        }

        @Test("an index of documents that are there holds their keys, and those of later ones")
        func build() async throws {
            _ = try await insert(#"{"_id":1,"a":1}"#, #"{"_id":2,"a":[3,1]}"#, #"{"_id":3}"#)
            try await store.index(#"{"key":{"a":1}}"#, #"{"key":{"a":1,"b":-1},"sparse":true}"#)
            try await store.checkKeys()
            _ = try await insert(#"{"_id":4,"a":"x"}"#, #"{"_id":5,"a":[]}"#)
            try await store.checkKeys()
        }

        @Test("updates and deletes change keys with the documents")
        func modifications() async throws {
            try await store.index(#"{"key":{"a":1}}"#, #"{"key":{"b.c":1}}"#)
            _ = try await insert(#"{"_id":1,"a":1}"#, #"{"_id":2,"a":2}"#, #"{"_id":3,"a":3}"#, #"{"_id":4}"#)
            _ = try await modify(.update(#"{"_id":1}"#, #"{"$set":{"a":[7,8,9]}}"#))
            _ = try await modify(.update(#"{"_id":2}"#, #"{"$set":{"b":[{"c":1},{"c":2}]}}"#))
            try await store.checkKeys()
            _ = try await modify(.update("{}", #"{"$push":{"b":{"c":5}}}"#, multi: true), many: true)
            _ = try await modify(.delete(#"{"_id":1}"#))
            _ = try await modify(.update(#"{"_id":9}"#, #"{"$set":{"a":1}}"#, upsert: true))
            try await store.checkKeys()
            _ = try await modify(.delete(#"{"_id":{"$gt":2}}"#), many: true)
            try await store.checkKeys()
        }

        @Test("an update that changes no key touches no table of keys and is a HOT update")
        func hotUpdates() async throws {
            try await store.index(#"{"key":{"a":1}}"#)
            _ = try await insert(#"{"_id":1,"a":1,"n":0}"#)
            for _ in 0..<20 { _ = try await modify(.update(#"{"_id":1}"#, #"{"$inc":{"n":1}}"#)) }
            let collection = try #require(try await store.engine.catalog.collection(StorageTests.namespace()))
            let connection = try store.connect()
            let table = collection.sql.table.dropFirst("martlet.".count)
            var updates: (all: Int64, hot: Int64) = (0, 0)
            // A connection tells its counters when it ends a transaction, at most once a second.
            for _ in 0..<200 where updates.all < 20 {
                _ = try await modify(.update(#"{"_id":1}"#, #"{"$inc":{"n":1}}"#))
                try await Task.sleep(for: .milliseconds(50))
                let row = try connection.execute(
                    Statement(
                        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = $1",
                        [.text(String(table))]))
                updates = (row.int8(row: 0, column: 0) ?? 0, row.int8(row: 0, column: 1) ?? 0)
            }
            #expect(updates.all >= 20)
            #expect(updates.hot == updates.all)
        }

        @Test("a unique index refuses the second document with a key, by every way", arguments: [true, false])
        func unique(ordered: Bool) async throws {
            try await store.index(#"{"key":{"u":1},"unique":true}"#)
            #expect(try await insert(#"{"_id":1,"u":1}"#) == [:])
            #expect(try await insert(#"{"_id":2,"u":1}"#) == [0: 11000])
            let errors = try await insert(
                #"{"_id":3,"u":3}"#, #"{"_id":4,"u":1}"#, #"{"_id":5,"u":3}"#, #"{"_id":1,"u":8}"#,
                #"{"_id":6,"u":6}"#, ordered: ordered)
            #expect(errors == (ordered ? [1: 11000] : [1: 11000, 2: 11000, 3: 11000]))
            let stored = try await store.engine.withCollectionCreated(StorageTests.namespace()) {
                collection async throws(StorageError) in collection
            }
            let ids = try await store.engine.documents(of: stored).compactMap { $0.int("_id") }
            #expect(ids == (ordered ? [1, 3] : [1, 3, 6]))
            let update = await errorCode { _ = try await modify(.update(#"{"_id":3}"#, #"{"$set":{"u":1}}"#)) }
            #expect(update == 11000)
            let many = await errorCode {
                _ = try await modify(.update("{}", #"{"$set":{"u":1}}"#, multi: true), many: true)
            }
            #expect(many == 11000)
            try await store.checkKeys()
        }

        @Test("the error of a unique index names the index, its fields and their values")
        func duplicateKeyError() async throws {
            try await store.index(#"{"key":{"u":1,"v":-1},"unique":true}"#)
            _ = try await insert(#"{"_id":1,"u":"x","v":2}"#)
            let errors = try await store.engine.withCollectionCreated(StorageTests.namespace()) {
                collection async throws(StorageError) in
                try await store.engine.insert(
                    [json(#"{"_id":2,"u":"x","v":2}"#), json(#"{"_id":3}"#)],
                    into: collection, isOrdered: false)
            }
            let error = try #require(errors.first?.error)
            #expect(
                error.message
                    == #"E11000 duplicate key error collection: test.c index: index0 dup key: { u: "x", v: 2 }"#)
            #expect(error.details?.text == #"{"keyPattern":{"u":1,"v":-1},"keyValue":{"u":"x","v":2}}"#)
        }

        @Test("an index that its documents refuse is not made")
        func refusedBuild() async throws {
            _ = try await insert(#"{"_id":1,"a":[1],"b":[1]}"#, #"{"_id":2,"u":1}"#, #"{"_id":3,"u":1}"#)
            let parallel = await errorCode { try await store.index(#"{"key":{"a":1,"b":1}}"#) }
            #expect(parallel == 171)
            let duplicate = await errorCode { try await store.index(#"{"key":{"u":1},"unique":true}"#) }
            #expect(duplicate == 11000)
            let collection = try #require(try await store.engine.catalog.collection(StorageTests.namespace()))
            #expect(try collection.indexes.get().isEmpty)
        }

        @Test("what drives documents out of a capped collection takes their keys along")
        func capped() async throws {
            let options = json(#"{"capped":true,"size":{"$numberLong":"100000"},"max":{"$numberLong":"5"}}"#)
            _ = try await store.engine.catalog.collectionOrCreate(StorageTests.namespace(), options: options)
            try await store.index(#"{"key":{"a":1}}"#)
            for id in 0..<4 { _ = try await insert("{\"_id\":\(id),\"a\":\(id)}") }
            _ = try await insert(
                #"{"_id":10,"a":1}"#, #"{"_id":11,"a":1}"#, #"{"_id":12,"a":1}"#, #"{"_id":13,"a":[1,2]}"#)
            try await store.checkKeys()
        }
    }
}
