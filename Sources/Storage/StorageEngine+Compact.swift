internal import Postgres
internal import SQL

extension StorageEngine {
    /// How many bytes of a collection's table no document takes, by PostgreSQL's counts of rows.
    package func reclaimableBytes(of collection: Collection) async throws(StorageError) -> Int64 {
        let table = collection.sql.table
        return try await general.withConnection { connection throws(StorageError) in
            try Self.number(
                """
                SELECT pg_table_size('\(table)'::regclass) * n_dead_tup / greatest(n_live_tup + n_dead_tup, 1) \
                FROM pg_stat_user_tables WHERE relid = '\(table)'::regclass
                """, connection)
        }
    }

    /// How many bytes of a database's tables no row takes, by PostgreSQL's counts of rows.
    package func freeBytes(
        ofDatabase database: String
    ) async throws(StorageError) -> (storage: Int64, indexes: Int64) {
        let collections = try await catalog.collections(in: database).map(\.collection).filter { $0.view == nil }
        let tables = collections.map(\.sql.table)
        let keys = collections.flatMap { $0.readyIndexes.map(\.table) }
        return try await general.withConnection { connection throws(StorageError) in
            (try Self.freeBytes(of: tables, connection), try Self.freeBytes(of: keys, connection))
        }
    }

    /// - Parameter tables: names of our own.
    private static func freeBytes(of tables: [String], _ connection: Connection) throws(StorageError) -> Int64 {
        guard !tables.isEmpty else { return 0 }
        let names = tables.map { "to_regclass('\($0)')" }.joined(separator: ", ")
        return try number(
            """
            SELECT coalesce(sum(pg_table_size(relid) * n_dead_tup / greatest(n_live_tup + n_dead_tup, 1)), 0) \
            FROM pg_stat_user_tables WHERE relid = ANY (ARRAY[\(names)])
            """, connection)
    }

    /// Makes room for new rows where deleted ones were, and gives what is free at the table's end back to the file
    /// system. Others read and write meanwhile.
    ///
    /// - Returns: how many bytes were given back.
    package func compact(
        _ collection: Collection, deadline: Deadline = .never
    ) async throws(StorageError) -> Int64 {
        let table = collection.sql.table
        return try await general.withConnection(until: deadline) { connection throws(StorageError) in
            let size = "SELECT pg_total_relation_size('\(table)'::regclass)"
            let before = try Self.number(size, connection)
            do throws(PostgresError) {
                _ = try connection.execute(Statement("VACUUM \(table)"))
            } catch { throw .postgres(error) }
            return max(before - (try Self.number(size, connection)), 0)
        }
    }

    private static func number(_ query: String, _ connection: Connection) throws(StorageError) -> Int64 {
        do throws(PostgresError) {
            return try connection.execute(Statement("SELECT (\(query))::int8")).int8(row: 0, column: 0) ?? 0
        } catch { throw .postgres(error) }
    }
}
