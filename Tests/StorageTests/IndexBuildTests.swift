import BSON
import CommandModel
import Logging
import NIOCore
import Postgres
import Query
import SQL
import Synchronization
import Testing

@testable import Storage

extension TestStore {
    /// Begins a build by hand, as a server does that dies later.
    fileprivate func begin(_ specifications: String...) async throws -> IndexBuildTicket {
        let definitions = try specifications.enumerated().map { number, text in
            try IndexDefinition(
                Document { builder in
                    builder.append("v", int32: 2)
                    json(text).withRaw { raw in for field in raw { builder.append(field) } }
                    builder.append("name", string: "built\(number)")
                })
        }
        let result = try await engine.catalog.transaction { connection throws(StorageError) in
            try CatalogSQL.changeIndexes(
                of: StorageTests.namespace(), creating: .empty, mode: .online(from: 0),
                { _ throws(CommandError) in definitions.map { .create($0) } }, on: connection)
        }
        engine.catalog.forget(StorageTests.namespace())
        return try #require(result?.build)
    }

    fileprivate func builder(
        _ ticket: IndexBuildTicket, until deadline: Deadline = .never
    ) -> IndexBuilder {
        IndexBuilder(ticket, in: engine.catalog, until: deadline, logger: Logger(label: "test"))
    }

    /// What builds leave when they are over: nothing.
    fileprivate func remains() throws -> [String] {
        let rows = try connect().execute(
            Statement(
                """
                SELECT relname::text FROM pg_class WHERE relname LIKE 'build\\_%' AND relkind = 'r'
                UNION ALL SELECT tgname::text FROM pg_trigger WHERE tgname LIKE 'build\\_%'
                UNION ALL SELECT 'build ' || number FROM martlet.index_builds
                UNION ALL SELECT relname::text FROM pg_class WHERE relname LIKE 'keys\\_%' AND relkind = 'r'
                      AND NOT EXISTS (SELECT FROM martlet.indexes WHERE relname = 'keys_' || number)
                """))
        return (0..<rows.rowCount).compactMap { rows.text(row: $0, column: 0) }
    }
}

extension DatabaseTests {
    /// Indexes that are built while their collection is written.
    @Suite struct IndexBuildTests {
        private let store: TestStore

        init() throws {
            store = try TestStore.make()
            store.engine.catalog.onlineBuildRowsMin.store(0, ordering: .relaxed)
        }

        private func insert(_ documents: [Document], from store: TestStore? = nil) async throws -> [Int32] {
            let engine = (store ?? self.store).engine
            return try await engine.withCollectionCreated(StorageTests.namespace()) {
                collection async throws(StorageError) in
                try await engine.insert(documents, into: collection, isOrdered: false)
            }.map(\.error.code.number)
        }

        private func fill(_ count: Int) async throws {
            let documents = (0..<count).map {
                json("{\"_id\": \($0), \"g\": -1, \"n\": \($0 % 7), \"u\": \($0), \"list\": [\($0), 1]}")
            }
            #expect(try await insert(documents) == [])
        }

        private func modify(_ operation: DocumentOperation) async throws {
            _ = try await store.engine.withCollectionCreated(StorageTests.namespace()) {
                collection async throws(StorageError) in
                try await store.engine.modifyMany(operation, in: collection, deadline: .never)
            }
        }

        private func indexNames() async throws -> [String] {
            store.engine.catalog.forget(StorageTests.namespace())
            let collection = try #require(try await store.engine.catalog.collection(StorageTests.namespace()))
            return try collection.indexes.get().map(\.definition.name)
        }

        @Test("an index that is built while servers write has the keys of the documents", arguments: 0..<2)
        func underLoad(round: Int) async throws {
            let seed = SeededGenerator.seed()
            print("seed \(seed)")
            let other = try TestStore(store.database)
            try await fill(800)
            let isBuilt = Shared(false)
            let stores = [store, other]
            async let writers: Void = concurrently(8) { group in
                var operations = RandomOperations(group: group, seed: seed &+ UInt64(round))
                let documents = DocumentStore(stores[group % 2].engine)
                var afterwards = 20
                while afterwards > 0 {
                    let operation = try operations.next()
                    let answer = try await documents.engine.withCollectionCreated(StorageTests.namespace()) {
                        collection async throws(StorageError) in
                        await operation.run(on: documents, in: collection)
                    }
                    _ = answer
                    if isBuilt.value { afterwards -= 1 }
                }
            }
            try await store.index(
                #"{"key":{"n":1}}"#, #"{"key":{"list":1,"n":-1}}"#, #"{"key":{"m":1},"sparse":true}"#)
            try await other.index(#"{"key":{"g":1,"_id":1},"unique":true}"#)
            isBuilt.update { $0 = true }
            try await writers
            try await store.checkKeys()
            #expect(try store.remains() == [])
            #expect(try await indexNames().count == 4)
        }

        @Test("a build whose builder has died is taken over, and the old builder does nothing more", arguments: 0..<7)
        func takeOver(steps: Int) async throws {
            try await fill(2_000)
            let ticket = try await store.begin(#"{"key":{"n":1}}"#, #"{"key":{"u":1},"unique":true}"#)
            var dead = store.builder(ticket)
            for _ in 0..<steps { _ = await dead.step() }
            try await modify(try .update(#"{"n":3}"#, #"{"$set":{"n":[8,9]}}"#, multi: true))
            try await modify(try .delete(#"{"n":5}"#))
            let taken = try await store.engine.catalog.transaction { connection throws(StorageError) in
                try IndexBuildTicket.takeOver(under: nil, patienceSeconds: 0, on: connection)
            }
            var heir = store.builder(try #require(taken))
            _ = await heir.step()
            _ = await dead.step()
            guard case .takenOver = dead.machine.outcome else { return #expect(Bool(false), "goes on") }
            guard case .ready = await heir.run() else { return #expect(Bool(false), "not ready") }
            store.engine.catalog.forget(StorageTests.namespace())
            try await store.checkKeys()
            #expect(try store.remains() == [])
        }

        @Test("a builder that is alive keeps its build")
        func alive() async throws {
            try await fill(10)
            let ticket = try await store.begin(#"{"key":{"n":1}}"#)
            let taken = try await store.engine.catalog.transaction { connection throws(StorageError) in
                try IndexBuildTicket.takeOver(under: nil, on: connection)
            }
            #expect(taken == nil)
            var builder = store.builder(ticket)
            guard case .ready = await builder.run() else { return #expect(Bool(false), "not ready") }
        }

        @Test("documents with the same key end the build of a unique index")
        func duplicates() async throws {
            try await fill(100)
            #expect(try await insert([json(#"{"_id":"x","u":7}"#)]) == [])
            do {
                try await store.index(#"{"key":{"u":1},"unique":true}"#, #"{"key":{"n":1}}"#)
                Issue.record("no error")
            } catch StorageError.command(let error) {
                #expect(error.code == .duplicateKey)
                #expect(error.details?.text == #"{"keyPattern":{"u":1},"keyValue":{"u":7}}"#)
            }
            #expect(try await indexNames() == [])
            #expect(try store.remains() == [])
        }

        @Test("a key that moves from one document to another while the index is built is no duplicate")
        func movedKey() async throws {
            try await fill(300)
            let ticket = try await store.begin(#"{"key":{"u":1},"unique":true}"#)
            var builder = store.builder(ticket)
            _ = await builder.step()
            // The key of one that was read goes to one that is read later.
            try await modify(try .update(#"{"_id":0}"#, #"{"$set":{"u":"gone"}}"#, multi: true))
            try await modify(try .update(#"{"_id":299}"#, #"{"$set":{"u":0}}"#, multi: true))
            while let action = builder.machine.action, action != .constrain(0) { _ = await builder.step() }
            try await modify(try .update(#"{"_id":1}"#, #"{"$set":{"u":"gone too"}}"#, multi: true))
            try await modify(try .update(#"{"_id":298}"#, #"{"$set":{"u":1}}"#, multi: true))
            guard case .ready = await builder.run() else { return #expect(Bool(false), "not ready") }
            store.engine.catalog.forget(StorageTests.namespace())
            try await store.checkKeys()
        }

        @Test("of many who store one key beside the build of a unique index at most one is in it", arguments: 0..<3)
        func uniqueRace(round: Int) async throws {
            try await fill(500)
            async let writers: Void = concurrently(32) { writer in
                for attempt in 0..<20 {
                    let id = writer * 1_000 + attempt + 10_000
                    _ = try await insert([json("{\"_id\":\(id),\"u\":\"same\(round)\"}")])
                    let delete = try DocumentOperation.delete("{\"_id\":\(id)}")
                    if attempt < 19 { try await modify(delete) }
                }
            }
            let code = await errorCode { try await store.index(#"{"key":{"u":1},"unique":true}"#) }
            try await writers
            #expect(code == nil || code == 11000)
            if code == nil {
                try await store.checkKeys()
                let collection = try #require(try await store.engine.catalog.collection(StorageTests.namespace()))
                #expect(try await store.engine.texts(of: collection, where: "{\"u\":\"same\(round)\"}").count == 1)
            }
            #expect(try store.remains() == [])
        }

        @Test("whoever drops an index, or the collection, ends the build", arguments: [true, false])
        func dropped(collection: Bool) async throws {
            try await fill(1_000)
            let ticket = try await store.begin(#"{"key":{"n":1}}"#, #"{"key":{"u":1}}"#)
            var builder = store.builder(ticket)
            _ = await builder.step()
            if collection {
                _ = try await store.engine.catalog.drop(StorageTests.namespace())
            } else {
                _ = try await store.engine.catalog.changeIndexes(of: StorageTests.namespace()) {
                    _ throws(CommandError) in [.drop(ticket.indexes[1])]
                }
            }
            guard case .failed(let error) = await builder.run() else { return #expect(Bool(false), "goes on") }
            #expect(error.code.number == 276)
            #expect(try store.remains() == [])
            if !collection { #expect(try await indexNames() == []) }
        }

        @Test("a build that is stopped leaves nothing behind")
        func interrupted() async throws {
            try await fill(1_000)
            let interruption = Interruption()
            let deadline = Deadline(maxTimeMilliseconds: 0, interruption: interruption)
            var builder = store.builder(try await store.begin(#"{"key":{"n":1}}"#), until: deadline)
            _ = await builder.step()
            #expect(interruption.progress?.message == "Index Build: scanning collection")
            interruption.interrupt(.killed)
            guard case .failed(let error) = await builder.run() else { return #expect(Bool(false), "goes on") }
            #expect(error.code == .interrupted)
            #expect(interruption.progress == nil)
            #expect(try store.remains() == [])
            #expect(try await indexNames() == [])
        }

        @Test("whoever asks for an index that is being built waits for it")
        func waiting() async throws {
            try await fill(500)
            let ticket = try await store.begin(#"{"key":{"n":1}}"#)
            let isOver = Shared(false)
            async let second: Void = {
                _ = try await store.engine.catalog.changeIndexes(of: StorageTests.namespace()) {
                    _ throws(CommandError) in isOver.value ? [] : [.await(ticket.indexes[0])]
                }
                isOver.update { $0 = true }
            }()
            try await Task.sleep(for: .milliseconds(120))
            #expect(!isOver.value)
            var builder = store.builder(ticket)
            guard case .ready = await builder.run() else { return #expect(Bool(false), "not ready") }
            try await second
            #expect(isOver.value)
        }

        @Test("a transaction with an older snapshot than an index does not use the collection")
        func oldSnapshot() async throws {
            try await fill(20)
            _ = try await store.collection("other")
            let transaction = try await OpenTransaction.open(on: store.engine.transactions.lanes, isolation: .snapshot)
            var documents = DocumentStore(store.engine)
            documents.transaction = transaction
            _ = try await documents.withCollection(StorageTests.namespace("other")) {
                collection async throws(StorageError) in
                try await documents.read(key("1"), from: collection)
            }
            try await store.index(#"{"key":{"n":1}}"#)
            let operation = try DocumentOperation.update(#"{"_id":3}"#, #"{"$set":{"n":"new"}}"#)
            let code = await errorCode {
                _ = try await documents.withCollection(StorageTests.namespace(), for: .writing) {
                    collection async throws(StorageError) in
                    try await documents.modifyOne(operation, statement: 0, in: collection, deadline: .never)
                }
            }
            #expect(code == 246)
            await transaction.abort()
            try await store.checkKeys()
        }

        @Test("documents that a capped collection loses during a build lose their keys, too")
        func capped() async throws {
            let options = json(#"{"capped":true,"size":{"$numberLong":"1000000"},"max":{"$numberLong":"500"}}"#)
            _ = try await store.engine.catalog.collectionOrCreate(StorageTests.namespace(), options: options)
            try await fill(500)
            var builder = store.builder(try await store.begin(#"{"key":{"u":1}}"#))
            _ = await builder.step()
            for id in 1_000..<1_100 { _ = try await insert([json("{\"_id\":\(id),\"u\":\(id)}")]) }
            guard case .ready = await builder.run() else { return #expect(Bool(false), "not ready") }
            store.engine.catalog.forget(StorageTests.namespace())
            try await store.checkKeys()
            for id in 2_000..<2_050 { _ = try await insert([json("{\"_id\":\(id),\"u\":\(id)}")]) }
            try await store.checkKeys()
        }
    }
}
