internal import BSON
package import CommandModel

extension StorageEngine {
    /// How many documents a query finds, and how many bytes of BSON they are.
    package func measure(
        _ query: FindQuery, in collection: Collection
    ) async throws(StorageError) -> (documents: Int64, bytes: Int64) {
        let query = try query.choosingAccess(in: collection)
        return try await reading(query, in: collection, until: query.deadline) { connection throws(StorageError) in
            var (documents, bytes): (Int64, Int64) = (0, 0)
            for var plan in query.scanPlans(collection) {
                plan.order = .unordered
                let scanner = Scanner(on: connection, deadline: query.deadline)
                _ = try scanner.forEachRow(of: plan) { row throws(StorageError) in
                    guard try query.accepts(row) else { return true }
                    documents += 1
                    bytes += Int64(row.document.bytes.count)
                    return true
                }
            }
            return (documents, bytes)
        }
    }
}
