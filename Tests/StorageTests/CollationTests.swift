import BSON
import CommandModel
import NIOCore
import Postgres
import Query
import SQL
import Testing

@testable import Storage

private func collator(_ options: String) throws -> Collator? {
    try json(options).withRaw { raw in
        try raw["collation"].flatMap { try Collation(Argument(command: "test", key: RawKey("collation"), value: $0)) }
    }.map { try Collator.shared(for: $0) }
}

/// What becomes of the values of `_id` in a filter.
@Suite struct KeyConstraintTests {
    private static let english = #"{"collation": {"locale": "en", "strength": 2}}"#

    @Test(
        "strings become keys only under the collation of the keys",
        arguments: [
            (#"{"_id": "A"}"#, "points exact", "any"), (#"{"_id": 5}"#, "points exact", "points exact"),
            (#"{"_id": {"$in": [5, "A"]}}"#, "points exact", "any"),
            (#"{"_id": {"$in": [5, true]}}"#, "points exact", "points exact"),
            (#"{"_id": {"a": ["A"]}}"#, "points exact", "any"),
            (#"{"_id": {"a": [1]}}"#, "points exact", "points exact"),
            (#"{"_id": {"$gt": "A"}}"#, "range exact", "range"),
            (#"{"_id": {"$gt": 5}}"#, "range exact", "range exact"),
            (#"{"_id": {"$gt": "A", "$lte": "B"}, "x": 1}"#, "range", "range"), (#"{"x": "A"}"#, "any", "any"),
        ])
    func shape(_ filter: String, alike: String, different: String) throws {
        for (keys, command, expected) in [
            ("{}", "{}", alike), (Self.english, Self.english, alike), (Self.english, "{}", different),
            ("{}", Self.english, different),
            (Self.english, #"{"collation": {"locale": "en", "strength": 1}}"#, different),
        ] {
            let collection = Storage.Collection(
                namespace: namespace(), number: 7, uuid: [], options: .empty, collator: try collator(keys))
            let filter = try Filter(compiling: json(filter), collator: try collator(command))
            #expect(Self.text(KeyConstraint(of: filter, in: collection)) == expected, "\(keys) \(command)")
        }
    }

    private static func text(_ constraint: KeyConstraint) -> String {
        let shape =
            switch constraint.shape {
            case .any: "any"
            case .points: "points"
            case .range: "range"
            }
        return constraint.isExact ? "\(shape) exact" : shape
    }

    @Test("a bound under another collation becomes the bracket of strings")
    func bracket() throws {
        let collection = Storage.Collection(
            namespace: namespace(), number: 7, uuid: [], options: .empty, collator: try collator(Self.english))
        let filter = try Filter(compiling: json(#"{"_id": {"$gt": "A", "$lte": "B"}}"#))
        guard case .range(let lower, let upper) = KeyConstraint(of: filter, in: collection).shape else {
            Issue.record("no range")
            return
        }
        let bracket = KeyEncoder.bracket(of: .string)
        #expect(lower.key == ByteBuffer(bytes: [bracket.first]) && upper.key == ByteBuffer(bytes: [bracket.end]))
    }
}

extension DatabaseTests {
    /// Collections whose `_id` is unique under a collation, and commands under others.
    @Suite struct CollationTests {
        private static let options = #"{"collation": {"locale": "en", "strength": 2}}"#
        private let store: TestStore
        private let collection: Storage.Collection

        init() async throws {
            store = try TestStore.make()
            let collator = try #require(try collator(Self.options))
            let options = Document { $0.append("collation", document: collator.collation.document) }
            collection = try await store.engine.catalog.collectionOrCreate(namespace(), options: options).collection
        }

        private func find(_ filter: String, by collation: String, sort: String? = nil) async throws -> [String] {
            let collator = try collator(collation)
            var query = FindQuery(filter: try Filter(compiling: json(filter), collator: collator))
            query.sort = try sort.map { try SortPattern(compiling: json($0), collator: collator) }
            var run = QueryRun(query, on: collection)
            var found: [String] = []
            while !run.isExhausted { found += try await store.engine.next(&run, count: 2).map(\.text) }
            #expect(
                try await store.engine.count(query, in: collection) == Int64(found.count), "\(filter) \(collation)")
            return found
        }

        private func fill(_ ids: String...) async throws {
            try await store.engine.fill(ids.map { json("{\"_id\": \($0)}") }, into: collection)
        }

        @Test("equal under the collation is a duplicate key, in bulk and alone; the documents keep their bytes")
        func duplicates() async throws {
            try await fill(#""Apple""#, #""b""#)
            let refused = try await store.engine.insert(
                [
                    json(#"{"_id": "c"}"#), json(#"{"_id": "APPLE"}"#), json(#"{"_id": {"a": "C"}}"#),
                    json(#"{"_id": {"a": "c"}}"#),
                ],
                into: collection, isOrdered: false)
            #expect(refused.map(\.index) == [1, 3] && refused.allSatisfy { $0.error.code.number == 11000 })
            await #expect(throws: StorageError.self) {
                try await store.engine.insert(json(#"{"_id": "B"}"#), into: collection)
            }
            #expect(
                try await store.engine.texts(of: collection)
                    == [#"{"_id":"Apple"}"#, #"{"_id":"b"}"#, #"{"_id":"c"}"#, #"{"_id":{"a":"C"}}"#])
        }

        @Test("_id is found under the command's collation, whatever the keys are made under")
        func reads() async throws {
            try await fill(#""b""#, #""C""#, #""a""#, "5", #""\u00e1""#)
            let (same, simple, base) = (Self.options, "{}", #"{"collation": {"locale": "en", "strength": 1}}"#)
            #expect(try await find(#"{"_id": "B"}"#, by: same) == [#"{"_id":"b"}"#])
            #expect(try await find(#"{"_id": "B"}"#, by: simple) == [])
            #expect(try await find(#"{"_id": "C"}"#, by: simple) == [#"{"_id":"C"}"#])
            #expect(try await find(#"{"_id": "A"}"#, by: base).count == 2)
            #expect(try await find(#"{"_id": {"$in": ["A", 5.0]}}"#, by: base).count == 3)
            #expect(try await find(#"{"_id": {"$gt": "B"}}"#, by: same) == [#"{"_id":"C"}"#])
            #expect(try await find(#"{"_id": {"$lte": "C"}}"#, by: simple) == [#"{"_id":"C"}"#])
        }

        @Test("a sort by _id is the order of keys under their collation, and sorts in memory under another")
        func sorted() async throws {
            try await fill(#""b""#, #""C""#, #""a""#, #""D""#)
            let byID = #"{"_id": 1}"#
            #expect(
                try await find("{}", by: Self.options, sort: byID)
                    == [#"{"_id":"a"}"#, #"{"_id":"b"}"#, #"{"_id":"C"}"#, #"{"_id":"D"}"#])
            #expect(
                try await find("{}", by: "{}", sort: byID)
                    == [#"{"_id":"C"}"#, #"{"_id":"D"}"#, #"{"_id":"a"}"#, #"{"_id":"b"}"#])
        }

        @Test("min and max are bounds in the order of the command")
        func bounds() async throws {
            try await fill(#""b""#, #""C""#, #""a""#, "5")
            for (collation, found) in [(Self.options, [#""b""#]), ("{}", [#""b""#, #""C""#, #""a""#])] {
                var query = FindQuery(filter: .everything)
                query.bounds = IDBounds(
                    lower: .string("B"), upper: .string("c"), order: ValueOrder(try collator(collation)))
                var run = QueryRun(query, on: collection)
                #expect(try await store.engine.next(&run, count: 9).map(\.text) == found.map { "{\"_id\":\($0)}" })
            }
        }

        private func update(_ filter: String, by collation: String, upsert: Bool = false) throws -> DocumentOperation {
            let collator = try collator(collation)
            return DocumentOperation(
                on: namespace(), filter: try Filter(compiling: json(filter), collator: collator),
                action: .update(
                    try UpdateProgram(
                        compiling: .document(json(#"{"$inc": {"n": 1}}"#)), isUpsert: upsert,
                        environment: .none.collated(by: collator))),
                upsertID: upsert ? ObjectID(high: 7, low: 9) : nil)
        }

        @Test("updates and upserts by _id, under the same collation, another and none", arguments: [false, true])
        func writes(inTransaction: Bool) async throws {
            try await fill(#""b""#, #""C""#)
            func modify(_ operation: DocumentOperation) async throws -> DocumentOutcome {
                guard inTransaction else { return try await store.engine.modify(operation, in: collection) }
                let transaction = try await OpenTransaction.open(
                    on: store.engine.transactions.lanes, isolation: .snapshot)
                do {
                    let outcome = try await transaction.modifyOne(operation, in: collection, deadline: .never)
                    try await transaction.commit(recording: [])
                    return outcome
                } catch {
                    await transaction.abort()
                    throw error
                }
            }
            #expect(try await modify(update(#"{"_id": "B"}"#, by: Self.options)).modified)
            #expect(try await !modify(update(#"{"_id": "B"}"#, by: "{}")).matched)
            #expect(try await modify(update(#"{"_id": "C"}"#, by: "{}")).modified)
            #expect(try await modify(update(#"{"_id": "c"}"#, by: Self.options, upsert: true)).upsertedID == nil)
            #expect(
                try await modify(update(#"{"_id": "D"}"#, by: Self.options, upsert: true)).upsertedID?.withRaw(\.string)
                    == "D")
            await #expect(throws: StorageError.self) {
                _ = try await modify(update(#"{"_id": "c"}"#, by: "{}", upsert: true))
            }
            #expect(
                try await store.engine.texts(of: collection)
                    == [#"{"_id":"b","n":1}"#, #"{"_id":"C","n":2}"#, #"{"_id":"D","n":1}"#])
            let many = try await store.engine.modifyMany(
                update(#"{"_id": {"$lt": "D"}}"#, by: Self.options), in: collection, deadline: .never)
            #expect(many.modified == 2)
        }

        @Test("another server reads the collation from the catalog, and refuses keys made with other data")
        func catalog() async throws {
            let other = try TestStore(store.database)
            let read = try #require(try await other.engine.catalog.collection(namespace()))
            #expect(read.collator?.collation == collection.collator?.collation && read.collator != nil)
            #expect(read.options == collection.options)
            let validated = Document { builder in
                read.options.withRaw { raw in
                    for option in raw { builder.append(option) }
                }
                builder.append("validationLevel", string: "strict")
            }
            try await other.engine.catalog.changeOptions(of: namespace()) { _ in validated }
            #expect(try await other.engine.catalog.collection(namespace())?.options == validated)
            let connection = try store.connect()
            let damaged = Document { builder in
                read.options.withRaw { raw in
                    for option in raw { builder.append(option) }
                }
                builder.append("$collationData", string: "1.2.3.4")
            }
            _ = try connection.execute(
                Statement("UPDATE martlet.collections SET options = $1", [.bytea(damaged.buffer)]))
            let late = try TestStore(store.database)
            #expect(await errorCode { _ = try await late.engine.catalog.collection(namespace()) } == 161)
            // It can still be listed, and dropped.
            let listed = try await late.engine.catalog.collections(in: "test")
            #expect(listed.map(\.collection.options) == [read.options])
            #expect(try await late.engine.catalog.drop(namespace()))
        }
    }
}
