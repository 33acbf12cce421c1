package import CommandModel
package import NIOCore
internal import Postgres
package import SQL
internal import Synchronization

/// The transactions of all sessions: each session's ``SessionTransactions`` with the ``OpenTransaction`` it stands for.
///
/// Whoever calls for a session has its turn (``turns``); only ``reap(now:)``, ``kill(_:)``, ``end(_:)`` and
/// ``shutDown()`` come from outside, at any time. They change the state at once and order the rollback, which
/// waits for the statement under way.
package final class TransactionRegistry: Sendable {
    /// Sessions remembered, with a transaction or without.
    package static let sessionsMax = 100_000
    /// PostgreSQL ends a longer one by itself.
    package static let lifetimeSecondsMax: Int64 = 60
    /// As long as drivers may go on with a session.
    package static let idleMax = TimeAmount.minutes(30)

    package enum Commit: Sendable, Equatable {
        case committed
        /// Look for the record of the commit, and tell ``recordFound(_:of:isCommitted:)``.
        case lookUpRecord
    }

    private struct Session {
        var transactions = SessionTransactions()
        var open: OpenTransaction?
        var lastUse: NIODeadline
        /// When ``open`` has to be over.
        var expiry = NIODeadline.distantFuture

        mutating func takeOpen() -> OpenTransaction? {
            defer {
                open = nil
                expiry = .distantFuture
            }
            return open
        }
    }

    private struct Guarded {
        var sessions: [LogicalSessionID: Session] = [:]
        var metrics = TransactionMetrics()
        var isShuttingDown = false
    }

    /// The sessions that have a transaction open.
    package func openSessions() -> [LogicalSessionID] {
        guarded.withLock { guarded in guarded.sessions.filter { $0.value.open != nil }.map(\.key) }
    }

    package let turns = SessionTurns()
    package let lanes: TransactionLanes
    private let lifetimeMilliseconds: Atomic<Int64>
    private let guarded = Mutex(Guarded())

    package init(
        lanes: TransactionLanes,
        lifetime: TimeAmount = .milliseconds(Int64(TransactionPool.lifetimeMillisecondsDefault))
    ) {
        self.lanes = lanes
        lifetimeMilliseconds = Atomic(lifetime.nanoseconds / 1_000_000)
    }

    /// How long a transaction may last, for those that begin from now on.
    package var lifetime: TimeAmount {
        get { .milliseconds(lifetimeMilliseconds.load(ordering: .relaxed)) }
        set { lifetimeMilliseconds.store(newValue.nanoseconds / 1_000_000, ordering: .relaxed) }
    }

    package var metrics: TransactionMetrics {
        var metrics = guarded.withLock { guarded in
            var metrics = guarded.metrics
            metrics.open = guarded.sessions.values.count { $0.open != nil }
            return metrics
        }
        metrics.lanesLeased = lanes.leased
        metrics.waitingForLane = lanes.waiting
        return metrics
    }

    package func state(of id: LogicalSessionID) -> SessionTransactions.State {
        guarded.withLock { $0.sessions[id]?.transactions.state ?? .none }
    }
}

// For who has the session's turn.
extension TransactionRegistry {
    /// Starts a transaction: `startTransaction: true`. An older one in progress is rolled back first.
    ///
    /// When no lane is to be had nothing has happened, and the same may be tried again.
    package func begin(
        _ number: Int64, of id: LogicalSessionID, isolation: OpenTransaction.Isolation, isReadOnly: Bool = false
    ) async throws(CommandError) -> OpenTransaction {
        let older = try guarded.withLock { guarded throws(CommandError) in
            if guarded.isShuttingDown { throw .shuttingDown }
            return try Self.with(id, in: &guarded) { session throws(CommandError) in
                try session.transactions.begins(number) == nil ? nil : session.takeOpen()
            }
        }
        await end(older, .aborted)
        let transaction = try await OpenTransaction.open(on: lanes, isolation: isolation, isReadOnly: isReadOnly)
        let isTooLate = try guarded.withLock { guarded throws(CommandError) in
            if guarded.isShuttingDown { return true }
            try Self.with(id, in: &guarded) { session throws(CommandError) in
                session.transactions.began(number)
                session.open = transaction
                session.expiry = .now() + lifetime
            }
            guarded.metrics.count(.started, isolation)
            return false
        }
        guard isTooLate else { return transaction }
        await transaction.abort()
        throw .shuttingDown
    }

    /// The transaction that a statement goes on with.
    ///
    /// - Throws: TransactionTooOld (225), NoSuchTransaction (251), TransactionCommitted (256).
    package func transaction(_ number: Int64, of id: LogicalSessionID) throws(CommandError) -> OpenTransaction {
        try guarded.withLock { guarded throws(CommandError) in
            guard var session = guarded.sessions[id] else { throw .noSuchTransaction }
            try session.transactions.continues(number)
            session.lastUse = .now()
            guarded.sessions[id] = session
            guard let transaction = session.open else { throw .noSuchTransaction }
            return transaction
        }
    }

    /// - Parameter record: the statements that leave a record of the commit, run with it when it has written anything.
    /// - Throws: also the error of the commit in the client's terms: conflict, or unknown outcome.
    package func commit(
        _ number: Int64, of id: LogicalSessionID, recording record: [Statement]
    ) async throws(CommandError) -> Commit {
        let (decision, transaction) = try guarded.withLock { guarded throws(CommandError) in
            try Self.with(id, in: &guarded) { session throws(CommandError) in
                (try session.transactions.commits(number), session.open)
            }
        }
        switch decision {
        case .alreadyCommitted: return .committed
        case .lookUpRecord: return .lookUpRecord
        case .commit: break
        }
        guard let transaction else { throw .noSuchTransaction }
        do throws(StorageError) {
            try await transaction.commit(recording: record)
            commitEnded(number, of: id, transaction, .committed)
            return .committed
        } catch {
            commitEnded(number, of: id, transaction, error.leavesCommitUnknown ? .unknown : .aborted)
            if error.leavesCommitUnknown { return .lookUpRecord }
            throw CommandError(atCommit: error)
        }
    }

    /// What became of the commit that had to be looked up.
    ///
    /// - Throws: NoSuchTransaction (251) when there is no record of it.
    package func recordFound(
        _ number: Int64, of id: LogicalSessionID, isCommitted: Bool
    ) throws(CommandError) {
        let refusal = try guarded.withLock { guarded throws(CommandError) in
            try Self.with(id, in: &guarded) { session throws(CommandError) -> CommandError? in
                // The session remembers also that there was no record.
                do throws(CommandError) {
                    try session.transactions.recordFound(number, isCommitted: isCommitted)
                    return nil
                } catch {
                    return error
                }
            }
        }
        if let refusal { throw refusal }
    }

    /// Rolls back on the client's order.
    ///
    /// - Throws: TransactionTooOld (225), NoSuchTransaction (251), TransactionCommitted (256).
    package func abort(_ number: Int64, of id: LogicalSessionID) async throws(CommandError) {
        let transaction = try guarded.withLock { guarded throws(CommandError) in
            guard var session = guarded.sessions[id] else { throw .noSuchTransaction }
            try session.transactions.aborts(number)
            let transaction = session.takeOpen()
            session.lastUse = .now()
            guarded.sessions[id] = session
            return transaction
        }
        await end(transaction, .aborted)
    }

    /// Rolls back because a statement has failed. Anything else than this transaction in progress is left alone.
    package func fail(_ number: Int64, of id: LogicalSessionID) async {
        let transaction = guarded.withLock { guarded -> OpenTransaction? in
            guard guarded.sessions[id]?.transactions.inProgress == number else { return nil }
            guarded.sessions[id]?.transactions.failed(number)
            return guarded.sessions[id]?.takeOpen()
        }
        await end(transaction, .aborted)
    }

    /// Notes a retryable write outside transactions, which ends a transaction in progress. Sessions that never had a
    /// transaction are not remembered for it.
    ///
    /// - Throws: TransactionTooOld (225), and when the number is that of a transaction.
    package func writeRetryably(_ number: Int64, of id: LogicalSessionID) async throws(CommandError) {
        let older = try guarded.withLock { guarded throws(CommandError) -> OpenTransaction? in
            guard var session = guarded.sessions[id] else { return nil }
            let isEnded = try session.transactions.writesRetryably(number) != nil
            let older = isEnded ? session.takeOpen() : nil
            session.lastUse = .now()
            guarded.sessions[id] = session
            return older
        }
        await end(older, .aborted)
    }
}

// For everyone, at any time.
extension TransactionRegistry {
    /// Ends the transactions whose time is up, and forgets sessions that nobody uses. To be called every second or so.
    ///
    /// - Returns: how many transactions.
    @discardableResult
    package func reap(now: NIODeadline = .now()) -> Int {
        let expired = guarded.withLock { guarded in
            let expired = Self.endAll(in: &guarded, .expired) { $1.open != nil && $1.expiry <= now }
            let forgotten = guarded.sessions.filter { $1.open == nil && now - $1.lastUse >= Self.idleMax }
            for id in forgotten.keys { guarded.sessions[id] = nil }
            return expired
        }
        for transaction in expired { transaction.orderAbort() }
        return expired.count
    }

    /// Ends the transactions of these sessions; nil means all.
    package func kill(_ ids: Set<LogicalSessionID>?) {
        let killed = guarded.withLock { guarded in
            Self.endAll(in: &guarded, .aborted) { id, _ in ids?.contains(id) ?? true }
        }
        for transaction in killed { transaction.orderAbort() }
    }

    /// The clients are done with these sessions.
    package func end(_ ids: Set<LogicalSessionID>) {
        kill(ids)
        guarded.withLock { guarded in
            for id in ids where guarded.sessions[id]?.open == nil { guarded.sessions[id] = nil }
        }
    }

    /// Ends all transactions and starts no more. Those that are being committed go on.
    package func shutDown() {
        guarded.withLock { $0.isShuttingDown = true }
        lanes.close()
        kill(nil)
    }
}

extension TransactionRegistry {
    /// The session, remembered from now on if it was not; unless `body` throws.
    private static func with<R>(
        _ id: LogicalSessionID, in guarded: inout Guarded, _ body: (inout Session) throws(CommandError) -> R
    ) throws(CommandError) -> R {
        var session = guarded.sessions[id] ?? Session(lastUse: .now())
        let result = try body(&session)
        session.lastUse = .now()
        guard guarded.sessions[id] != nil || guarded.sessions.count < sessionsMax else {
            throw .overloaded("too many sessions with transactions (\(sessionsMax))")
        }
        guarded.sessions[id] = session
        return result
    }

    private static func endAll(
        in guarded: inout Guarded, _ event: TransactionEvent, where isConcerned: (LogicalSessionID, Session) -> Bool
    ) -> [OpenTransaction] {
        var ended: [OpenTransaction] = []
        for (id, session) in guarded.sessions where isConcerned(id, session) {
            guard guarded.sessions[id]?.transactions.endedFromOutside() != nil,
                let transaction = guarded.sessions[id]?.takeOpen()
            else { continue }
            guarded.metrics.count(event, transaction.isolation)
            ended.append(transaction)
        }
        return ended
    }

    private func end(_ transaction: OpenTransaction?, _ event: TransactionEvent) async {
        guard let transaction else { return }
        guarded.withLock { $0.metrics.count(event, transaction.isolation) }
        await transaction.abort()
    }

    private func commitEnded(
        _ number: Int64, of id: LogicalSessionID, _ transaction: OpenTransaction, _ end: SessionTransactions.CommitEnd
    ) {
        let event: TransactionEvent =
            switch end {
            case .committed: .committed
            case .aborted: .aborted
            case .unknown: .unknown
            }
        guarded.withLock { guarded in
            guarded.metrics.count(event, transaction.isolation)
            guarded.sessions[id]?.transactions.commitEnded(number, end)
            guarded.sessions[id]?.open = nil
            guarded.sessions[id]?.lastUse = .now()
        }
    }
}

extension StorageError {
    package var leavesCommitUnknown: Bool {
        if case .postgres(let error) = self { return error.mayHaveTakenEffect }
        return false
    }
}
