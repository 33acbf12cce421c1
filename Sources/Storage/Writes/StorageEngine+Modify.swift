package import BSON
package import CommandModel
package import NIOCore
internal import Postgres
package import Query

/// What an update or delete statement did in all.
package struct WriteTally: Sendable {
    package var matched: Int64 = 0
    package var modified: Int64 = 0
    package var upsertedID: Value?
    /// The document that findAndModify shows.
    package var image: Document?

    package init() {}

    package init(_ outcome: DocumentOutcome) {
        self.init()
        add(outcome)
    }

    mutating func add(_ outcome: DocumentOutcome) {
        if outcome.matched { matched += 1 }
        if outcome.modified { modified += 1 }
        upsertedID = upsertedID ?? outcome.upsertedID
        image = image ?? outcome.image
    }
}

extension StorageEngine {
    /// Applies `operation` to one matching document, the first in the order of `sort`.
    ///
    /// When the filter names the `_id` the document is known; else a scan finds a candidate. Either way the write goes
    /// through the lane of its document, which checks the filter once more against the newest version. A candidate
    /// that does not match any more makes the scan start over.
    package func modifyOne(
        _ operation: DocumentOperation, in collection: Collection, sort: SortPattern? = nil,
        claim: StatementClaim? = nil, deadline: Deadline
    ) async throws(StorageError) -> DocumentOutcome {
        let operation = try operation.bound(in: collection)
        if let key = operation.onlyKey(in: collection) {
            return try await write(key, .modify(operation), in: collection, claim: claim, deadline: deadline)
        }
        while true {
            let found = try await matches(
                of: operation, in: collection, sort: sort, count: candidates.wanted(in: collection),
                deadline: deadline)
            guard let (key, isMine) = candidates.choose(found, in: collection) else {
                return try await upsert(operation, into: collection, claim: claim, deadline: deadline)
            }
            defer { if isMine { candidates.release(key, in: collection) } }
            let outcome = try await write(
                key, .modify(operation.withoutUpsert), in: collection, claim: claim, deadline: deadline)
            if outcome.matched { return outcome }
            try deadline.check()
        }
    }

    /// Applies `operation` to all matching documents, a chunk per transaction, as MongoDB does: not atomic as a whole.
    package func modifyMany(
        _ operation: DocumentOperation, in collection: Collection, deadline: Deadline
    ) async throws(StorageError) -> WriteTally {
        let operation = try operation.bound(in: collection)
        // Of one document at most: its lane does that, and settles the race of two upserts.
        if let key = operation.onlyKey(in: collection) {
            return WriteTally(
                try await write(key, .modify(operation), in: collection, claim: nil, deadline: deadline))
        }
        try operation.query.checkNearIndex(in: collection)
        var collection = collection
        var tally = WriteTally()
        var start: ModifyChunk.Start? = .first
        while let from = start {
            let chunk: ModifyChunk.Result
            do throws(StorageError) {
                chunk = try await modify(operation, in: collection, from: from, deadline)
            } catch {
                // Chunks before this one are committed: the statement goes on where it was, or not at all.
                guard error.isStaleCollection, from.position != nil else { throw error }
                guard let present = try await catalog.renumbered(collection) else {
                    throw .command(
                        CommandError(.queryPlanKilled, "collection \(collection.namespace) was dropped or renamed"))
                }
                collection = present
                continue
            }
            tally.matched += chunk.tally.matched
            tally.modified += chunk.tally.modified
            for key in chunk.lostKeys {
                tally.add(
                    try await write(
                        key, .modify(operation.withoutUpsert), in: collection, claim: nil, deadline: deadline))
            }
            if let error = chunk.error { throw .command(error) }
            try deadline.check()
            start = chunk.next
        }
        if tally.matched == 0 {
            tally.add(try await upsert(operation, into: collection, claim: nil, deadline: deadline))
        }
        return tally
    }

    private func modify(
        _ operation: DocumentOperation, in collection: Collection, from start: ModifyChunk.Start, _ deadline: Deadline
    ) async throws(StorageError) -> ModifyChunk.Result {
        try await general.withConnection(until: deadline) { connection throws(StorageError) in
            let chunk = try ModifyChunk(operation, in: collection, from: start)
            deadline.note(sql: chunk.searchText)
            return try chunk.run(on: connection)
        }
    }

    /// Nothing matched: the operation goes through the lane of the document that it would insert.
    private func upsert(
        _ operation: DocumentOperation, into collection: Collection, claim: StatementClaim?, deadline: Deadline
    ) async throws(StorageError) -> DocumentOutcome {
        guard let key = try operation.upsertedKey(in: collection) else { return DocumentOutcome() }
        return try await write(key, .modify(operation), in: collection, claim: claim, deadline: deadline)
    }

    /// The keys of the first documents that match.
    private func matches(
        of operation: DocumentOperation, in collection: Collection, sort: SortPattern?, count: Int, deadline: Deadline
    ) async throws(StorageError) -> [ByteBuffer] {
        let search = CandidateSearch(operation, in: collection, sort: sort, count: count)
        let (batch, run) = try await fill(search.batch, from: search.run, deadline: deadline)
        return CandidateSearch.keys(of: run, in: batch)
    }
}

extension StorageEngine {
    /// All matching documents in one transaction, with the claim: again from the start when it loses a race.
    func modifyManyAtOnce(
        _ operation: DocumentOperation, in collection: Collection, claim: StatementClaim?, deadline: Deadline
    ) async throws(StorageError) -> WriteTally {
        var attempt = 1
        while true {
            do throws(StorageError) {
                return try await notingFacts(of: collection) { collection async throws(StorageError) in
                    try await attemptManyAtOnce(operation, in: collection, claim: claim, deadline: deadline)
                }
            } catch {
                guard case .postgres(let refusal) = error, refusal.isPassing, attempt < Self.manyAtOnceAttemptsMax,
                    !deadline.hasPassed
                else { throw error }
            }
            await Backoff.sleep(attempt: attempt)
            attempt += 1
        }
    }

    private static let manyAtOnceAttemptsMax = 100

    private func attemptManyAtOnce(
        _ operation: DocumentOperation, in collection: Collection, claim: StatementClaim?, deadline: Deadline
    ) async throws(StorageError) -> WriteTally {
        let transaction: OpenTransaction
        do throws(CommandError) {
            transaction = try await OpenTransaction.open(on: transactions.lanes, isolation: .snapshot)
        } catch { throw .command(error) }
        do throws(StorageError) {
            let tally = try await transaction.modifyMany(operation, in: collection, deadline: deadline)
            let claims = claim.map { [ClaimedResult($0, [.statement($0.statement, tally)])] } ?? []
            try await transaction.commit(recording: claims.isEmpty ? [] : [claims.statement])
            return tally
        } catch {
            await transaction.abort()
            throw error
        }
    }
}

extension DocumentOperation {
    /// The key of the one document that can match; nil when the filter leaves it open.
    func onlyKey(in collection: Collection) -> ByteBuffer? { KeyConstraint(of: filter, in: collection).onlyKey }

    /// The key of the document that an upsert would insert; nil when this is none.
    func upsertedKey(in collection: Collection) throws(StorageError) -> ByteBuffer? {
        do throws(CommandError) {
            return try upserted()?.withRaw { collection.key(ofDocument: $0) }
        } catch { throw .command(error) }
    }

    /// What finds its documents.
    var query: FindQuery {
        var query = FindQuery(filter: filter)
        query.hint = hint
        return query
    }

    var withoutUpsert: DocumentOperation {
        var copy = DocumentOperation(on: namespace, filter: filter, action: action, image: image)
        copy.hint = hint
        copy.bypassesValidation = bypassesValidation
        return copy
    }
}

/// A query for the keys of the first documents that match: who may be modified.
struct CandidateSearch {
    let run: QueryRun
    let batch: ReplyBatch

    init(_ operation: DocumentOperation, in collection: Collection, sort: SortPattern?, count: Int) {
        var query = operation.query
        query.sort = sort
        query.limit = count
        run = QueryRun(query, on: collection, collectsKeys: !collection.isKeyedByID)
        batch = ReplyBatch(into: DocumentBuilder(), documentsMax: count)
    }

    static func keys(of run: QueryRun, in batch: ReplyBatch) -> [ByteBuffer] {
        guard run.collection.isKeyedByID else { return run.keys }
        return batch.builder.finish().withRaw { raw in
            raw.compactMap { element in element.value.document.map(run.collection.key(ofDocument:)) }
        }
    }
}
