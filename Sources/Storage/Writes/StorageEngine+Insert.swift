package import BSON
package import CommandModel
package import NIOCore
internal import Postgres

extension StorageEngine {
    /// Inserts one document: with whatever other writes are on their way, in one transaction.
    ///
    /// - Throws: DuplicateKey (11000).
    package func insert(_ document: Document, into collection: Collection) async throws(StorageError) {
        let key = document.withRaw { DocumentKey.ofDocument($0) }
        _ = try await write(key, .insert(document), in: collection)
    }

    /// Inserts several documents in one transaction.
    ///
    /// - Returns: the errors by the documents' positions. When `isOrdered`, documents after the first error are not
    ///   inserted.
    package func insert(
        _ documents: [Document], into collection: Collection, isOrdered: Bool
    ) async throws(StorageError) -> [(index: Int, error: CommandError)] {
        let refused = try await general.withConnection { connection throws(StorageError) in
            let insert = BulkInsert(documents, into: collection, isOrdered: isOrdered)
            do throws(PostgresError) {
                return try connection.repeatingRefused { () throws(PostgresError) in try insert.run(on: connection) }
            } catch {
                throw .postgres(error)
            }
        }
        return refused.map { ($0, .duplicateID(in: collection.namespace, document: documents[$0])) }
    }

    func write(
        _ key: ByteBuffer, _ kind: WriteRequest.Kind, in collection: Collection
    ) async throws(StorageError) -> DocumentOutcome {
        // Writes of one document always meet on one thread, so that they can share a lane.
        let lane = key.hashValue ^ Int(truncatingIfNeeded: collection.number)
        let result: Result<DocumentOutcome, StorageError> = await withUnsafeContinuation { continuation in
            let request = WriteRequest(collection: collection, key: key, kind: kind, continuation: continuation)
            writers.submit(request, lane: lane)
        }
        return try result.get()
    }
}
