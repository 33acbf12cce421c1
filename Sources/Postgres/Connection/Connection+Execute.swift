internal import CLibPQ
internal import DequeModule
package import SQL

extension Connection {
    /// Runs one statement in a sync group of its own and waits for it. A stale plan is replaced without the caller's
    /// notice, unless an explicit transaction is open (which the failure has spoilt).
    package func execute(_ statement: Statement) throws(PostgresError) -> StatementResult {
        let mayRepeat = !isTransactionOpen && !isInTransaction
        do throws(PostgresError) {
            return try executeOnce(statement)
        } catch {
            guard error.isStalePlan, mayRepeat else { throw error }
            return try executeOnce(statement)
        }
    }

    private func executeOnce(_ statement: Statement) throws(PostgresError) -> StatementResult {
        precondition(!(isGroupOpen && !isBeginPending) && syncsUnderWay == 0, "execute() with results outstanding")
        enqueue(statement)
        enqueueSync()
        let result: Result<StatementResult, PostgresError>
        do throws(PostgresError) {
            result = .success(try next())
        } catch {
            result = .failure(error)
        }
        try nextSync()
        return try result.get()
    }

    /// Runs several statements without parameters through the simple protocol: migrations. All of them are one
    /// transaction, unless the script says `BEGIN` and `COMMIT` itself.
    package func execute(script: String) throws(PostgresError) {
        precondition(!isGroupOpen && syncsUnderWay == 0, "execute(script:) with results outstanding")
        skipHousekeeping()
        if let lostError { throw lostError }
        guard PQexitPipelineMode(handle) == 1 else { throw lose() }
        if PQsendQuery(handle, script) != 1 { lose() }
        let failure = readScriptResults()
        if lostError == nil, PQenterPipelineMode(handle) != 1 { lose() }
        if let error = lostError ?? failure { throw error }
    }

    private func readScriptResults() -> PostgresError? {
        var failure: PostgresError?
        do throws(PostgresError) {
            while let result = try awaitResult() {
                defer { PQclear(result) }
                switch PQresultStatus(result) {
                case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY: break
                case PGRES_FATAL_ERROR: failure = failure ?? error(of: result)
                default: throw lose(PostgresError(.connectionLost, "a script must not contain COPY"))
                }
            }
        } catch {
            return error
        }
        return failure
    }

    /// Brings the connection back to where a new user expects it: nothing outstanding and, unless it is to be kept,
    /// no transaction. False when the connection is of no more use.
    package func restoreIdle(keepingTransaction: Bool = false) -> Bool {
        if isGroupOpen { enqueueSync() }
        while syncsUnderWay > 0 { try? nextSync() }
        skipHousekeeping()
        if keepingTransaction { return !isBroken }
        isTransactionOpen = false
        if isBroken || !isInTransaction { return !isBroken }
        _ = try? execute(.once("ROLLBACK"))
        return !isBroken && !isInTransaction
    }
}
