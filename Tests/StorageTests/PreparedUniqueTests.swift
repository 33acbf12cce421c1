import BSON
import CommandModel
import Query
import Testing

@testable import Storage

extension DatabaseTests {
    @Suite struct PreparedUniqueTests {
        private let store: TestStore

        init() throws {
            store = try TestStore.make()
        }

        private func insert(_ documents: String...) async throws -> [Int: Int32] {
            let errors = try await store.engine.withCollectionCreated(StorageTests.namespace()) {
                collection async throws(StorageError) in
                try await store.engine.insert(documents.map(json), into: collection, isOrdered: false)
            }
            return Dictionary(uniqueKeysWithValues: errors.map { ($0.index, $0.error.code.number) })
        }

        private func respecify(_ fields: String) async throws {
            let specification = json("{\"v\":2,\"key\":{\"a\":1},\"name\":\"index0\"\(fields)}")
            _ = try await store.engine.catalog.changeIndexes(of: StorageTests.namespace()) {
                collection throws(CommandError) in
                collection.readyIndexes.map { .respecify($0.number, specification) }
            }
        }

        @Test("an index that is to become unique keeps its duplicates, and takes no more until told otherwise")
        func duplicates() async throws {
            try await store.index(#"{"key":{"a":1}}"#)
            #expect(try await insert(#"{"_id":1,"a":1}"#, #"{"_id":2,"a":1}"#) == [:])
            try await respecify(#","prepareUnique":true"#)
            #expect(try await insert(#"{"_id":3,"a":1}"#) == [0: 11000])
            let several = try await insert(
                #"{"_id":4,"a":2}"#, #"{"_id":5,"a":1}"#, #"{"_id":6,"a":2}"#, #"{"_id":7,"a":[3,3]}"#)
            #expect(several == [1: 11000, 2: 11000])
            try await store.checkKeys()
            try await respecify("")
            #expect(try await insert(#"{"_id":3,"a":1}"#) == [:])
            try await store.checkKeys()
        }

        @Test("those that share a key are told together")
        func groups() async throws {
            try await store.index(#"{"key":{"a":1}}"#)
            _ = try await insert(
                #"{"_id":1,"a":"x"}"#, #"{"_id":2,"a":"y"}"#, #"{"_id":3,"a":"x"}"#, #"{"_id":4,"a":"x"}"#)
            let found = try await store.engine.catalog.collection(StorageTests.namespace())
            let collection = try #require(found)
            let index = try #require(collection.readyIndexes.first)
            let groups = try await store.engine.duplicates(in: index, of: collection)
            #expect(groups.map { $0.map { $0.withRaw { $0.int32 } } } == [[1, 3, 4]])
        }

        @Test("how often an index was used is counted anew after it was hidden, and not after another change")
        func usage() async throws {
            try await store.index(#"{"key":{"a":1}}"#)
            _ = try await insert(#"{"_id":1,"a":1}"#)
            func count() async throws -> Int64? {
                try await store.engine.catalog.collection(StorageTests.namespace())?.readyIndexes.first?.usage.count
            }
            func use() async throws {
                let found = try await store.engine.catalog.collection(StorageTests.namespace())
                let collection = try #require(found)
                let query = FindQuery(filter: try Filter(compiling: json(#"{"a":1}"#)))
                _ = try query.choosingAccess(in: collection, counting: false)
                guard case .keys = try query.choosingAccess(in: collection).access else {
                    Issue.record("the index is not used")
                    return
                }
            }
            #expect(try await count() == 0)
            try await use()
            #expect(try await count() == 1)
            try await respecify(#","expireAfterSeconds":5"#)
            #expect(try await count() == 1)
            try await respecify(#","expireAfterSeconds":5,"hidden":true"#)
            #expect(try await count() == 0)
        }
    }
}
