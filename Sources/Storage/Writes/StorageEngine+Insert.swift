package import BSON
package import CommandModel
internal import Metrics
package import NIOCore
internal import Postgres

extension StorageEngine {
    /// Inserts one document: with whatever other writes are on their way, in one transaction.
    ///
    /// - Throws: DuplicateKey (11000).
    @discardableResult
    package func insert(
        _ document: Document, into collection: Collection, claim: StatementClaim? = nil, deadline: Deadline = .never
    ) async throws(StorageError) -> DocumentOutcome {
        let key = document.withRaw { DocumentKey.ofDocument($0) }
        return try await write(key, .insert(document), in: collection, claim: claim, deadline: deadline)
    }

    /// Inserts several documents in one transaction.
    ///
    /// - Parameter statements: the numbers of the documents in their command, for `guarded`.
    /// - Returns: the errors by the documents' positions. When `isOrdered`, documents after the first error are not
    ///   inserted.
    package func insert(
        _ documents: [Document], into collection: Collection, isOrdered: Bool, guarded: StatementGuard? = nil,
        statements: [Int32] = [], deadline: Deadline = .never
    ) async throws(StorageError) -> [(index: Int, error: CommandError)] {
        try await settled(guarded) { () async throws(StorageError) in
            var errors: [(index: Int, error: CommandError)] = []
            let open = documents.indices.filter { position in
                guard let guarded, let known = guarded.repeatedResult(of: statements[position]) else { return true }
                if case .failure(let error) = known { errors.append((position, error)) }
                return false
            }
            if open.count < documents.count { metrics.deduplicated.count(documents.count - open.count) }
            if open.isEmpty || isOrdered && !errors.isEmpty { return errors }
            let claim = guarded.map { BulkInsert.Claim($0.claim(0), statements: open.map { statements[$0] }) }
            let insert = BulkInsert(
                open.map { documents[$0] }, into: collection, isOrdered: isOrdered, claim: claim)
            let refused = try await run(insert, until: deadline)
            if refused.count < open.count { guarded?.recorded() }
            let failures = refused.map { position in
                (
                    index: open[position],
                    error: CommandError.duplicateID(in: collection.namespace, document: documents[open[position]])
                )
            }
            errors += failures
            if let guarded, guarded.identity.recordsEverything, !failures.isEmpty {
                try await record(failures.map { .failure(statements[$0.index], $0.error) }, for: guarded)
            }
            return errors.sorted { $0.index < $1.index }
        }
    }

    private func run(_ insert: BulkInsert, until deadline: Deadline) async throws(StorageError) -> [Int] {
        try await LockPatience.wait(until: deadline) { (_) async throws(StorageError) in
            try await self.general.withConnection(until: deadline) { connection throws(StorageError) in
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

    /// Writes one document through its lane.
    func write(
        _ key: ByteBuffer, _ kind: WriteRequest.Kind, in collection: Collection, claim: StatementClaim?,
        deadline: Deadline
    ) async throws(StorageError) -> DocumentOutcome {
        // Writes of one document always meet on one thread, so that they can share a lane.
        let lane = key.hashValue ^ Int(truncatingIfNeeded: collection.number)
        return try await LockPatience.wait(until: deadline) { meetsLocks async throws(StorageError) in
            let result: Result<DocumentOutcome, StorageError> = await withUnsafeContinuation { continuation in
                let request = WriteRequest(
                    collection: collection, key: key, kind: kind, claim: claim, meetsLocks: meetsLocks,
                    deadline: deadline, continuation: continuation)
                writers.submit(request, lane: lane)
            }
            return try result.get()
        }
    }
}
