package import BSON
package import CommandModel
internal import Metrics
package import NIOCore
internal import Postgres
internal import SQL

extension StorageEngine {
    /// Inserts one document: with whatever other writes are on their way, in one transaction.
    ///
    /// - Throws: DuplicateKey (11000), DocumentValidationFailure (121).
    @discardableResult
    package func insert(
        _ document: Document, into collection: Collection, bypassingValidation: Bool = false,
        claim: StatementClaim? = nil, deadline: Deadline = .never
    ) async throws(StorageError) -> DocumentOutcome {
        if !bypassingValidation {
            do throws(CommandError) { try collection.check(document) } catch {
                try await probe(collection, until: deadline)
                throw .command(error)
            }
        }
        return try await write(
            collection.insertKey(of: document), .insert(document), in: collection, claim: claim, deadline: deadline)
    }

    /// Inserts several documents in one transaction.
    ///
    /// - Parameter statements: the numbers of the documents in their command, for `guarded`.
    /// - Returns: the errors by the documents' positions. When `isOrdered`, documents after the first error are not
    ///   inserted.
    package func insert(
        _ documents: [Document], into collection: Collection, isOrdered: Bool, bypassingValidation: Bool = false,
        guarded: StatementGuard? = nil, statements: [Int32] = [], deadline: Deadline = .never
    ) async throws(StorageError) -> [(index: Int, error: CommandError)] {
        try await notingFacts(of: collection) { collection async throws(StorageError) in
            try await insertOnce(
                documents, into: collection, isOrdered: isOrdered, bypassingValidation: bypassingValidation,
                guarded: guarded, statements: statements, deadline: deadline)
        }
    }

    private func insertOnce(
        _ documents: [Document], into collection: Collection, isOrdered: Bool, bypassingValidation: Bool,
        guarded: StatementGuard?, statements: [Int32], deadline: Deadline
    ) async throws(StorageError) -> [(index: Int, error: CommandError)] {
        let check = { @Sendable (documents: [Document]) throws(StorageError) in
            try CheckedDocuments(
                documents, into: collection, isOrdered: isOrdered, bypassingValidation: bypassingValidation)
        }
        guard let guarded else {
            let checked = try check(documents)
            let insert = BulkInsert(checked, into: collection, isOrdered: isOrdered)
            return checked.errors(with: try await run(insert, until: deadline))
        }
        return try await settled(guarded) { () async throws(StorageError) in
            try await insert(
                documents, into: collection, isOrdered: isOrdered, check, guarded: guarded, statements,
                until: deadline)
        }
    }

    private func insert(
        _ documents: [Document], into collection: Collection, isOrdered: Bool,
        _ check: ([Document]) throws(StorageError) -> CheckedDocuments, guarded: StatementGuard, _ statements: [Int32],
        until deadline: Deadline
    ) async throws(StorageError) -> [(index: Int, error: CommandError)] {
        while true {
            var (open, errors) = guarded.split(statements)
            if open.count < documents.count { metrics.deduplicated.count(documents.count - open.count) }
            if open.isEmpty || isOrdered && !errors.isEmpty { return errors }
            let checked = try check(open.map { documents[$0] })
            let claim = BulkInsert.Claim(
                guarded.claim(0), statements: checked.positions.map { statements[open[$0]] })
            let refused = try await run(
                BulkInsert(checked, into: collection, isOrdered: isOrdered, claim: claim), until: deadline)
            let offered = checked.documents.count
            let stored = isOrdered ? refused.first?.index ?? offered : offered - refused.count
            if stored > 0 { guarded.recorded() }
            let failures = checked.errors(with: refused)
                .map { (index: open[$0.index], error: $0.error) }
            // A document that is there already may be that of a copy of this command, which was faster.
            if !failures.isEmpty {
                try await load(guarded)
                if failures.contains(where: { guarded.hasResult(of: statements[$0.index]) }) { continue }
            }
            if guarded.identity.recordsEverything, !failures.isEmpty {
                try await record(failures.map { .failure(statements[$0.index], $0.error) }, for: guarded)
            }
            errors += failures
            return errors.sorted { $0.index < $1.index }
        }
    }

    private func run(
        _ insert: BulkInsert, until deadline: Deadline
    ) async throws(StorageError) -> [(index: Int, error: CommandError)] {
        if insert.isEmpty {
            try await probe(insert.collection, until: deadline)
            return []
        }
        defer { arrivals.noteWrite(in: insert.collection) }
        return try await LockPatience.wait(until: deadline) { (_) async throws(StorageError) in
            try await self.general.withConnection(until: deadline) { connection throws(StorageError) in
                deadline.note(sql: insert.collection.sql.insertMany)
                do throws(PostgresError) {
                    return try connection.repeatingRefused { () throws(PostgresError) in
                        try insert.run(on: connection)
                    }
                } catch {
                    throw .postgres(error)
                }
            }
        }
    }

    /// A document was refused without a statement on the collection's table. So nobody has noticed if the rules have
    /// changed since the catalog was read.
    ///
    /// - Throws: what any statement on a table throws that has another number by now.
    private func probe(_ collection: Collection, until deadline: Deadline) async throws(StorageError) {
        try await LockPatience.wait(until: deadline) { (_) async throws(StorageError) in
            try await self.general.withConnection(until: deadline) { connection throws(StorageError) in
                do throws(PostgresError) {
                    _ = try connection.execute(Statement(collection.sql.probe))
                } catch { throw .postgres(error) }
            }
        }
    }

    /// Writes one document through its lane.
    func write(
        _ key: ByteBuffer, _ kind: WriteRequest.Kind, in collection: Collection, claim: StatementClaim?,
        deadline: Deadline
    ) async throws(StorageError) -> DocumentOutcome {
        try await notingFacts(of: collection) { collection async throws(StorageError) in
            var keys = KeyChanges()
            if collection.hasIndexes, case .insert(let document) = kind {
                keys = try KeyChanges(from: nil, to: document, in: collection)
            }
            return try await write(key, kind, keys, in: collection, claim: claim, deadline: deadline)
        }
    }

    private func write(
        _ key: ByteBuffer, _ kind: WriteRequest.Kind, _ keys: KeyChanges, in collection: Collection,
        claim: StatementClaim?, deadline: Deadline
    ) async throws(StorageError) -> DocumentOutcome {
        // Writes of one document always meet on one thread, so that they can share a lane; so do those of a capped
        // collection, of which one at a time is possible.
        let lane = (collection.isCapped ? 0 : key.hashValue) ^ Int(truncatingIfNeeded: collection.number)
        defer { arrivals.noteWrite(in: collection) }
        deadline.note(pool: writers.options.name, sql: kind.mainStatement(on: collection))
        return try await LockPatience.wait(until: deadline) { meetsLocks async throws(StorageError) in
            let result: Result<DocumentOutcome, StorageError> = await withUnsafeContinuation { continuation in
                let request = WriteRequest(
                    collection: collection, key: key, kind: kind, keys: keys, claim: claim, meetsLocks: meetsLocks,
                    deadline: deadline, continuation: continuation)
                writers.submit(request, lane: lane)
            }
            return try result.get()
        }
    }
}

extension WriteRequest.Kind {
    /// The statement that stores, whatever is read before.
    fileprivate func mainStatement(on collection: Collection) -> String {
        switch self {
        case .insert: collection.sql.insert.plain
        case .modify(let operation):
            switch operation.action {
            case .update: collection.sql.update.plain
            case .delete: collection.sql.delete.plain
            }
        }
    }
}
