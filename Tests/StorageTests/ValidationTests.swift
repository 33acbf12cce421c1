import BSON
import CommandModel
import Query
import Testing

@testable import Storage

extension DatabaseTests {
    /// What a collection demands of its documents, by all ways on which a new version of one is made.
    @Suite struct ValidationTests {
        private let store: TestStore

        init() throws {
            store = try TestStore.make()
        }

        private func collection(_ options: String) async throws -> Storage.Collection {
            try await store.engine.catalog.collectionOrCreate(namespace(), options: json(options)).collection
        }

        /// Demands that `a` is a number, if it is there.
        private static let options = #"{"validator": {"a": {"$type": "number"}}}"#

        private func documents(_ texts: [String]) -> [Document] { texts.map(json) }

        struct Insertion: Sendable {
            let documents: [String]
            let ordered: Bool
            let errors: [Int: Int32]
            let stored: [Int]
        }

        /// 100 is there already.
        static let insertions = [
            Insertion(
                documents: [#"{"_id":1,"a":1}"#, #"{"_id":2}"#, #"{"_id":3,"a":1}"#], ordered: true, errors: [1: 121],
                stored: [1]),
            Insertion(
                documents: [#"{"_id":1,"a":1}"#, #"{"_id":2}"#, #"{"_id":3,"a":1}"#], ordered: false,
                errors: [1: 121], stored: [1, 3]),
            Insertion(
                documents: [#"{"_id":100,"a":1}"#, #"{"_id":2}"#, #"{"_id":3,"a":1}"#], ordered: true,
                errors: [0: 11000], stored: []),
            Insertion(
                documents: [#"{"_id":2}"#, #"{"_id":100,"a":1}"#, #"{"_id":3,"a":1}"#, #"{"_id":4,"a":"x"}"#],
                ordered: false, errors: [0: 121, 1: 11000, 3: 121], stored: [3]),
            Insertion(
                documents: [#"{"_id":1}"#, #"{"_id":2}"#], ordered: false, errors: [0: 121, 1: 121], stored: []),
        ]

        @Test("an insert refuses what breaks the rules, and nothing else", arguments: insertions)
        func insert(insertion: Insertion) async throws {
            let collection = try await collection(Self.options)
            try await store.engine.insert(json(#"{"_id":100,"a":0}"#), into: collection)
            let errors = try await store.engine.insert(
                documents(insertion.documents), into: collection, isOrdered: insertion.ordered)
            #expect(
                Dictionary(uniqueKeysWithValues: errors.map { ($0.index, $0.error.code.number) }) == insertion.errors)
            #expect(errors.map(\.index) == errors.map(\.index).sorted())
            let stored = try await store.engine.documents(of: collection).compactMap { $0.int("_id") }
            #expect(stored == [100] + insertion.stored.map(Int64.init))
        }

        @Test("the same in a transaction", arguments: insertions)
        func insertInTransaction(insertion: Insertion) async throws {
            let collection = try await collection(Self.options)
            try await store.engine.insert(json(#"{"_id":100,"a":0}"#), into: collection)
            let transaction = try await OpenTransaction.open(on: store.engine.transactions.lanes, isolation: .snapshot)
            let errors = try await transaction.insert(
                documents(insertion.documents), into: collection, isOrdered: insertion.ordered)
            #expect(
                Dictionary(uniqueKeysWithValues: errors.map { ($0.index, $0.error.code.number) }) == insertion.errors)
            try await transaction.commit()
            let stored = try await store.engine.documents(of: collection).compactMap { $0.int("_id") }
            #expect(stored == [100] + insertion.stored.map(Int64.init))
        }

        @Test("a single insert says what is wrong with its document")
        func singleInsert() async throws {
            let collection = try await collection(Self.options)
            do {
                try await store.engine.insert(json(#"{"_id": 1, "a": "x"}"#), into: collection)
                Issue.record("no error")
            } catch .command(let error) {
                #expect(error.code.number == 121)
                #expect(
                    error.details?.text == """
                        {"errInfo":{"failingDocumentId":1,"details":{"operatorName":"$type",\
                        "specifiedAs":{"a":{"$type":"number"}},"reason":"type did not match",\
                        "consideredValue":"x","consideredType":"string"}}}
                        """)
            }
            #expect(try await store.engine.texts(of: collection).isEmpty)
            try await store.engine.insert(json(#"{"_id": 1}"#), into: collection, bypassingValidation: true)
        }

        @Test("an update of one document, of many, and an upsert are held against the rules", arguments: [true, false])
        func update(isInTransaction: Bool) async throws {
            let collection = try await collection(Self.options)
            try await store.engine.fill(
                documents([#"{"_id":1,"a":1}"#, #"{"_id":2,"a":2}"#, #"{"_id":3,"a":3}"#]), into: collection)
            func code(_ operation: DocumentOperation, many: Bool = false) async throws -> Int32? {
                try await self.code(operation, many: many, in: collection, isInTransaction: isInTransaction)
            }
            #expect(try await code(.update(#"{"_id":1}"#, #"{"$set":{"a":"x"}}"#)) == 121)
            #expect(try await code(.update(#"{"a":2}"#, #"{"$unset":{"a":1}}"#)) == 121)
            #expect(try await code(.update(#"{"_id":2}"#, #"{"b":1}"#)) == 121)
            #expect(try await code(.update("{}", #"{"$set":{"a":null}}"#, multi: true), many: true) == 121)
            #expect(try await code(.update(#"{"_id":9}"#, #"{"$set":{"b":1}}"#, upsert: true)) == 121)
            #expect(try await code(.update(#"{"b":9}"#, #"{"$set":{"c":1}}"#, upsert: true)) == 121)
            #expect(try await code(.update(#"{"_id":1}"#, #"{"$inc":{"a":1}}"#)) == nil)
            var bypassing = try DocumentOperation.update(#"{"_id":2}"#, #"{"$set":{"a":"x"}}"#)
            bypassing.bypassesValidation = true
            #expect(try await code(bypassing) == nil)
            // What changes nothing makes no new version.
            #expect(try await code(.update(#"{"_id":2}"#, #"{"$set":{"a":"x"}}"#)) == nil)
            #expect(
                try await store.engine.texts(of: collection)
                    == [#"{"_id":1,"a":2}"#, #"{"_id":2,"a":"x"}"#, #"{"_id":3,"a":3}"#])
        }

        private func code(
            _ operation: DocumentOperation, many: Bool, in collection: Storage.Collection, isInTransaction: Bool
        ) async throws -> Int32? {
            guard isInTransaction else {
                return await errorCode {
                    if many {
                        _ = try await store.engine.modifyMany(operation, in: collection, deadline: .never)
                    } else {
                        _ = try await store.engine.modify(operation, in: collection)
                    }
                }
            }
            let transaction = try await OpenTransaction.open(on: store.engine.transactions.lanes, isolation: .snapshot)
            let code = await errorCode {
                if many {
                    _ = try await transaction.modifyMany(operation, in: collection, deadline: .never)
                } else {
                    _ = try await transaction.modifyOne(operation, in: collection, deadline: .never)
                }
            }
            if code == nil { try await transaction.commit() } else { await transaction.abort() }
            return code
        }

        @Test("an update of many stops at the first document that breaks the rules; those before it are stored")
        func updateMany() async throws {
            let collection = try await collection(#"{"validator": {"a": {"$lt": 12}}}"#)
            try await store.engine.fill(documents((1...4).map { #"{"_id":\#($0),"a":\#($0)}"# }), into: collection)
            let operation = try DocumentOperation.update("{}", #"{"$inc":{"a":9}}"#, multi: true)
            let code = await errorCode {
                _ = try await store.engine.modifyMany(operation, in: collection, deadline: .never)
            }
            #expect(code == 121)
            #expect(try await store.engine.documents(of: collection).compactMap { $0.int("a") } == [10, 11, 3, 4])
        }

        @Test("writes of one document that share a lane fail each alone")
        func lane() async throws {
            let collection = try await collection(#"{"validator": {"a": {"$mod": [2, 0]}}}"#)
            try await store.engine.insert(json(#"{"_id":1,"a":0}"#), into: collection)
            let codes = Shared<[Int32?]>([])
            let store = store
            try await concurrently(40) { task in
                let operation = try DocumentOperation.update(#"{"_id":1}"#, #"{"$inc":{"a":\#(task % 2 + 1)}}"#)
                let code = await errorCode { _ = try await store.engine.modify(operation, in: collection) }
                codes.update { $0.append(code) }
            }
            #expect(codes.value.filter { $0 == 121 }.count == 20 && codes.value.filter { $0 == nil }.count == 20)
            #expect(try await store.engine.texts(of: collection) == [#"{"_id":1,"a":40}"#])
        }

        @Test("moderate leaves documents alone that broke the rules before, and warn lets everything pass")
        func levels() async throws {
            let moderate = try await collection(
                #"{"validator": {"a": {"$type": "number"}}, "validationLevel": "moderate"}"#)
            try await store.engine.insert(json(#"{"_id":1,"a":"x"}"#), into: moderate, bypassingValidation: true)
            try await store.engine.insert(json(#"{"_id":2,"a":1}"#), into: moderate)
            let update = { (id: Int) in try DocumentOperation.update(#"{"_id":\#(id)}"#, #"{"$set":{"a":"y"}}"#) }
            #expect(await errorCode { _ = try await store.engine.modify(try update(1), in: moderate) } == nil)
            #expect(await errorCode { _ = try await store.engine.modify(try update(2), in: moderate) } == 121)
            #expect(await errorCode { try await store.engine.insert(json(#"{"_id":3}"#), into: moderate) } == 121)
            try await store.engine.catalog.changeOptions(of: namespace()) { _ in
                json(#"{"validator": {"a": {"$type": "number"}}, "validationAction": "warn"}"#)
            }
            let warning = try #require(await store.engine.catalog.collection(namespace()))
            #expect(await errorCode { try await store.engine.insert(json(#"{"_id":3}"#), into: warning) } == nil)
        }

        @Test("a cursor goes on while the rules are changed, and ends with the collection")
        func cursor() async throws {
            let collection = try await collection("{}")
            try await store.engine.fill(documents((1...30).map { #"{"_id":\#($0)}"# }), into: collection)
            var run = QueryRun(FindQuery(filter: .everything), on: collection)
            var found = try await store.engine.next(&run, count: 10).count
            for round in 0..<2 {
                try await store.engine.catalog.changeOptions(of: namespace()) { _ in
                    json(#"{"validator": {"a": {"$gte": \#(round)}}}"#)
                }
                found += try await store.engine.next(&run, count: 5).count
            }
            #expect(found == 20)
            _ = try await store.engine.catalog.drop(namespace())
            _ = try await self.collection("{}")
            #expect(await errorCode { _ = try await store.engine.next(&run, count: 5) } == 26)
        }

        @Test("rules compare strings by the collation of the collection, but in $jsonSchema")
        func collation() async throws {
            let collection = try await collection(
                #"{"validator": {"a": "x"}, "collation": {"locale": "en", "strength": 2}}"#)
            #expect(
                await errorCode { try await store.engine.insert(json(#"{"_id":1,"a":"X"}"#), into: collection) } == nil)
            #expect(
                await errorCode { try await store.engine.insert(json(#"{"_id":2,"a":"y"}"#), into: collection) } == 121)
            try await store.engine.catalog.changeOptions(of: namespace()) { _ in
                json(
                    #"""
                    {"collation": {"locale": "en", "strength": 2},
                    "validator": {"$jsonSchema": {"properties": {"a": {"enum": ["x"]}}}}}
                    """#)
            }
            let schema = try #require(await store.engine.catalog.collection(namespace()))
            #expect(schema.collator != nil)
            #expect(await errorCode { try await store.engine.insert(json(#"{"_id":3,"a":"X"}"#), into: schema) } == 121)
            #expect(await errorCode { try await store.engine.insert(json(#"{"_id":4,"a":"x"}"#), into: schema) } == nil)
        }

        @Test("rules that this server does not understand refuse every write")
        func unknownRules() async throws {
            let collection = try await collection(#"{"validator": {"a": {"$ofTheFuture": 1}}}"#)
            #expect(await errorCode { try await store.engine.insert(json(#"{"_id":1}"#), into: collection) } == 2)
            #expect(try await store.engine.texts(of: collection).isEmpty)
        }

        @Test("a retried insert is answered from the record, whatever the rules are by now")
        func retried() async throws {
            let collection = try await collection("{}")
            let identity = RetryIdentity(
                session: LogicalSessionID(uuid: [UInt8](repeating: 7, count: 16)), number: 1)
            let all = documents([#"{"_id":1,"a":1}"#, #"{"_id":2}"#])
            func insert(into collection: Storage.Collection) async throws -> [Int] {
                let guarded = StatementGuard(identity)
                return try await store.engine.insert(
                    all, into: collection, isOrdered: true, guarded: guarded, statements: [0, 1]
                ).map(\.index)
            }
            #expect(try await insert(into: collection) == [])
            try await store.engine.catalog.changeOptions(of: namespace()) { _ in json(Self.options) }
            let strict = try #require(await store.engine.catalog.collection(namespace()))
            #expect(try await insert(into: strict) == [])
            #expect(try await store.engine.texts(of: strict).count == 2)
        }
    }
}
