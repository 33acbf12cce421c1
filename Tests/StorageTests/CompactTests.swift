import Testing

@testable import Storage

extension DatabaseTests {
    @Suite struct CompactTests {
        @Test("compacting a table takes no document away")
        func compact() async throws {
            let store = try TestStore.make()
            let collection = try await store.collection()
            try await store.engine.fill((0..<200).map { json(#"{"_id": \#($0), "x": 1}"#) }, into: collection)
            let operation = try DocumentOperation.delete(#"{"_id": {"$gte": 50}}"#)
            _ = try await store.engine.modifyMany(operation, in: collection, deadline: .never)
            #expect(try await store.engine.reclaimableBytes(of: collection) >= 0)
            #expect(try await store.engine.compact(collection) >= 0)
            #expect(try await store.engine.documents(of: collection, where: "{}").count == 50)
        }
    }
}
