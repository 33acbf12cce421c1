internal import CLibPQ
internal import DequeModule
package import SQL

extension Connection {
    /// Sends a statement as part of the open sync group. Its result is due from ``next()``, in binary format.
    package func enqueue(_ statement: Statement) {
        isGroupOpen = true
        guard !isBroken else { return expected.append(.statement(nil)) }
        guard parameters.encode(statement.parameters) else { return refuse() }
        switch statements.lookUp(statement, group: groupSent) {
        case .ready(let prepared): execute(prepared)
        case .unnamed: executeUnnamed(statement)
        case .prepare(let prepared):
            prepare(prepared)
            execute(prepared)
        }
    }

    /// Closes the sync group: the server commits it, or has rolled it back.
    package func enqueueSync() {
        sent(PQpipelineSync(handle), .sync)
        syncsUnderWay += 1
        isGroupOpen = false
        groupSent &+= 1
        sendHousekeeping()
    }

    /// The result of the oldest statement whose result was not asked for yet.
    ///
    /// Before the group is closed this waits for the statement all the same: the server is asked to flush.
    package func next() throws(PostgresError) -> StatementResult {
        skipHousekeeping()
        if isGroupOpen && syncsUnderWay == 0 && !isBroken { PQsendFlushRequest(handle) }
        readBegin()
        var prepareError: PostgresError?
        if case .prepare(let statement)? = expected.first {
            expected.removeFirst()
            prepareError = readPrepare(statement)
        }
        do throws(PostgresError) {
            return try readNextStatement()
        } catch {
            let reason = prepareError ?? error
            if groupError == nil { groupError = reason }
            throw reason
        }
    }

    /// Reads to the end of the oldest group; results of it that were not asked for are dropped.
    ///
    /// Returns only if the whole group took effect. Otherwise it throws the first error of the group, also when
    /// ``next()`` has thrown it before: an error at commit appears nowhere else.
    package func nextSync() throws(PostgresError) {
        precondition(syncsUnderWay > 0, "nextSync() without enqueueSync()")
        skipHousekeeping()
        readBegin()
        while isStatementNext { _ = try? next() }
        expected.removeFirst()
        syncsUnderWay -= 1
        defer { groupError = nil }
        readSync()
        if let error = lostError ?? groupError { throw error }
    }
}

// Sending.
extension Connection {
    private func prepare(_ statement: PreparedStatement) {
        let types = statement.types.map(\.rawValue)
        let count = Int32(truncatingIfNeeded: types.count)
        sent(PQsendPrepare(handle, statement.name, statement.text, count, types), .prepare(statement))
    }

    private func execute(_ statement: PreparedStatement) {
        let count = Int32(truncatingIfNeeded: statement.types.count)
        let handle = handle
        let outcome = parameters.withPointers { values, lengths, formats in
            PQsendQueryPrepared(handle, statement.name, count, values, lengths, formats, 1)
        }
        sent(outcome, .statement(statement))
    }

    private func executeUnnamed(_ statement: Statement) {
        let types = statement.parameters.map(\.type.rawValue)
        let count = Int32(truncatingIfNeeded: types.count)
        let handle = handle
        let outcome = parameters.withPointers { values, lengths, formats in
            PQsendQueryParams(handle, statement.text, count, types, values, lengths, formats, 1)
        }
        sent(outcome, .statement(nil))
    }

    /// A statement that cannot be sent must still fail its group on the server, or the rest of it would commit: what
    /// is sent in its place does not parse.
    private func refuse() {
        sent(PQsendQueryParams(handle, "too large", 0, nil, nil, nil, nil, 1), .refused)
    }

    /// Books what is due for a call of libpq. A call that fails has found the connection dead or memory exhausted:
    /// whoever asks for the result learns it.
    private func sent(_ outcome: Int32, _ next: Expected) {
        if outcome != 1 { lose() }
        expected.append(next)
    }

    /// Takes evicted plans off the server, in a group of their own so that they cannot harm the caller's.
    private func sendHousekeeping() {
        guard !statements.evictedNames.isEmpty, !isBroken else { return }
        for name in statements.takeEvictedNames() {
            let outcome = PQsendQueryParams(handle, "DEALLOCATE \(name)", 0, nil, nil, nil, nil, 1)
            sent(outcome, .deallocate(name: name))
        }
        sent(PQpipelineSync(handle), .housekeepingSync)
    }
}

// Reading.
extension Connection {
    private var isStatementNext: Bool {
        switch expected.first {
        case .prepare, .statement, .refused: true
        default: false
        }
    }

    /// Reads the results that nobody but us waits for.
    func skipHousekeeping() {
        while true {
            switch expected.first {
            case .deallocate(let name):
                expected.removeFirst()
                readDeallocate(name)
            case .housekeepingSync:
                expected.removeFirst()
                readSync()
                groupError = nil
            default: return
            }
        }
    }

    /// A BEGIN that failed fails the statement behind it: the group is aborted.
    private func readBegin() {
        guard case .begin? = expected.first else { return }
        expected.removeFirst()
        do throws(PostgresError) {
            _ = try readResult()
        } catch {
            if groupError == nil { groupError = error }
        }
    }

    private func readPrepare(_ statement: PreparedStatement) -> PostgresError? {
        do throws(PostgresError) {
            _ = try readResult()
            statement.isConfirmed = true
            return nil
        } catch {
            statements.forget(statement)
            return error
        }
    }

    private func readNextStatement() throws(PostgresError) -> StatementResult {
        switch expected.first {
        case .statement(let statement):
            expected.removeFirst()
            return try readStatement(statement)
        case .refused:
            expected.removeFirst()
            do throws(PostgresError) {
                return try readResult()
            } catch {
                throw error.kind == .server ? .tooLarge : error
            }
        default: preconditionFailure("next() without a statement: the group has ended, nextSync() is due")
        }
    }

    private func readStatement(_ statement: PreparedStatement?) throws(PostgresError) -> StatementResult {
        do throws(PostgresError) {
            return try readResult()
        } catch {
            if error.isStalePlan { forgetPlan(statement, after: error) }
            throw error
        }
    }

    private func forgetPlan(_ statement: PreparedStatement?, after error: PostgresError) {
        if error.state == .invalidSQLStatementName {
            statements.forgetAll()
        } else if let statement {
            statements.evict(statement)
        }
    }

    /// A name the server does not know is gone, as wished; in a failed transaction the order is given again later.
    private func readDeallocate(_ name: String) {
        do throws(PostgresError) {
            _ = try readResult()
        } catch {
            if error.state != .invalidSQLStatementName { statements.keepForLater(evictedName: name) }
        }
    }

    /// One result and the NULL that libpq puts after it.
    private func readResult() throws(PostgresError) -> StatementResult {
        guard let handle = try awaitResult() else {
            throw lose(PostgresError(.connectionLost, "no result where one was due: \(libraryMessage)"))
        }
        let result = StatementResult(adopting: handle)
        switch PQresultStatus(handle) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
            try readTerminator()
            return result
        case PGRES_PIPELINE_ABORTED:
            try readTerminator()
            throw groupError?.forSkippedStatements ?? PostgresError(.pipelineAborted, "an earlier statement failed")
        case PGRES_FATAL_ERROR:
            let error = self.error(of: handle)
            if lostError == nil { try readTerminator() }
            throw error
        default:
            // COPY has no place in a pipeline: the two sides no longer agree on what comes next.
            throw lose(PostgresError(.connectionLost, "unexpected result of a statement (COPY?)"))
        }
    }

    private func readTerminator() throws(PostgresError) {
        guard let surplus = try awaitResult() else { return }
        PQclear(surplus)
        throw lose(PostgresError(.connectionLost, "two results where one was due"))
    }

    /// Reads up to the end of the group. An error at commit comes before it, with a NULL of its own; more NULLs than
    /// that mean that the two sides disagree, and without the bound they would be read for ever.
    private func readSync() {
        for _ in 0..<4 where lostError == nil {
            if let isAtEnd = try? readPartOfSync(), isAtEnd { return }
        }
        lose(PostgresError(.connectionLost, "the end of a group is missing: \(libraryMessage)"))
    }

    private func readPartOfSync() throws(PostgresError) -> Bool {
        guard let handle = try awaitResult() else { return false }
        defer { PQclear(handle) }
        switch PQresultStatus(handle) {
        case PGRES_PIPELINE_SYNC: return true
        case PGRES_FATAL_ERROR:
            let error = self.error(of: handle)
            if groupError == nil { groupError = error }
            return false
        default: throw lose(PostgresError(.connectionLost, "unexpected result at the end of a group"))
        }
    }
}
