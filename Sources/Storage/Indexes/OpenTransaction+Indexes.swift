internal import Postgres
internal import SQL
internal import Synchronization

extension OpenTransaction {
    /// Refuses a collection whose indexes are younger than the transaction's snapshot.
    ///
    /// The keys that a build has stored since are not in the snapshot: a read by the index would miss documents, and a
    /// write would leave the old keys of its document behind. A build ends with another number of the collection, so
    /// the number tells; a table has no other sign by which a snapshot would show its age.
    ///
    /// - Throws: "undefined table", which the client gets as SnapshotUnavailable, to run the transaction again.
    func checkIndexes(of collection: Collection) async throws(StorageError) {
        let number = collection.number
        guard collection.hasIndexes, ownCollection(collection.namespace) == nil,
            !collectionsSeen.withLock({ $0.contains(number) })
        else { return }
        try await withConnection { connection throws(StorageError) in
            let row = try CatalogSQL.execute(
                "SELECT EXISTS (SELECT FROM martlet.collections WHERE number = $1)", [.int8(number)], on: connection)
            guard row.bool(row: 0, column: 0) == true else {
                throw .postgres(
                    PostgresError(.server, "the indexes are younger than the snapshot", state: .undefinedTable))
            }
        }
        collectionsSeen.withLock { _ = $0.insert(number) }
    }
}
