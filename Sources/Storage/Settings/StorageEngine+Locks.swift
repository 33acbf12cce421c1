package import CommandModel
internal import Postgres

/// A lock of PostgreSQL on the table of a collection's documents.
package struct CollectionLock: Sendable {
    /// PostgreSQL's word for it.
    package let mode: String
    package let isGranted: Bool
    /// Of PostgreSQL, which holds it or waits for it.
    package let process: Int32

    package init(mode: String, isGranted: Bool, process: Int32) {
        self.mode = mode
        self.isGranted = isGranted
        self.process = process
    }
}

extension StorageEngine {
    /// How many locks are told.
    private static let locksMax = 1_000

    /// Flushes PostgreSQL's log up to the newest commit. Commits are flushed before they are answered, unless
    /// PostgreSQL was told otherwise (`synchronous_commit`): then, too, this waits for the disk.
    package func flush() async throws(StorageError) {
        try await general.withConnection { connection throws(StorageError) in
            do throws(PostgresError) {
                try connection.execute(
                    script: """
                        BEGIN; SET LOCAL synchronous_commit = on;
                        SELECT pg_logical_emit_message(true, 'martlet.fsync', ''); COMMIT
                        """)
            } catch {
                _ = connection.restoreIdle()
                throw .postgres(error)
            }
        }
    }

    /// By collection, in the order of the names.
    package func collectionLocks() async throws(StorageError) -> [(namespace: Namespace, locks: [CollectionLock])] {
        try await general.withConnection { connection throws(StorageError) in
            let rows = try CatalogSQL.execute(
                """
                SELECT c.database, c.name, l.mode, l.granted, l.pid::bigint FROM pg_locks l \
                JOIN martlet.collections c ON l.relation = to_regclass(format('martlet.documents_%s', c.number)) \
                WHERE l.locktype = 'relation' \
                AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                ORDER BY c.database, c.name, l.granted DESC, l.pid LIMIT \(Self.locksMax)
                """, [], on: connection)
            var locks: [(namespace: Namespace, locks: [CollectionLock])] = []
            for row in 0..<rows.rowCount {
                guard let database = rows.text(row: row, column: 0), let name = rows.text(row: row, column: 1),
                    let mode = rows.text(row: row, column: 2), let isGranted = rows.bool(row: row, column: 3)
                else { continue }
                let namespace = Namespace(database: database, collection: name)
                let process = Int32(clamping: rows.int8(row: row, column: 4) ?? 0)
                if locks.last?.namespace != namespace { locks.append((namespace, [])) }
                locks[locks.count - 1].locks.append(
                    CollectionLock(mode: mode, isGranted: isGranted, process: process))
            }
            return locks
        }
    }
}
