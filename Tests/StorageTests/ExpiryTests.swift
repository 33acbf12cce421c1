import BSON
import CommandModel
import Logging
import Query
import Synchronization
import Testing

@testable import Storage

extension DatabaseTests {
    /// Documents whose time is over by an index.
    @Suite struct ExpiryTests {
        private let store: TestStore
        private let monitor = ExpiryMonitor()

        init() throws {
            store = try TestStore.make()
        }

        private func insert(_ documents: [Document]) async throws {
            let errors = try await store.engine.withCollectionCreated(StorageTests.namespace()) {
                collection async throws(StorageError) in
                try await store.engine.insert(documents, into: collection, isOrdered: false)
            }
            #expect(errors.isEmpty)
        }

        /// A thousand seconds after 1970.
        private func run() async -> Int64 {
            var keeper = LeaseKeeper("test", holder: "test", engine: store.engine, logger: Logger(label: "test"))
            await keeper.tick()
            defer { #expect(keeper.token != nil) }
            return await monitor.run(
                with: &keeper, engine: store.engine, now: 1_000_000, logger: Logger(label: "test"))
        }

        private func remaining() async throws -> [Int64] {
            let collection = try #require(try await store.engine.catalog.collection(StorageTests.namespace()))
            return try await store.engine.documents(of: collection).compactMap { $0.int("_id") }.sorted()
        }

        private static let documents = [
            #"{"_id":1,"at":{"$date":{"$numberLong":"900000"}}}"#,
            #"{"_id":2,"at":{"$date":{"$numberLong":"900001"}}}"#,
            #"{"_id":3,"at":[{"$date":{"$numberLong":"990000"}},{"$date":{"$numberLong":"5"}}],"p":1}"#,
            #"{"_id":4,"at":17}"#, #"{"_id":5}"#, #"{"_id":6,"at":{"$date":{"$numberLong":"-5"}},"p":2}"#,
            #"{"_id":7,"at":{"$timestamp":{"t":1,"i":1}}}"#, #"{"_id":8,"at":null}"#,
        ]

        @Test(
            "dates that are old enough go, by indexes that say so",
            arguments: [
                (#"{"key":{"at":1},"expireAfterSeconds":100}"#, [2, 4, 5, 7, 8]),
                (#"{"key":{"at":-1},"expireAfterSeconds":99.9}"#, [4, 5, 7, 8]),
                (#"{"key":{"at":1},"expireAfterSeconds":100,"hidden":true}"#, [2, 4, 5, 7, 8]),
                (
                    #"{"key":{"at":1},"expireAfterSeconds":100,"partialFilterExpression":{"p":{"$gt":1}}}"#,
                    [1, 2, 3, 4, 5, 7, 8]
                ),
                (#"{"key":{"at":1}}"#, [1, 2, 3, 4, 5, 6, 7, 8]),
                (#"{"key":{"at":1},"expireAfterSeconds":{"$numberDouble":"NaN"}}"#, [1, 2, 3, 4, 5, 6, 7, 8]),
                (#"{"key":{"at":"hashed"},"expireAfterSeconds":100}"#, [1, 2, 3, 4, 5, 6, 7, 8]),
            ] as [(String, [Int64])])
        func expiry(index: String, left: [Int64]) async throws {
            try await insert(Self.documents.map(json).filter { !index.contains("hashed") || $0.int("_id") != 3 })
            try await store.index(index)
            let count = await run()
            let present = try await remaining()
            #expect(present == left.filter { !index.contains("hashed") || $0 != 3 })
            #expect(count == Int64(8 - left.count))
            #expect(monitor.deleted.load(ordering: .relaxed) == count)
            try await store.checkKeys()
        }

        @Test("more documents than a transaction takes all go, and a monitor that is switched off does nothing")
        func many() async throws {
            try await insert(
                (0..<2_500).map { json("{\"_id\":\($0),\"at\":{\"$date\":{\"$numberLong\":\"\($0)\"}}}") })
            try await store.index(#"{"key":{"at":1},"expireAfterSeconds":0}"#)
            monitor.isEnabled.store(false, ordering: .relaxed)
            #expect(await run() == 0)
            monitor.isEnabled.store(true, ordering: .relaxed)
            #expect(await run() == 2_500)
            #expect(try await remaining() == [])
            try await store.checkKeys()
        }
    }
}
