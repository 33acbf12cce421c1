package import CommandModel
internal import Postgres
package import SQL
internal import Synchronization

/// A transaction and the connection that it holds: the thin shell around ``TransactionPhase``.
///
///     let transaction = try await OpenTransaction.open(on: lanes, isolation: .snapshot)
///     _ = try await transaction.insert(documents, into: collection, isOrdered: true)
///     try await transaction.commit(recording: [record])
///
/// Nothing is sent before the first statement: BEGIN travels with it. Statements run one after another on the lane's
/// thread, whoever submits them. The first answer of PostgreSQL that is an error ends the transaction: it is rolled
/// back on the spot, its lane given back, and whatever comes after gets NoSuchTransaction. An error that is found on
/// this side (a ``StorageError/command(_:)``) leaves it open: the caller decides, and calls ``abort()``.
package final class OpenTransaction: Sendable {
    package enum Isolation: Sendable, Hashable {
        /// REPEATABLE READ.
        case snapshot
        case serializable
    }

    package let isolation: Isolation
    package let isReadOnly: Bool
    private let lane: Int
    private let lanes: TransactionLanes
    private let phase = Mutex<TransactionPhase>(TransactionPhase())
    private let wroteSomething = Atomic<Bool>(false)
    /// Made by this transaction, and so unknown to the catalog.
    private let ownCollections = Mutex<[Namespace: Collection]>([:])
    /// The numbers of collections whose indexes are in the snapshot.
    let collectionsSeen = Mutex<Set<Int64>>([])

    private init(lane: Int, of lanes: TransactionLanes, _ isolation: Isolation, isReadOnly: Bool) {
        self.lane = lane
        self.lanes = lanes
        self.isolation = isolation
        self.isReadOnly = isReadOnly
    }

    /// Whoever lets go of a transaction without ending it: the next one on the lane rolls it back.
    deinit {
        if phase.withLock({ $0.ended() }) { lanes.release(lane) }
    }

    /// - Throws: IngressRequestRateLimitExceeded (462) when no lane becomes free.
    package static func open(
        on lanes: TransactionLanes, isolation: Isolation, isReadOnly: Bool = false
    ) async throws(CommandError) -> OpenTransaction {
        OpenTransaction(lane: try await lanes.lease(), of: lanes, isolation, isReadOnly: isReadOnly)
    }

    /// Whether a statement has changed anything. A transaction that has not needs no record of its commit.
    package var hasWritten: Bool { wroteSomething.load(ordering: .acquiring) }

    var isOver: Bool { phase.withLock { $0.phase == .ended || $0.phase == .aborting } }

    /// A collection that this transaction has made.
    package func ownCollection(_ namespace: Namespace) -> Collection? { ownCollections.withLock { $0[namespace] } }

    func keep(own collection: Collection) { ownCollections.withLock { $0[collection.namespace] = collection } }

    /// Set by who writes, before the statement is answered.
    func noteWrite() { wroteSomething.store(true, ordering: .releasing) }
}

// Statements.
extension OpenTransaction {
    /// Runs `body` on the transaction's connection.
    ///
    /// - Parameter deadline: a statement that is cancelled when it passes has failed, and so the transaction.
    func withConnection<R: Sendable>(
        until deadline: Deadline = .never, _ body: @escaping @Sendable (Connection) throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        try deadline.check()
        deadline.note(pool: lanes.pool.options.name)
        let result: Result<R, StorageError> = await withUnsafeContinuation { continuation in
            let request = GeneralRequest(
                answering: continuation, until: deadline, run: { self.run(body, on: $0) },
                fail: { error in
                    self.giveUp()
                    return .failure(.postgres(error))
                })
            lanes.pool.submit(request, lane: lane)
        }
        return try result.get()
    }

    private func run<R>(
        _ body: (Connection) throws(StorageError) -> R, on connection: Connection
    ) -> Result<R, StorageError> {
        do throws(StorageError) { try start(on: connection) } catch { return .failure(error) }
        do throws(StorageError) {
            let value = try body(connection)
            try settle(connection)
            return .success(value)
        } catch {
            if case .command = error, isUnharmed(connection) { return .failure(error) }
            _ = connection.restoreIdle()
            release(if: phase.withLock { $0.statementFailed() })
            return .failure(error)
        }
    }

    private func start(on connection: Connection) throws(StorageError) {
        let start = phase.withLock {
            $0.statementStarts(
                onConnectionInTransaction: connection.isTransactionOpen && connection.isInTransaction)
        }
        switch start {
        case .begin:
            // What someone left behind who let go of a transaction without ending it.
            _ = connection.restoreIdle()
            connection.begin(beginText)
        case .proceed: break
        case .lost:
            lanes.release(lane)
            throw .postgres(.lostBetweenStatements)
        case .over: throw .command(.noSuchTransaction)
        }
    }

    /// Reads what the body has left unread. It may also have swallowed an error.
    private func settle(_ connection: Connection) throws(StorageError) {
        guard isUnharmed(connection) else { throw .postgres(connection.isBroken ? .lostAfterStatement : .failedUnseen) }
    }

    private func isUnharmed(_ connection: Connection) -> Bool {
        connection.restoreIdle(keepingTransaction: true) && connection.isInTransaction
            && !connection.isTransactionFailed
    }

    private var beginText: String {
        let level = isolation == .serializable ? "SERIALIZABLE" : "REPEATABLE READ"
        return "BEGIN ISOLATION LEVEL \(level) \(isReadOnly ? "READ ONLY" : "READ WRITE")"
    }
}

// The end.
extension OpenTransaction {
    /// Runs `statements` and commits, in one round trip. Returns only if the transaction is committed.
    ///
    /// An error means that it was rolled back, unless it is a ``PostgresError`` that
    /// ``PostgresError/mayHaveTakenEffect``: then nobody knows, and `statements` should have left a record to look
    /// for. When nothing was written they are not run.
    package func commit(recording statements: [Statement] = []) async throws(StorageError) {
        if phase.withLock({ $0.endsUntouched() }) { return lanes.release(lane) }
        let result: Result<Void, StorageError> = await withUnsafeContinuation { continuation in
            submit(
                run: { continuation.resume(returning: self.commit(statements, on: $0)) },
                fail: { error in
                    self.giveUp()
                    continuation.resume(returning: .failure(.postgres(error)))
                })
        }
        try result.get()
    }

    private func commit(_ statements: [Statement], on connection: Connection) -> Result<Void, StorageError> {
        let start = phase.withLock {
            $0.commitStarts(onConnectionInTransaction: connection.isTransactionOpen && connection.isInTransaction)
        }
        switch start {
        case .over: return .failure(.command(.noSuchTransaction))
        case .lost:
            lanes.release(lane)
            return .failure(.postgres(.lostBetweenStatements))
        case .commit: break
        }
        defer { release(if: phase.withLock { $0.ended() }) }
        do throws(PostgresError) {
            try connection.commit(after: hasWritten ? statements : [])
            return .success(())
        } catch {
            return .failure(.postgres(error))
        }
    }

    /// Rolls back, unless it has ended. Returns when its locks are gone.
    package func abort() async {
        await withUnsafeContinuation { continuation in
            orderAbort { continuation.resume() }
        }
    }

    /// Has it rolled back as soon as the statement under way is over.
    package func orderAbort() {
        orderAbort {}
    }

    private func orderAbort(then done: @escaping @Sendable () -> Void) {
        switch phase.withLock({ $0.abortOrdered() }) {
        case .nothing: done()
        case .release:
            lanes.release(lane)
            done()
        case .rollBack:
            submit(
                run: { connection in
                    _ = connection.restoreIdle()
                    self.giveUp()
                    done()
                },
                fail: { _ in
                    self.giveUp()
                    done()
                })
        }
    }

    private func giveUp() {
        release(if: phase.withLock { $0.ended() })
    }

    private func release(if isDue: Bool) {
        if isDue { lanes.release(lane) }
    }

    private func submit(
        run: @escaping @Sendable (Connection) -> Void, fail: @escaping @Sendable (PostgresError) -> Void
    ) {
        lanes.pool.submit(GeneralRequest(run: run, fail: fail), lane: lane)
    }
}

extension PostgresError {
    fileprivate static let lostBetweenStatements = PostgresError(
        .connectionFailed, "the connection broke between two statements of the transaction")
    fileprivate static let lostAfterStatement = PostgresError(
        .connectionLost, "the connection broke during a statement of the transaction")
    fileprivate static let failedUnseen = PostgresError(
        .server, "a statement of the transaction failed unseen", state: .inFailedSQLTransaction)
}
