package import CommandModel
package import Postgres

extension CommandError {
    /// The one place where PostgreSQL's answer becomes the client's. PostgreSQL's own text goes to the log, not to the
    /// client.
    ///
    /// Lost connections are told as changes of the primary: on these drivers look again where the primary is, wait for
    /// it, and retry what may be retried.
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
            self.init(.interruptedByReplicaStateChange, "the connection to PostgreSQL was lost during the operation")
        case .connection:
            self.init(.notWritablePrimary, "PostgreSQL cannot be reached now")
        case .resources where error.kind == .queueFull:
            self.init(
                .ingressRequestRateLimitExceeded, "too many operations are waiting for PostgreSQL",
                labels: ["SystemOverloadedError", "RetryableError"])
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
        }
    }
}

extension StorageError {
    /// The table is gone or has another number: the catalog entry that was used is stale.
    var isStaleCollection: Bool {
        if case .postgres(let error) = self { return error.state == .undefinedTable }
        return false
    }
}

extension PostgresError {
    /// Nothing happened, and the same again may succeed.
    var isPassing: Bool { category == .conflict || category == .stalePlan }
}
