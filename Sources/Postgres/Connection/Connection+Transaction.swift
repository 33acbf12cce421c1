internal import CLibPQ
internal import DequeModule
package import SQL

/// Explicit transactions that span sync groups.
///
/// BEGIN costs no round trip: it waits in the open group for the first statement, and when it fails that statement
/// is skipped. Within the transaction a sync ends a pipeline as ever and commits nothing.
extension Connection {
    /// Opens a transaction with the next statement.
    ///
    /// - Parameter text: `BEGIN` with its modes.
    package func begin(_ text: String) {
        precondition(!isGroupOpen && syncsUnderWay == 0, "begin() with results outstanding")
        enqueue(.once(text))
        expected[expected.endIndex - 1] = .begin
        isTransactionOpen = true
    }

    /// BEGIN is all that the open group holds so far.
    var isBeginPending: Bool {
        guard isGroupOpen, case .begin? = expected.last else { return false }
        return true
    }

    /// A statement of the open transaction has failed: the server skips everything until its end. Exact only when no
    /// results are outstanding.
    package var isTransactionFailed: Bool { PQtransactionStatus(handle) == PQTRANS_INERROR }

    /// Runs `statements` and commits, all in one pipeline. Returns only if the transaction is committed; otherwise it
    /// is rolled back, or the error says that it ``PostgresError/mayHaveTakenEffect``.
    package func commit(after statements: [Statement] = []) throws(PostgresError) {
        if let lostError {
            isTransactionOpen = false
            throw PostgresError(.connectionFailed, lostError.message, state: lostError.state)
        }
        for statement in statements { enqueue(statement) }
        enqueue(Statement("COMMIT"))
        enqueueSync()
        do throws(PostgresError) {
            try readCommit(after: statements.count)
        } catch {
            _ = restoreIdle()
            throw error
        }
        _ = restoreIdle()
    }

    /// The server commits before it answers COMMIT: what happens to the connection behind that answer is of no
    /// importance.
    private func readCommit(after count: Int) throws(PostgresError) {
        for _ in 0..<count { _ = try next() }
        let tag = try next().commandTag
        guard tag == "COMMIT" else {
            throw PostgresError(
                .server, "a failed transaction was to be committed: \(tag)", state: .inFailedSQLTransaction)
        }
    }
}
