package import CommandModel
package import NIOCore
internal import Postgres

/// When an operation must end: at the client's `maxTimeMS`, when somebody interrupts it, or never.
///
/// It goes with an operation wherever that takes time, to be checked there between two steps.
package struct Deadline: Sendable {
    private let instant: NIODeadline?
    private let interruption: Interruption?

    package static let never = Deadline(instant: nil, interruption: nil)

    private init(instant: NIODeadline?, interruption: Interruption?) {
        self.instant = instant
        self.interruption = interruption
    }

    /// - Parameters:
    ///   - milliseconds: from `start`; 0 means no limit, as in MongoDB.
    ///   - start: when the operation began; now, if that is not known.
    package init(
        maxTimeMilliseconds milliseconds: Int64, from start: NIODeadline? = nil, interruption: Interruption? = nil
    ) {
        instant = milliseconds > 0 ? (start ?? .now()) + .milliseconds(milliseconds) : nil
        self.interruption = interruption
    }

    /// The command that must end by then.
    var request: CommandRequest? { interruption?.request }

    package var isNever: Bool { instant == nil && interruption == nil }

    package var hasPassed: Bool { failure != nil }

    /// Why the operation must end now; nil while it may go on.
    package var failure: CommandError? {
        if let reason = interruption?.reason { return reason.error }
        guard let instant, instant <= .now() else { return nil }
        return .timeLimitExceeded
    }

    package func check() throws(StorageError) {
        if let failure { throw .command(failure) }
    }
}

extension Deadline {
    /// What `currentOp` shows of the operation.
    func report(_ progress: OperationProgress?) { interruption?.progress = progress }

    /// What the log of slow commands shows of the operation: see ``OperationTrace``.
    func note(pool: String? = nil, sql: String? = nil) { interruption?.note(pool: pool, sql: sql) }
}

// Work on a connection.
extension Deadline {
    /// From now on `work` is cancelled when the operation must end.
    func watch(_ work: CancellableWork) {
        interruption?.adopt(work)
        if let instant { CancelWatch.shared.cancel(work, at: instant) }
    }

    /// `work` is over.
    func unwatch(_ work: CancellableWork) {
        interruption?.release(work)
        if instant != nil { CancelWatch.shared.forget(work) }
    }

    /// PostgreSQL knows that a statement was cancelled, but not why. One that has lost its patience with a lock would
    /// be tried again, were there time.
    func explaining(_ error: StorageError) -> StorageError {
        guard case .postgres(let cause) = error, let failure else { return error }
        return cause.category == .cancelled || cause.category == .conflict ? .command(failure) : error
    }
}

extension CommandError {
    package static let timeLimitExceeded = CommandError(.maxTimeMSExpired, "operation exceeded time limit")
}
