package import CommandModel
package import Postgres
package import Query

/// Why work on a database thread ended: the client's fault, or PostgreSQL's answer.
package enum StorageError: Error, Sendable {
    case command(CommandError)
    case postgres(PostgresError)
    /// A document brings facts to indexes (by their numbers) that the catalog does not have yet: nothing was done.
    case newFacts([Int64: IndexFacts])
}
