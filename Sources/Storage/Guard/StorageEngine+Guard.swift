package import CommandModel
internal import Metrics
internal import NIOCore
internal import Postgres
internal import SQL

extension StorageEngine {
    /// Reads what is recorded of a command. Not needed for a number that is newer than all of its session.
    package func load(_ guarded: StatementGuard) async throws(StorageError) {
        try await general.withConnection { connection throws(StorageError) in
            let result: StatementResult
            do throws(PostgresError) {
                result = try connection.execute(Statement(GuardSQL.load, [.bytea(guarded.identity.key)]))
            } catch {
                throw .postgres(error)
            }
            guard result.rowCount > 0, let number = result.int8(row: 0, column: 0),
                let step = result.int8(row: 0, column: 1), let bytes = result.bytes(row: 0, column: 2)
            else { return guarded.loadedNothing() }
            do throws(CommandError) {
                try guarded.loaded(number: number, step: Int32(clamping: step), results: ByteBuffer(bytes: bytes))
            } catch { throw .command(error) }
        }
    }

    /// Runs a statement of a command unless it took effect before, and until it is known whether it did.
    ///
    /// `body` gets the claim to take into its transaction, and gives what it did; nil for `guarded` means that the
    /// command is not numbered.
    package func once(
        _ guarded: StatementGuard?, statement: Int32,
        _ body: (StatementClaim?) async throws(StorageError) -> WriteTally
    ) async throws(StorageError) -> WriteTally {
        try await settled(guarded) { () async throws(StorageError) in
            guard let guarded else { return try await body(nil) }
            if let known = repeatedResult(of: statement, guarded) { return try known.get() }
            let result: Result<WriteTally, StorageError>
            do throws(StorageError) {
                result = .success(try await body(guarded.claim(statement)))
            } catch {
                guard case .command = error else { throw error }
                result = .failure(error)
            }
            if case .success(let tally) = result, tally.hasEffect {
                guarded.recorded()
                return tally
            }
            // Nothing happened: perhaps because a copy of the command, somewhere else, was faster by a moment. What it
            // has done it has recorded by now.
            try await load(guarded)
            if let known = repeatedResult(of: statement, guarded) { return try known.get() }
            if guarded.identity.recordsEverything { try await record([Recording(statement, result)], for: guarded) }
            return try result.get()
        }
    }

    private func repeatedResult(
        of statement: Int32, _ guarded: StatementGuard
    ) -> Result<WriteTally, StorageError>? {
        guard let known = guarded.repeatedResult(of: statement) else { return nil }
        metrics.deduplicated.count()
        return known.mapError { .command($0) }
    }

    /// Runs `body` again, with what is recorded read anew, as long as it is open whether it took effect.
    func settled<R: Sendable>(
        _ guarded: StatementGuard?, _ body: () async throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        var attempt = 1
        while true {
            do throws(StorageError) {
                return try await body()
            } catch {
                guard attempt < Backoff.attemptsMax, error.mayRunAgain(isGuarded: guarded != nil) else { throw error }
            }
            await Backoff.sleep(attempt: attempt)
            if let guarded { try await load(guarded) }
            attempt += 1
        }
    }

    /// Whether the transaction was committed; if not, it never will be.
    ///
    /// A commit may still be under way on a connection that we lost. So absence of its record is no answer: we write
    /// one of our own in its place, which waits for a commit under way and is refused by it, or refuses it.
    package func isCommitted(_ identity: RetryIdentity) async throws(StorageError) -> Bool {
        let guarded = StatementGuard(identity)
        return try await settled(guarded) { () async throws(StorageError) in
            try await load(guarded)
            if guarded.hasRecordings { return guarded.isCommitted }
            try await record([], for: guarded)
            return false
        }
    }

    /// Records what had no effect of its own, for an application's key: the first reply shall be the only one.
    func record(_ recordings: [Recording], for guarded: StatementGuard) async throws(StorageError) {
        let claimed = [ClaimedResult(guarded.claim(0), recordings)]
        // A commit under way holds the session's row, for as long as its flush takes.
        try await LockPatience.wait { (_) async throws(StorageError) in
            try await self.general.withConnection { connection throws(StorageError) in
                do throws(PostgresError) {
                    _ = try connection.execute(claimed.statement)
                } catch { throw .postgres(error) }
            }
        }
        guarded.recorded()
    }
}

extension StorageError {
    /// Nothing happened; or the guard can tell what did.
    fileprivate func mayRunAgain(isGuarded: Bool) -> Bool {
        guard case .postgres(let error) = self else { return false }
        if error.state == .statementRefused { return isGuarded }
        // When the breaker is open the client is told at once; it knows where to look and when to come back.
        return error.kind == .connectionLost && (isGuarded || !error.mayHaveTakenEffect)
    }
}

extension WriteTally {
    /// Something is stored that was not before.
    var hasEffect: Bool { modified > 0 || upsertedID != nil }
}

extension Recording {
    fileprivate init(_ statement: Int32, _ result: Result<WriteTally, StorageError>) {
        switch result {
        case .success(let tally): self = .statement(statement, tally)
        case .failure(let error): self = .failure(statement, CommandError(error))
        }
    }
}
