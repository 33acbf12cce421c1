import BSON
import CommandModel
import Query
import Testing

@testable import Storage

extension DatabaseTests {
    /// Index filters of a server and query settings of all servers decide which indexes are used.
    @Suite struct SteeringTests {
        private let store: TestStore

        init() async throws {
            store = try TestStore.make()
            try await store.index(#"{"key":{"a":1}}"#, #"{"key":{"a":1,"b":1}}"#, #"{"key":{"b":1}}"#)
        }

        private var collection: Storage.Collection {
            get async throws { try #require(try await store.engine.catalog.collection(StorageTests.namespace())) }
        }

        private static func indexes(_ list: String, takesScan: Bool = false) throws -> AllowedIndexes {
            try json(#"{"l":\#(list)}"#).withRaw { raw in
                try AllowedIndexes(try #require(raw["l"]?.array), takesScan: takesScan)
            }
        }

        private func set(_ query: String, _ list: String, on engine: StorageEngine? = nil) async throws {
            let filter = IndexFilter(
                shape: PlanShape(filter: json(query)), query: json(query), sort: .empty, projection: .empty,
                collation: nil, indexes: try Self.indexes(list))
            try (engine ?? store.engine).catalog.set(filter, of: try await collection)
        }

        /// The index that finds the documents of a filter, `collection` or `nothing`.
        private func choice(
            _ filter: String, hint: String? = nil, settings: QuerySettings? = nil, in collection: Storage.Collection
        ) throws -> String {
            var query = FindQuery(filter: try Filter(compiling: json(filter)))
            query.hint = hint.map { .name($0) }
            query.settings = settings
            return switch try query.choosingAccess(in: collection).access {
            case .keys(let scan): scan.index.definition.name
            case .collection, .undecided: "collection"
            case .union: "union"
            case .nothing: "nothing"
            case .text, .textUnion: "text"
            }
        }

        @Test("an index filter decides for its shape, also against a hint, and leaves no way out")
        func indexFilters() async throws {
            let collection = try await collection
            #expect(try choice(#"{"a":1}"#, in: collection) == "index0")
            try await set(#"{"a":1}"#, #"["index1"]"#)
            #expect(try choice(#"{"a":7}"#, in: collection) == "index1")
            #expect(try choice(#"{"a":1}"#, hint: "index0", in: collection) == "index1")
            #expect(try choice(#"{"a":1,"b":1}"#, in: collection) != "collection")
            try await set(#"{"a":1}"#, #"[{"b":1}]"#)
            #expect(try choice(#"{"a":1}"#, in: collection) == "collection")
            #expect(store.engine.catalog.indexFilters(of: collection).count == 1)
            store.engine.catalog.clearIndexFilters(of: collection)
            #expect(try choice(#"{"a":1}"#, in: collection) == "index0")
        }

        @Test("index filters outlive catalog entries, but not their collection; other servers know nothing of them")
        func lifeOfIndexFilters() async throws {
            try await set(#"{"a":1}"#, #"["index1"]"#)
            let other = try TestStore(store.database)
            let foreign = try #require(try await other.engine.catalog.collection(StorageTests.namespace()))
            #expect(try choice(#"{"a":1}"#, in: foreign) == "index0")
            store.engine.catalog.forget(StorageTests.namespace())
            #expect(try choice(#"{"a":1}"#, in: try await collection) == "index1")
            try await store.index(#"{"key":{"c":1}}"#)
            #expect(try choice(#"{"a":1}"#, in: try await collection) == "index1")
            _ = try await store.engine.catalog.drop(StorageTests.namespace())
            #expect(store.engine.catalog.indexFilters(of: foreign).isEmpty)
        }

        @Test("documents are the same whatever index is allowed")
        func sameDocuments() async throws {
            let documents = (0..<200).map { json("{\"_id\":\($0),\"a\":\($0 % 7),\"b\":\($0 % 5)}") }
            try await store.engine.fill(documents, into: try await collection)
            let filter = #"{"a":3,"b":{"$gte":1}}"#
            let expected = Set(try await store.engine.texts(of: try await collection, where: filter))
            #expect(!expected.isEmpty)
            for list in [#"["index0"]"#, #"["index1"]"#, #"["index2"]"#, #"["none"]"#] {
                try await set(#"{"a":1,"b":{"$gte":9}}"#, list)
                #expect(Set(try await store.engine.texts(of: try await collection, where: filter)) == expected)
            }
        }

        @Test(
            "settings decide before index filters and hints, and are left when they are of no use",
            arguments: [
                (#"["index1"]"#, "index1"), (#"["index2"]"#, "index0"), (#"["gone"]"#, "index0"),
                (#"[{"a":1,"b":1}]"#, "index1"),
                (#"["$natural"]"#, "collection"), (#"["index2","$natural"]"#, "collection"), (#"["_id_"]"#, "index0"),
            ])
        func settings(list: String, expected: String) async throws {
            let settings = try Self.settings(
                #"{"indexHints":{"ns":{"db":"test","coll":"c"},"allowedIndexes":\#(list)}}"#)
            try await set(#"{"a":1}"#, #"["index2"]"#)
            let collection = try await collection
            #expect(try choice(#"{"a":1}"#, settings: settings, in: collection) == expected)
            #expect(try choice(#"{"a":1}"#, hint: "index2", settings: settings, in: collection) == expected)
        }

        private static func settings(_ text: String) throws -> QuerySettings {
            try json(text).withRaw { try QuerySettings.merging($0, into: nil) }
        }

        private static let hash = QueryShape(of: json(#"{"find":"c","filter":{"a":1}}"#), in: "test")?.hash

        private func change(_ store: TestStore, _ settings: String?) async throws {
            let hash = try #require(Self.hash)
            let changed = try settings.map { settings in
                QuerySettingsEntry(
                    hash: hash, namespace: StorageTests.namespace(), query: json(#"{"find":"c"}"#),
                    settings: try Self.settings(settings))
            }
            _ = try await store.engine.changeQuerySettings(for: hash) { _ in changed }
        }

        @Test("settings are seen by all servers, and by those that start later")
        func sharedSettings() async throws {
            let hash = try #require(Self.hash)
            let other = try TestStore(store.database)
            try await other.engine.refreshQuerySettings()
            try await change(store, #"{"reject":true}"#)
            #expect(store.engine.querySettings[hash]?.settings.rejects == true)
            #expect(other.engine.querySettings[hash] == nil)
            try await other.engine.refreshQuerySettings()
            #expect(other.engine.querySettings[hash]?.settings.rejects == true)
            #expect(other.engine.querySettings.concern(StorageTests.namespace()))
            #expect(!other.engine.querySettings.concern(StorageTests.namespace("d")))
            let later = try TestStore(store.database)
            try await later.engine.refreshQuerySettings()
            #expect(later.engine.querySettings.all.map(\.query.text) == [json(#"{"find":"c"}"#).text])
            try await change(other, nil)
            try await store.engine.refreshQuerySettings()
            #expect(store.engine.querySettings.all.isEmpty)
            #expect(!store.engine.querySettings.concern(StorageTests.namespace()))
        }

        @Test("changes of two servers at once are all made")
        func concurrentChanges() async throws {
            let other = try TestStore(store.database)
            let stores = [store, other]
            let hashes = (0..<20).compactMap {
                QueryShape(of: json("{\"find\":\"c\",\"filter\":{\"f\($0)\":1}}"), in: "test")?.hash
            }
            let settings = try Self.settings(#"{"reject":true}"#)
            try await concurrently(4) { group in
                for (number, hash) in hashes.enumerated() where number % 2 == group % 2 {
                    _ = try await stores[group % 2].engine.changeQuerySettings(for: hash) { _ in
                        QuerySettingsEntry(
                            hash: hash, namespace: StorageTests.namespace(), query: json(#"{"find":"c"}"#),
                            settings: settings)
                    }
                }
            }
            for store in stores {
                try await store.engine.refreshQuerySettings()
                #expect(Set(store.engine.querySettings.all.map(\.hash)) == Set(hashes))
            }
        }

        @Test("what remains are the plans that were not chosen")
        func alternatives() async throws {
            let collection = try await collection
            func rejected(_ filter: String, hint: String? = nil) throws -> [String] {
                var query = FindQuery(filter: try Filter(compiling: json(filter)))
                query.hint = hint.map { .name($0) }
                query = try query.choosingAccess(in: collection)
                return query.alternatives(in: collection).compactMap { other in
                    guard case .keys(let scan) = other.access else { return nil }
                    return scan.index.definition.name
                }
            }
            #expect(try rejected(#"{"a":1}"#) == ["index1"])
            #expect(try rejected(#"{"z":1}"#) == [])
            #expect(try rejected(#"{"a":1}"#, hint: "index1") == [])
            #expect(try rejected(#"{"a":1,"b":1}"#).sorted() == ["index0", "index2"])
            try await set(#"{"a":1}"#, #"["index0","index1"]"#)
            #expect(try rejected(#"{"a":1}"#).count == 1)
        }

        @Test(
            "$near needs an index of its kind",
            arguments: [
                (nil, #"{"$near":[0,0]}"#, 291), ("2d", #"{"$near":[0,0]}"#, nil),
                ("2dsphere", #"{"$near":[0,0]}"#, 291),
                ("2d", #"{"$nearSphere":[0,0]}"#, nil), ("2dsphere", #"{"$nearSphere":[0,0]}"#, nil),
                ("2d", #"{"$near":{"$geometry":{"type":"Point","coordinates":[0,0]}}}"#, 291),
                ("2dsphere", #"{"$near":{"$geometry":{"type":"Point","coordinates":[0,0]}}}"#, nil),
            ] as [(String?, String, Int32?)])
        func near(kind: String?, condition: String, code: Int32?) async throws {
            if let kind { try await store.index(#"{"key":{"l":"\#(kind)"}}"#) }
            let collection = try await collection
            let filter = try Filter(compiling: json(#"{"l":\#(condition)}"#), allowing: .query)
            let found = await errorCode {
                var run = QueryRun(FindQuery(filter: filter), on: collection)
                _ = try await store.engine.next(&run, count: 1)
            }
            #expect(found == code)
            #expect(
                await errorCode { _ = try await store.engine.count(FindQuery(filter: filter), in: collection) } == code)
            var hinted = FindQuery(filter: filter)
            hinted.hint = .name("index0")
            #expect(await errorCode { _ = try await store.engine.count(hinted, in: collection) } == 291)
        }
    }
}
