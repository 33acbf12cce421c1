package import Access
package import CommandModel
internal import Postgres
internal import SQL

/// Users and roles in PostgreSQL: the truth, of which ``AccessDirectory`` remembers some.
package struct AccessStore: Sendable {
    let pool: DatabasePool<GeneralWorker>

    /// Changes users or roles, or nothing when `body` throws.
    ///
    /// - Parameter body: called again when PostgreSQL asks for it.
    package func change<R: Sendable>(
        _ body: @escaping @Sendable (inout AccessTransaction) throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        try await LockPatience.wait { (_) async throws(StorageError) in
            try await pool.withConnection { connection throws(StorageError) in
                try connection.repeatingRefused { () throws(StorageError) in
                    try Self.transaction(on: connection, body)
                }
            }
        }
    }

    private static func transaction<R>(
        on connection: Connection, _ body: (inout AccessTransaction) throws(StorageError) -> R
    ) throws(StorageError) -> R {
        connection.begin("BEGIN")
        do throws(StorageError) {
            _ = try CatalogSQL.execute("SELECT FROM martlet.access FOR UPDATE", [], on: connection)
            var transaction = AccessTransaction(connection)
            let result = try body(&transaction)
            let last = Statement("UPDATE martlet.access SET generation = generation + 1")
            do throws(PostgresError) {
                try connection.commit(after: transaction.hasChanged ? [last] : [])
            } catch { throw .postgres(error) }
            return result
        } catch {
            _ = connection.restoreIdle()
            throw error
        }
    }

    /// What changes with each change of users or roles, by whatever server.
    package func generation() async throws(StorageError) -> Int64 {
        try await read { connection throws(StorageError) in
            let result = try CatalogSQL.execute("SELECT generation FROM martlet.access", [], on: connection)
            return result.int8(row: 0, column: 0) ?? 0
        }
    }

    package func secret() async throws(StorageError) -> [UInt8] {
        try await read { connection throws(StorageError) in
            let result = try CatalogSQL.execute("SELECT secret FROM martlet.access", [], on: connection)
            guard let secret = result.byteArray(row: 0, column: 0), secret.count >= 16 else {
                throw .command(CommandError(.internalError, "the catalog has no secret"))
            }
            return secret
        }
    }

    package func user(_ name: UserName) async throws(StorageError) -> UserRecord? {
        // PostgreSQL's text holds no NUL, so nobody has such a name.
        guard !name.name.utf8.contains(0), !name.database.utf8.contains(0) else { return nil }
        return try await read { connection throws(StorageError) in
            try AccessSQL.users("WHERE database = $1 AND name = $2", AccessSQL.key(name), on: connection).first
        }
    }

    /// - Parameter database: nil for those of all databases.
    package func users(of database: String?) async throws(StorageError) -> [UserRecord] {
        try await read { connection throws(StorageError) in
            guard let database else { return try AccessSQL.users("", [], on: connection) }
            return try AccessSQL.users("WHERE database = $1", [.text(database)], on: connection)
        }
    }

    package func roles() async throws(StorageError) -> RoleGraph {
        try await read { connection throws(StorageError) in try AccessSQL.roles(on: connection) }
    }

    /// Whether there are users or roles.
    package func hasAnybody() async throws(StorageError) -> Bool {
        try await read { connection throws(StorageError) in try AccessSQL.hasAnybody(on: connection) }
    }

    private func read<R: Sendable>(
        _ body: @escaping @Sendable (Connection) throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        try await pool.withConnection { connection throws(StorageError) in
            try connection.repeatingRefused { () throws(StorageError) in try body(connection) }
        }
    }
}
