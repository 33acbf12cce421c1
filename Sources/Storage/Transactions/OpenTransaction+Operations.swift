package import BSON
package import CommandModel
package import NIOCore
package import Query

/// The operations of ``StorageEngine`` within a transaction, under the same names.
///
/// A ``StorageError/postgres(_:)`` has ended the transaction; its words for the client are
/// ``CommandModel/CommandError/init(inTransaction:)``.
extension OpenTransaction {
    private func run<R: Sendable>(
        until deadline: Deadline = .never,
        _ body: @escaping @Sendable (borrowing TransactionalOperations) throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        try await withConnection(until: deadline) { connection throws(StorageError) in
            try body(TransactionalOperations(self, on: connection))
        }
    }

    /// The collection, made within the transaction when there is none: then nobody else sees it before the commit.
    ///
    /// - Throws: DatabaseDifferCase (13297), InvalidNamespace (73).
    package func collectionOrCreate(
        _ namespace: Namespace, options: Document = .empty
    ) async throws(StorageError) -> (collection: Collection, isNew: Bool) {
        if let own = ownCollection(namespace) { return (own, false) }
        try Catalog.checkForCreation(namespace)
        let (collection, isNew) = try await withConnection { connection throws(StorageError) in
            let made = try CatalogSQL.create(namespace, options: options, on: connection)
            if made.isNew { self.noteWrite() }
            return made
        }
        if isNew { keep(own: collection) }
        return (collection, isNew)
    }

    /// Inserts several documents.
    ///
    /// - Returns: the errors by the documents' positions. When `isOrdered`, documents after the first error are not
    ///   inserted.
    package func insert(
        _ documents: [Document], into collection: Collection, isOrdered: Bool, bypassingValidation: Bool = false
    ) async throws(StorageError) -> [(index: Int, error: CommandError)] {
        try await run { operations throws(StorageError) in
            try operations.insert(
                documents, into: collection, isOrdered: isOrdered, bypassingValidation: bypassingValidation)
        }
    }

    /// Applies `operation` to one matching document, the first in the order of `sort`.
    package func modifyOne(
        _ operation: DocumentOperation, in collection: Collection, sort: SortPattern? = nil, deadline: Deadline
    ) async throws(StorageError) -> DocumentOutcome {
        try await run(until: deadline) { operations throws(StorageError) in
            try operations.modifyOne(operation, in: collection, sort: sort, deadline: deadline)
        }
    }

    /// Applies `operation` to all matching documents.
    package func modifyMany(
        _ operation: DocumentOperation, in collection: Collection, deadline: Deadline
    ) async throws(StorageError) -> WriteTally {
        try await run(until: deadline) { operations throws(StorageError) in
            try operations.modifyMany(operation, in: collection, deadline: deadline)
        }
    }

    /// One document by the key of its `_id`.
    package func read(_ key: ByteBuffer, from collection: Collection) async throws(StorageError) -> ByteBuffer? {
        try await run { operations throws(StorageError) in try operations.read(key, from: collection) }
    }

    /// The next batch of a query.
    package func fill(
        _ batch: ReplyBatch, from run: QueryRun, deadline: Deadline
    ) async throws(StorageError) -> (ReplyBatch, QueryRun) {
        if !run.needsConnection {
            var (batch, run) = (batch, run)
            try run.takeSorted(into: &batch, deadline: deadline)
            return (batch, run)
        }
        return try await withConnection(until: deadline) { connection throws(StorageError) in
            var (batch, run) = (batch, run)
            try run.fill(&batch, on: connection, deadline: deadline)
            return (batch, run)
        }
    }

    /// How many documents match, after `skip` and up to `limit`.
    package func count(_ query: FindQuery, in collection: Collection) async throws(StorageError) -> Int64 {
        try await withConnection(until: query.deadline) { connection throws(StorageError) in
            try StorageEngine.count(query, in: collection, on: connection)
        }
    }

    /// The distinct values at the collector's path among the matching documents.
    package func distinct(
        _ query: FindQuery, into collector: DistinctCollector, in collection: Collection
    ) async throws(StorageError) -> DistinctCollector {
        try await withConnection(until: query.deadline) { connection throws(StorageError) in
            try StorageEngine.distinct(query, into: collector, in: collection, on: connection)
        }
    }
}
