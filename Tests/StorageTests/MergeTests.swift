import BSON
import CommandModel
import NIOCore
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    /// What `$merge` does to the documents of a collection.
    @Suite struct MergeTests {
        private let store: TestStore

        init() throws {
            store = try TestStore.make()
        }

        /// Each document with the update that it asks for.
        private func items(
            _ documents: [String], _ update: String, upsert: Bool = true, bypassing: Bool = false
        ) throws -> [MergeItem] {
            try documents.map { text in
                var operation = DocumentOperation(
                    on: namespace(), filter: .everything,
                    action: .update(try UpdateProgram(compiling: json(#"{"u":\#(update)}"#).value("u"))),
                    upsertID: upsert ? ObjectID(high: 7, low: 9) : nil)
                operation.supplied = json(text)
                operation.bypassesValidation = bypassing
                return MergeItem(json(text), operation)
            }
        }

        @discardableResult
        private func merge(
            _ items: [MergeItem], creating: Bool = true, on engine: StorageEngine? = nil
        ) async throws -> [Int32] {
            try await store.merge(items, creating: creating, by: engine)
        }

        private static let increment = #"[{"$set": {"n": {"$add": [{"$ifNull": ["$n", 0]}, 1]}}}]"#

        @Test("documents of one key are applied in their order; the first may be the one that is inserted")
        func order() async throws {
            let documents = [#"{"_id":1,"n":5}"#, #"{"_id":2,"n":0}"#, #"{"_id":1}"#, #"{"_id":1}"#, #"{"_id":3}"#]
            #expect(try await merge(items(documents, Self.increment)) == [0, 0, 1, 1, 0])
            #expect(try await store.texts() == [#"{"_id":1,"n":7}"#, #"{"_id":2,"n":0}"#, #"{"_id":3}"#])
            #expect(try await merge(items(documents, Self.increment)) == [1, 1, 1, 1, 1])
            #expect(try await store.texts() == [#"{"_id":1,"n":10}"#, #"{"_id":2,"n":1}"#, #"{"_id":3,"n":1}"#])
        }

        @Test("what nothing is there for is left out when nothing is to be inserted, and no collection made")
        func discard() async throws {
            let items = try items([#"{"_id":1}"#, #"{"_id":2}"#], Self.increment, upsert: false)
            #expect(try await merge(items, creating: false) == [0, 0])
            #expect(try await store.engine.catalog.collection(namespace()) == nil)
            try await store.engine.fill([json(#"{"_id":2}"#)], into: try await store.collection())
            #expect(try await merge(items, creating: false) == [0, 1])
            #expect(try await store.texts() == [#"{"_id":2,"n":1}"#])
        }

        @Test("a document that is refused does not keep the others from being merged")
        func refused() async throws {
            let rules = json(#"{"validator": {"n": {"$lt": 2}}}"#)
            _ = try await store.engine.catalog.collectionOrCreate(namespace(), options: rules)
            let documents = [#"{"_id":1,"n":1}"#, #"{"_id":2,"n":9}"#, #"{"_id":3,"n":0}"#]
            #expect(try await merge(items(documents, Self.increment)) == [0, 121, 0])
            #expect(try await merge(items(documents, Self.increment)) == [121, 121, 1])
            #expect(try await store.texts() == [#"{"_id":1,"n":1}"#, #"{"_id":3,"n":1}"#])
            #expect(try await merge(items(documents, Self.increment, bypassing: true)) == [1, 0, 1])
        }

        @Test("nothing is lost among merges of two servers and single updates")
        func contended() async throws {
            let other = try TestStore(store.database)
            let engines = [store.engine, other.engine]
            let items = try items((0..<40).map { "{\"_id\":\($0),\"n\":1}" }, Self.increment)
            let update = try DocumentOperation.update(#"{"_id":7}"#, #"{"$inc":{"n":1}}"#, upsert: true)
            try await concurrently(6) { number in
                for _ in 0..<5 {
                    if number < 4 {
                        try await merge(items, on: engines[number % 2])
                    } else {
                        _ = try await store.engine.modify(update, in: try await store.collection())
                    }
                }
            }
            let documents = try await store.engine.documents(of: try await store.collection())
            #expect(documents.count == 40)
            var total: Int64 = 0
            for document in documents { total += document.int("n") ?? 0 }
            #expect(total == 810)
        }

        @Test("the tables of keys follow, also when documents bring what the catalog does not know of an index")
        func indexes() async throws {
            try await store.index(#"{"key":{"a":1}}"#, #"{"key":{"b":1},"sparse":true}"#, #"{"key":{"c.d":1}}"#)
            let documents = (0..<300).map { "{\"_id\":\($0),\"a\":\($0 % 7)}" }
            try await merge(items(documents, Self.increment))
            try await store.checkKeys()
            let changed = (0..<400).map { number in
                number % 50 == 0
                    ? "{\"_id\":\(number),\"b\":[1,2],\"c\":[{\"d\":1},{\"d\":\(number)}]}"
                    : "{\"_id\":\(number),\"b\":\(number)}"
            }
            let replacing = try changed.map { text in
                var operation = DocumentOperation(
                    on: namespace(), filter: .everything,
                    action: .update(try UpdateProgram(compiling: .document(json(text)))),
                    upsertID: ObjectID(high: 7, low: 9))
                operation.supplied = json(text)
                return MergeItem(json(text), operation)
            }
            #expect(try await merge(replacing).reduce(0, +) == 300)
            try await store.checkKeys()
            #expect(try await store.texts() == changed)
        }

        @Test("a key that a unique index refuses is the error of its document alone")
        func unique() async throws {
            try await store.index(#"{"key":{"a":1},"unique":true}"#)
            let documents = (0..<5).map { "{\"_id\":\($0),\"a\":\($0 == 3 ? 1 : $0)}" }
            #expect(try await merge(items(documents, Self.increment)) == [0, 0, 0, 11000, 0])
            try await store.checkKeys()
            #expect(
                try await merge(items(documents, #"[{"$set": {"a": {"$max": ["$a", 1]}}}]"#)) == [
                    11000, 1, 1, 11000, 1,
                ])
            try await store.checkKeys()
        }

        @Test("a merge waits for the end of a transaction that has changed one of the documents")
        func locked() async throws {
            let collection = try await store.collection()
            try await store.engine.fill((0..<3).map { json("{\"_id\":\($0),\"n\":0}") }, into: collection)
            let transaction = try await OpenTransaction.open(on: store.engine.transactions.lanes, isolation: .snapshot)
            _ = try await transaction.modifyOne(
                .update(#"{"_id":1}"#, #"{"$inc":{"n":10}}"#), in: collection, deadline: .never)
            let items = try items((0..<4).map { "{\"_id\":\($0)}" }, Self.increment)
            async let merged = merge(items)
            try await Task.sleep(for: .milliseconds(100))
            try await transaction.commit()
            #expect(try await merged == [1, 1, 1, 0])
            #expect(
                try await store.texts() == [
                    #"{"_id":0,"n":1}"#, #"{"_id":1,"n":11}"#, #"{"_id":2,"n":1}"#, #"{"_id":3}"#,
                ])
        }
    }
}

extension DatabaseTests {
    /// Collections in the making, as `$out` has them.
    @Suite struct UnfinishedCollectionTests {
        private let store: TestStore

        init() throws {
            store = try TestStore.make()
        }

        private var catalog: Catalog { store.engine.catalog }
        private let gathered = namespace("gathered")

        private func begin(_ options: String = "{}") async throws {
            let target = try await catalog.collection(namespace())
            try await catalog.createUnfinished(gathered, options: json(options), like: target)
        }

        private func insert(_ documents: String...) async throws {
            let errors = try await store.engine.withCollection(gathered) { collection async throws(StorageError) in
                try await store.engine.insert(documents.map(json), into: collection, isOrdered: true)
            }
            #expect(errors?.isEmpty == true)
        }

        private func texts() async throws -> [String] {
            try await store.engine.texts(of: try #require(try await catalog.collection(namespace())))
        }

        @Test("it takes the place of its target, with the indexes that this has")
        func publish() async throws {
            try await store.index(#"{"key":{"a":1},"unique":true}"#)
            try await store.engine.fill([json(#"{"_id":1,"a":1}"#)], into: try await store.collection())
            let other = try TestStore(store.database)
            _ = try await other.engine.catalog.collection(namespace())
            try await begin()
            try await insert(#"{"_id":1,"a":[2,3]}"#, #"{"_id":2,"a":4}"#)
            #expect(try await texts() == [#"{"_id":1,"a":1}"#])
            try await catalog.publish(gathered, as: namespace(), options: .empty)
            #expect(try await texts() == [#"{"_id":1,"a":[2,3]}"#, #"{"_id":2,"a":4}"#])
            try await store.checkKeys()
            #expect(try await catalog.collection(gathered) == nil)
            // A server that knows the old collection finds the new one.
            let errors = try await other.engine.withCollection(namespace()) { collection async throws(StorageError) in
                try await other.engine.insert(
                    [json(#"{"_id":3,"a":3}"#), json(#"{"_id":4}"#)], into: collection, isOrdered: false)
            }
            #expect(errors?.map(\.error.code.number) == [11000])
            try await store.checkKeys()
            try await catalog.renewUnfinished()
            #expect(try await reap() == 0)
        }

        @Test("it takes nobody's place when the target has become another, and that stays as it is")
        func changed() async throws {
            try await store.engine.fill([json(#"{"_id":1,"a":1}"#)], into: try await store.collection())
            try await begin()
            try await catalog.changeOptions(of: namespace()) { _ in json(#"{"validator": {"a": 1}}"#) }
            #expect(await errorCode { try await catalog.publish(gathered, as: namespace(), options: .empty) } == 125)
            try await catalog.changeOptions(of: namespace()) { _ in .empty }
            try await store.index(#"{"key":{"a":1}}"#)
            #expect(await errorCode { try await catalog.publish(gathered, as: namespace(), options: .empty) } == 125)
            #expect(try await texts() == [#"{"_id":1,"a":1}"#])
            await catalog.abandon(gathered)
            #expect(try await catalog.collection(gathered) == nil)
            #expect(await errorCode { try await catalog.publish(gathered, as: namespace(), options: .empty) } == 26)
        }

        private func reap() async throws -> Int {
            var keeper = LeaseKeeper("unfinished", holder: "a", engine: store.engine, logger: TestServer.logger)
            await keeper.tick()
            let reaped = await CollectionReaper.run(with: &keeper, logger: TestServer.logger)
            await keeper.release()
            return reaped
        }

        @Test("it is dropped when its maker does not put off its end, and only then")
        func expiry() async throws {
            try await begin()
            let connection = try store.connect()
            let age = Statement("UPDATE martlet.collections SET expires_at = now() WHERE expires_at IS NOT NULL")
            _ = try connection.execute(age)
            try await catalog.renewUnfinished()
            #expect(try await reap() == 0)
            try await insert(#"{"_id":1}"#)
            _ = try connection.execute(age)
            #expect(try await reap() == 1)
            catalog.forget(gathered)
            #expect(try await catalog.collection(gathered) == nil)
            #expect(await errorCode { try await catalog.publish(gathered, as: namespace(), options: .empty) } == 26)
        }
    }
}

extension Document {
    fileprivate func value(_ field: StaticString) -> Value {
        withRaw { raw in raw[RawKey(field)].map(Value.init(copying:)) ?? .null }
    }
}
