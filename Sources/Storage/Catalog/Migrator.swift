package import Logging
package import Postgres
internal import SQL
internal import SchemaSQL

/// Brings the schema of a database to the version of this program.
///
/// All migrations run in one transaction under an advisory lock: two servers that start together apply each one once,
/// and a crash leaves the old version. A schema that is newer than the program is refused, and so is a database in
/// which this user can only read: whoever starts a server should learn that from it, not from the first write.
package enum Migrator {
    package enum Failure: Error, CustomStringConvertible {
        case tooNew(found: Int32, known: Int32)
        case readOnly
        case postgres(PostgresError)

        package var description: String {
            switch self {
            case .tooNew(let found, let known):
                """
                the database has schema version \(found), this program knows \(known): it was last used by a newer \
                Martlet; start that version, or restore a backup from before the upgrade
                """
            case .readOnly:
                """
                the database takes no writes: it is a standby (whose place is --analytics-url), or \
                default_transaction_read_only is on
                """
            case .postgres(let error) where error.state == .insufficientPrivilege:
                """
                the schema could not be prepared: \(error.message). The user of --postgresql-url needs the right to \
                make the schema martlet (GRANT CREATE ON DATABASE), or to own it
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
            try lock(connection, logger)
            found = try currentVersion(on: connection)
        } catch {
            throw Failure(error)
        }
        let known = SchemaSQL.migrations.last?.version ?? 0
        // The caller closes the connection, and with it this transaction.
        guard found <= known else { throw .tooNew(found: found, known: known) }
        do throws(PostgresError) {
            try migrate(connection, from: found, logger)
            guard try holds("has_schema_privilege('martlet', 'CREATE')", on: connection),
                try holds("has_table_privilege('martlet.collections', 'INSERT')", on: connection)
            else {
                throw PostgresError(.server, "this user may not write there", state: .insufficientPrivilege)
            }
            try connection.execute(script: "COMMIT")
        } catch {
            throw Failure(error)
        }
        if found < known {
            logger.notice("schema brought up to date", metadata: ["from": "\(found)", "to": "\(known)"])
        }
    }

    /// Begins the transaction, and lets one server after the other.
    private static func lock(_ connection: Connection, _ logger: Logger) throws(PostgresError) {
        try connection.execute(script: "BEGIN")
        guard try holds("current_setting('transaction_read_only') = 'off'", on: connection) else {
            throw PostgresError(.server, "read-only", state: .readOnlySQLTransaction)
        }
        guard try !holds("pg_try_advisory_xact_lock(\(lockNumber))", on: connection) else { return }
        logger.notice("waiting for another server, which brings the schema up to date")
        try connection.execute(script: "SELECT pg_advisory_xact_lock(\(lockNumber))")
    }

    private static func migrate(
        _ connection: Connection, from found: Int32, _ logger: Logger
    ) throws(PostgresError) {
        for migration in SchemaSQL.migrations where migration.version > found {
            try connection.execute(script: migration.text)
            _ = try connection.execute(
                Statement(
                    "INSERT INTO martlet.schema_migrations (version, name) VALUES ($1, $2)",
                    [.int4(migration.version), .text(migration.name)]))
            logger.debug("migration", metadata: ["version": "\(migration.version)", "name": "\(migration.name)"])
        }
    }

    /// Asked before anything is made, because who may write to the schema need not be allowed to make it.
    private static func currentVersion(on connection: Connection) throws(PostgresError) -> Int32 {
        if try !holds("to_regclass('martlet.schema_migrations') IS NOT NULL", on: connection) {
            if try holds("to_regnamespace('martlet') IS NULL", on: connection) {
                try connection.execute(script: "CREATE SCHEMA martlet")
            }
            try connection.execute(
                script: """
                    CREATE TABLE martlet.schema_migrations (
                        version    integer PRIMARY KEY,
                        name       text NOT NULL,
                        applied_at timestamptz NOT NULL DEFAULT now());
                    """)
        }
        let result = try connection.execute(
            .once("SELECT coalesce(max(version), 0)::bigint FROM martlet.schema_migrations"))
        return Int32(truncatingIfNeeded: result.int8(row: 0, column: 0) ?? 0)
    }

    private static func holds(_ condition: String, on connection: Connection) throws(PostgresError) -> Bool {
        try connection.execute(.once("SELECT \(condition)")).bool(row: 0, column: 0) ?? false
    }
}

extension Migrator.Failure {
    fileprivate init(_ error: PostgresError) {
        self = error.category == .readOnly ? .readOnly : .postgres(error)
    }
}
