package import Logging
package import Postgres
internal import SQL
internal import SchemaSQL

/// Brings the schema of a database to the version of this program.
///
/// All migrations run in one transaction under an advisory lock: two servers that start together apply each one once,
/// and a crash leaves the old version. A schema that is newer than the program is refused.
package enum Migrator {
    package enum Failure: Error, CustomStringConvertible {
        case tooNew(found: Int32, known: Int32)
        case postgres(PostgresError)

        package var description: String {
            switch self {
            case .tooNew(let found, let known):
                """
                the database has schema version \(found), this program knows \(known): it was last used by a newer \
                Martlet; start that version, or restore a backup from before the upgrade
                """
            case .postgres(let error): "the schema could not be prepared: \(error)"
            }
        }
    }

    /// Any constant, the same in all versions.
    private static let lockNumber: Int64 = 0x6D61_7274_6C65_7401

    package static func run(on connection: Connection, logger: Logger) throws(Failure) {
        let found: Int32
        do throws(PostgresError) {
            try connection.execute(script: "BEGIN; SELECT pg_advisory_xact_lock(\(lockNumber));")
            found = try currentVersion(on: connection)
        } catch {
            throw .postgres(error)
        }
        let known = SchemaSQL.migrations.last?.version ?? 0
        // The caller closes the connection, and with it this transaction.
        guard found <= known else { throw .tooNew(found: found, known: known) }
        do throws(PostgresError) {
            for migration in SchemaSQL.migrations where migration.version > found {
                try connection.execute(script: migration.text)
                _ = try connection.execute(
                    Statement(
                        "INSERT INTO martlet.schema_migrations (version, name) VALUES ($1, $2)",
                        [.int4(migration.version), .text(migration.name)]))
                logger.notice(
                    "schema migrated", metadata: ["version": "\(migration.version)", "name": "\(migration.name)"])
            }
            try connection.execute(script: "COMMIT")
        } catch {
            throw .postgres(error)
        }
    }

    private static func currentVersion(on connection: Connection) throws(PostgresError) -> Int32 {
        try connection.execute(
            script: """
                CREATE SCHEMA IF NOT EXISTS martlet;
                CREATE TABLE IF NOT EXISTS martlet.schema_migrations (
                    version    integer PRIMARY KEY,
                    name       text NOT NULL,
                    applied_at timestamptz NOT NULL DEFAULT now());
                """)
        let result = try connection.execute(
            Statement("SELECT coalesce(max(version), 0)::bigint FROM martlet.schema_migrations"))
        return Int32(truncatingIfNeeded: result.int8(row: 0, column: 0) ?? 0)
    }
}
