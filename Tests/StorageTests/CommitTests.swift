import BSON
import CommandModel
import Postgres
import Testing

@testable import Storage

/// Transactions that PostgreSQL refuses at their very end.
extension DatabaseTests {
    @Suite struct CommitTests {
        private let store: TestStore
        private let collection: Storage.Collection
        private var engine: StorageEngine { store.engine }

        /// Documents over 1,000 bytes pass every statement, and fail the commit.
        init() async throws {
            store = try TestStore.make()
            collection = try await store.collection()
            try store.connect().execute(
                script: """
                    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
                    BEGIN RAISE EXCEPTION 'refused at commit'; END $$;
                    CREATE CONSTRAINT TRIGGER refuse AFTER INSERT OR UPDATE ON \(collection.sql.table)
                    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (octet_length(NEW.doc) > 1000)
                    EXECUTE FUNCTION refuse();
                    """)
        }

        private static let filler = String(repeating: "x", count: 1_000)

        @Test("a write is acknowledged after its commit, and one whose commit fails takes no other with it")
        func groups() async throws {
            let (engine, collection) = (engine, collection)
            let refused = Shared<Set<Int>>([])
            try await concurrently(120) { task in
                let text = task % 10 < 3 ? Self.filler : ""
                let code = await errorCode {
                    if task % 2 == 0 {
                        try await engine.insert(json("{\"_id\": \(task), \"s\": \"\(text)\"}"), into: collection)
                    } else {
                        _ = try await engine.modify(
                            .update("{\"_id\": \(task)}", "{\"$set\": {\"s\": \"\(text)\"}}", upsert: true),
                            in: collection)
                    }
                }
                if code != nil { _ = refused.update { $0.insert(task) } }
            }
            #expect(refused.value == Set((0..<120).filter { $0 % 10 < 3 }))
            let found = try await engine.documents(of: collection).compactMap { $0.int("_id") }
            #expect(found.sorted() == (0..<120).filter { $0 % 10 >= 3 })
        }

        @Test("an insert of many documents whose commit fails inserts nothing, and says so")
        func bulk() async throws {
            let documents = [json(#"{"_id": 1}"#), json("{\"_id\": 2, \"s\": \"\(Self.filler)\"}")]
            for ordered in [true, false] {
                let code = await errorCode {
                    _ = try await engine.insert(documents, into: collection, isOrdered: ordered)
                }
                #expect(code == 1)
            }
            #expect(try await engine.texts(of: collection) == [])
        }

        @Test("an update of many documents whose commit fails is an error, and what the chunk did is undone")
        func many() async throws {
            try await engine.fill((0..<10).map { json("{\"_id\": \($0)}") }, into: collection)
            let code = await errorCode {
                _ = try await engine.modifyMany(
                    .update("{}", "{\"$set\": {\"s\": \"\(Self.filler)\"}}", multi: true), in: collection,
                    deadline: .never)
            }
            #expect(code == 1)
            #expect(try await engine.documents(of: collection).allSatisfy { $0.count < 100 })
        }
    }
}
