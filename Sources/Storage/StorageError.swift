package import CommandModel
package import Postgres

/// Why work on a database thread ended: the client's fault, or PostgreSQL's answer.
package enum StorageError: Error, Sendable {
    case command(CommandError)
    case postgres(PostgresError)
}
