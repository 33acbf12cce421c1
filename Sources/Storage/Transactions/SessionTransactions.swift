package import CommandModel

/// The transactions of one session, of which the newest alone matters. Pure: ``TransactionRegistry`` feeds it events
/// and carries out what it says.
///
/// A session counts its transactions and retryable writes with one number that only grows. The rules, as the
/// specifications of sessions and transactions give them and servers were seen to answer:
///
/// - a number below the newest is refused (225), whatever it is for; a higher one ends a transaction in progress;
/// - a transaction starts once: again with the same number is a conflict (117);
/// - a statement needs its transaction in progress: else there is none (251, run it again), or it is committed (256);
/// - a commit of the committed one succeeds again; a commit of the aborted one finds none (251).
///
/// The obvious design answers a commit of an unknown number with 251, too. But a commit may have reached another
/// server of the same database, or this one before a restart, and the client only missed the answer: 251 would make
/// it run the whole transaction a second time. The commit left a record, so the decision is to look for it. The
/// same when the connection broke during COMMIT.
///
/// While the commit is under way nothing but its outcome changes the state: who kills a session then comes too late.
package struct SessionTransactions: Sendable, Equatable {
    package enum State: Sendable, Equatable {
        case none
        /// A retryable write outside any transaction.
        case retryableWrite(Int64)
        case inProgress(Int64)
        case committing(Int64)
        case committed(Int64)
        case aborted(Int64)
        /// The connection broke during COMMIT.
        case unknown(Int64)
    }

    package enum CommitDecision: Sendable, Equatable {
        /// Commit, then report ``commitEnded(_:_:)``.
        case commit
        case alreadyCommitted
        /// Then report ``recordFound(_:isCommitted:)``.
        case lookUpRecord
    }

    package enum CommitEnd: Sendable, Equatable {
        case committed
        case aborted
        case unknown
    }

    package private(set) var state = State.none

    package init() {}

    package var newest: Int64? {
        switch state {
        case .none: nil
        case .retryableWrite(let number), .inProgress(let number), .committing(let number), .committed(let number),
            .aborted(let number), .unknown(let number):
            number
        }
    }

    package var inProgress: Int64? {
        if case .inProgress(let number) = state { return number }
        return nil
    }
}

// What clients ask for.
extension SessionTransactions {
    /// Whether a transaction may start. Changes nothing but that an older one in progress is aborted.
    ///
    /// - Returns: the older one, to be rolled back before ``began(_:)``.
    package mutating func begins(_ number: Int64) throws(CommandError) -> Int64? {
        try refuseOld(number)
        if number == newest { throw .alreadyUsed(number) }
        return superseded()
    }

    package mutating func began(_ number: Int64) {
        state = .inProgress(number)
    }

    /// A statement that goes on with a transaction.
    package func continues(_ number: Int64) throws(CommandError) {
        try refuseOld(number)
        switch state {
        case .inProgress(number): return
        case .committed(number), .unknown(number), .committing(number): throw .committed(number)
        default: throw .noSuchTransaction
        }
    }

    package mutating func commits(_ number: Int64) throws(CommandError) -> CommitDecision {
        try refuseOld(number)
        switch state {
        case .inProgress(number):
            state = .committing(number)
            return .commit
        case .committed(number): return .alreadyCommitted
        case .aborted(number), .retryableWrite(number), .committing(number): throw .noSuchTransaction
        // Whoever commits a transaction that comes after the one in progress has never begun it.
        case .inProgress: throw .noSuchTransaction
        default: return .lookUpRecord
        }
    }

    /// The transaction is to be rolled back.
    package mutating func aborts(_ number: Int64) throws(CommandError) {
        try continues(number)
        state = .aborted(number)
    }

    /// A write outside transactions.
    ///
    /// - Returns: the transaction in progress that it ends, to be rolled back first.
    package mutating func writesRetryably(_ number: Int64) throws(CommandError) -> Int64? {
        try refuseOld(number)
        guard number == newest else {
            let older = superseded()
            state = .retryableWrite(number)
            return older
        }
        switch state {
        case .inProgress, .committing: throw .autocommitMissing(number)
        case .committed, .aborted, .unknown: throw .isTransaction(number)
        case .retryableWrite, .none: return nil
        }
    }
}

// What happens to transactions.
extension SessionTransactions {
    package mutating func commitEnded(_ number: Int64, _ end: CommitEnd) {
        guard case .committing(number) = state else { return }
        switch end {
        case .committed: state = .committed(number)
        case .aborted: state = .aborted(number)
        case .unknown: state = .unknown(number)
        }
    }

    /// What became of a commit that had to be looked up.
    ///
    /// - Throws: NoSuchTransaction (251) when there is no record.
    package mutating func recordFound(_ number: Int64, isCommitted: Bool) throws(CommandError) {
        try refuseOld(number)
        state = isCommitted ? .committed(number) : .aborted(number)
        if !isCommitted { throw .noSuchTransaction }
    }

    /// A statement of the transaction has failed.
    package mutating func failed(_ number: Int64) {
        if case .inProgress(number) = state { state = .aborted(number) }
    }

    /// The time is up, or someone kills the session.
    ///
    /// - Returns: what is to be rolled back.
    package mutating func endedFromOutside() -> Int64? {
        superseded()
    }

    private mutating func superseded() -> Int64? {
        guard case .inProgress(let number) = state else { return nil }
        state = .aborted(number)
        return number
    }

    private func refuseOld(_ number: Int64) throws(CommandError) {
        guard let newest, number < newest else { return }
        throw CommandError(
            .transactionTooOld,
            "number \(number) is older than \(newest), with which the session has already begun a transaction or write")
    }
}

extension CommandError {
    fileprivate static func alreadyUsed(_ number: Int64) -> CommandError {
        CommandError(
            .conflictingOperationInProgress,
            "the session has already begun a transaction or write with number \(number)")
    }

    fileprivate static func committed(_ number: Int64) -> CommandError {
        CommandError(ErrorCode(256, "TransactionCommitted"), "transaction \(number) has been committed")
    }

    fileprivate static func autocommitMissing(_ number: Int64) -> CommandError {
        CommandError(
            .invalidOptions, "transaction \(number) is in progress: its operations must say autocommit: false")
    }

    fileprivate static func isTransaction(_ number: Int64) -> CommandError {
        CommandError(
            ErrorCode(217, "IncompleteTransactionHistory"),
            "number \(number) is that of a transaction, not of a retryable write")
    }
}
