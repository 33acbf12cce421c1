package import CommandModel
package import Postgres

extension CommandError {
    /// The one place where PostgreSQL's answer becomes the client's. PostgreSQL's own text goes to the log, not to the
    /// client.
    ///
    /// A connection that was lost is no change of the primary: the same may be tried again at once, and drivers that
    /// were told of a change would wait for the next `hello` first. While PostgreSQL is away there is none, and
    /// `hello` says so, too.
    package init(_ error: PostgresError) {
        switch error.category {
        case .cancelled: self = .timeLimitExceeded
        case .conflict, .stalePlan: self = .lostTooManyRaces
        case .missingObject:
            self.init(.namespaceNotFound, "the collection was dropped while the operation ran")
        case .readOnly:
            self.init(.notWritablePrimary, "PostgreSQL accepts no writes: it is read-only or a standby")
        case .connection where error.kind == .poolClosed:
            self.init(.shutdownInProgress, "the server is shutting down")
        case .connection where error.mayHaveTakenEffect:
            self.init(.hostUnreachable, "the connection to PostgreSQL was lost during the operation")
        case .connection:
            self.init(.notWritablePrimary, "PostgreSQL cannot be reached now")
        case .resources where error.kind == .queueFull:
            self = .overloaded("too many operations are waiting for PostgreSQL")
        case .resources:
            self.init(ErrorCode(14031, "OutOfDiskSpace"), "PostgreSQL has run out of a resource (\(error.state))")
        case .duplicateKey, .other:
            self.init(.internalError, "PostgreSQL refused the operation (\(error.state))")
        }
    }

    static let lostTooManyRaces = CommandError(
        .writeConflict, "Write conflict: the operation lost too many races for its documents")

    package init(_ error: StorageError) {
        switch error {
        case .command(let error): self = error
        case .postgres(let error): self.init(error)
        case .newFacts: self = .lostTooManyRaces
        }
    }
}

// Within a transaction, which every error of PostgreSQL has ended. Where the same again may succeed, the label makes
// drivers run the whole transaction again.
extension CommandError {
    package init(inTransaction error: PostgresError) {
        switch error.category {
        case .conflict, .stalePlan:
            self.init(
                .writeConflict,
                "Write conflict: another operation changes, or has changed, a document of this transaction",
                labels: Self.transient)
        case .missingObject:
            self.init(
                ErrorCode(246, "SnapshotUnavailable"), "a collection was dropped or renamed during the transaction",
                labels: Self.transient)
        case .connection where error.kind == .poolClosed: self = .shuttingDown
        case .connection:
            self.init(
                .hostUnreachable, "the connection to PostgreSQL was lost or could not be made",
                labels: Self.transient)
        case .other where error.state == .inFailedSQLTransaction || error.state == .statementRefused:
            self = .noSuchTransaction
        case .cancelled, .readOnly, .resources, .duplicateKey, .other: self.init(error)
        }
    }

    package init(inTransaction error: StorageError) {
        switch error {
        case .command(let error): self = error
        case .postgres(let error): self.init(inTransaction: error)
        case .newFacts:
            self.init(
                .writeConflict, "Write conflict: an index of the collection is about to change",
                labels: Self.transient)
        }
    }

    /// The error of a commit that certainly did not happen. Where the connection was lost before it, there is no
    /// transaction any more: a code that asks for the commit alone to be retried would be wrong.
    package init(atCommit error: StorageError) {
        if case .postgres(let error) = error, error.category == .connection {
            self = .noSuchTransaction
        } else {
            self.init(inTransaction: error)
        }
    }

    private static let transient = ["TransientTransactionError"]

    /// What a transaction answers that is over, or that this server never knew.
    static let noSuchTransaction = CommandError(
        .noSuchTransaction, "the transaction is not in progress: it was aborted, or never started here",
        labels: transient)
}

extension StorageError {
    /// The table is gone or has another number: the catalog entry that was used is stale.
    package var isStaleCollection: Bool {
        if case .postgres(let error) = self { return error.state == .undefinedTable }
        return false
    }
}

extension PostgresError {
    /// Nothing happened, and the same again may succeed.
    var isPassing: Bool { category == .conflict || category == .stalePlan }
}
