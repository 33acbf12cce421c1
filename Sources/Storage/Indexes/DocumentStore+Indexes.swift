package import BSON
package import CommandModel
internal import Postgres
internal import SQL

extension DocumentStore {
    /// As ``Catalog/changeIndexes(of:creating:_:)``, also within a transaction.
    package func changeIndexes(
        of namespace: Namespace, creating options: Document? = nil,
        _ choose: @escaping @Sendable (Collection) throws(CommandError) -> [IndexChange]
    ) async throws(CommandError) -> (before: Collection, isNew: Bool)? {
        guard let transaction else {
            return try await engine.mapped { () async throws(StorageError) in
                try await engine.catalog.changeIndexes(
                    of: namespace, creating: options, until: deadline, choose)
            }
        }
        do throws(StorageError) {
            return try await transaction.changeIndexes(of: namespace, creating: options ?? .empty, choose)
        } catch {
            throw CommandError(inTransaction: error)
        }
    }
}

extension OpenTransaction {
    /// As ``Catalog/changeIndexes(of:creating:_:)``: of a collection that this transaction has made, and that is still
    /// empty. Nobody else writes it, so that nobody could miss the change.
    func changeIndexes(
        of namespace: Namespace, creating options: Document,
        _ choose: @escaping @Sendable (Collection) throws(CommandError) -> [IndexChange]
    ) async throws(StorageError) -> (before: Collection, isNew: Bool)? {
        try Catalog.checkForCreation(namespace)
        let isKnown = ownCollection(namespace) != nil
        return try await withConnection { connection throws(StorageError) in
            let (collection, isNew) = try CatalogSQL.create(namespace, options: options, on: connection)
            if isNew { self.noteWrite() }
            let changes: [IndexChange]
            do throws(CommandError) { changes = try choose(collection) } catch { throw .command(error) }
            if !changes.isEmpty {
                try Self.check(collection, isOwn: isNew || isKnown, on: connection)
                // Documents may come in this transaction, which cannot tell others about them before it commits.
                _ = try CatalogSQL.changeIndexes(
                    of: namespace, creating: nil, mode: .withinTransaction, choose, on: connection)
            }
            if isNew || !changes.isEmpty, let present = try CatalogSQL.find(namespace, on: connection) {
                self.keep(own: present)
            }
            return (collection, isNew)
        }
    }

    private static func check(
        _ collection: Collection, isOwn: Bool, on connection: Connection
    ) throws(StorageError) {
        guard isOwn else {
            throw .command(
                CommandError(
                    .operationNotSupportedInTransaction,
                    "Cannot create new indexes on existing collection \(collection.namespace) in a multi-document "
                        + "transaction."))
        }
        let row = try CatalogSQL.execute("SELECT EXISTS (SELECT FROM \(collection.sql.table))", [], on: connection)
        guard row.bool(row: 0, column: 0) == false else {
            throw .command(
                CommandError(
                    .operationNotSupportedInTransaction,
                    "Cannot create new indexes on non-empty collection \(collection.namespace) in a multi-document "
                        + "transaction."))
        }
    }
}
