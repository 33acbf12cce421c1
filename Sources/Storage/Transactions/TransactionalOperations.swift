internal import BSON
internal import CommandModel
internal import NIOCore
internal import Postgres
internal import Query
internal import SQL

/// What commands do to documents within a transaction, on its connection and its thread.
///
/// No locks are taken in advance and nothing is repeated. Under REPEATABLE READ an UPDATE or DELETE of a row that
/// someone has changed since the snapshot fails by itself, as does an INSERT of a key that someone has inserted since;
/// a row that someone is changing right now is a lock that is not waited for. Either is a conflict, and the
/// transaction is over. So a read, a computation and a write need no lock between them, a document that an update
/// leaves as it is conflicts with nobody, and a key that the snapshot shows is a plain duplicate.
struct TransactionalOperations {
    let connection: Connection
    private let transaction: OpenTransaction

    init(_ transaction: OpenTransaction, on connection: Connection) {
        self.transaction = transaction
        self.connection = connection
    }

    /// - Returns: the errors by the documents' positions. When `isOrdered`, documents after the first error are not
    ///   inserted.
    func insert(
        _ documents: [Document], into collection: Collection, isOrdered: Bool, bypassingValidation: Bool
    ) throws(StorageError) -> [(index: Int, error: CommandError)] {
        let checked = try CheckedDocuments(
            documents, into: collection, isOrdered: isOrdered, bypassingValidation: bypassingValidation)
        guard !checked.documents.isEmpty else {
            // The rules may have changed since the catalog was read.
            _ = try execute(Statement(collection.sql.probe))
            return checked.errors(with: [])
        }
        let insert = BulkInsert(checked, into: collection, isOrdered: isOrdered)
        let refused: [Int]
        do throws(PostgresError) { refused = try insert.attempt(on: connection) } catch {
            throw insert.duplicateKey(error).map(StorageError.command) ?? .postgres(error)
        }
        transaction.noteWrite()
        return checked.errors(
            with: refused.map { ($0, .duplicateID(in: collection.namespace, document: checked.documents[$0])) })
    }

    /// Applies `operation` to one matching document, the first in the order of `sort`.
    func modifyOne(
        _ operation: DocumentOperation, in collection: Collection, sort: SortPattern?, deadline: Deadline
    ) throws(StorageError) -> DocumentOutcome {
        let operation = try operation.bound(in: collection)
        if let key = operation.onlyKey(in: collection) { return try modify(key, operation, in: collection) }
        let match = try firstMatch(of: operation, in: collection, sort: sort, deadline: deadline)
        guard let match else { return try upsert(operation, into: collection) }
        return try modify(match, operation.withoutUpsert, in: collection)
    }

    /// Applies `operation` to all matching documents.
    func modifyMany(
        _ operation: DocumentOperation, in collection: Collection, deadline: Deadline
    ) throws(StorageError) -> WriteTally {
        let operation = try operation.bound(in: collection)
        if let key = operation.onlyKey(in: collection) { return WriteTally(try modify(key, operation, in: collection)) }
        try operation.query.checkNearIndex(in: collection)
        var tally = WriteTally()
        var start: ModifyChunk.Start? = .first
        while let from = start {
            let next = try ModifyChunk(operation, in: collection, from: from)
            let chunk = try postgres { () throws(PostgresError) in try next.attempt(on: connection) }
            if !chunk.newFacts.isEmpty { throw .newFacts(chunk.newFacts) }
            guard chunk.lostKeys.isEmpty else { throw .postgres(.changedSinceSnapshot) }
            tally.matched += chunk.tally.matched
            tally.modified += chunk.tally.modified
            if chunk.tally.modified > 0 { transaction.noteWrite() }
            if let error = chunk.error { throw .command(error) }
            try deadline.check()
            start = chunk.next
        }
        if tally.matched == 0 { tally.add(try upsert(operation, into: collection)) }
        return tally
    }

    /// One document by the key of its `_id`.
    func read(_ key: ByteBuffer, from collection: Collection) throws(StorageError) -> ByteBuffer? {
        let result = try execute(Statement(collection.sql.read, [.bytea(key)]))
        return result.rowCount > 0 ? result.bytes(row: 0, column: 1).map { ByteBuffer(bytes: $0) } : nil
    }
}

// One document.
extension TransactionalOperations {
    private func modify(
        _ key: ByteBuffer, _ operation: DocumentOperation, in collection: Collection
    ) throws(StorageError) -> DocumentOutcome {
        let rows = try execute(Statement(collection.sql.readVersion, [.bytea(key)]))
        let version = rows.rowCount > 0 ? rows.uint32(row: 0, column: 1) : nil
        let current = rows.rowCount > 0 ? rows.bytes(row: 0, column: 2).flatMap(RawDocument.init) : nil
        guard (version == nil) == (current == nil) else {
            throw .command(CommandError(.invalidBSON, "a stored document of \(collection.namespace) is damaged"))
        }
        let (effect, outcome): (DocumentOperation.Effect, DocumentOutcome)
        do throws(CommandError) {
            (effect, outcome) = try operation.apply(to: current, in: collection)
        } catch {
            throw .command(error)
        }
        switch (effect, version) {
        case (.unchanged, _), (.remove, nil): break
        case (.remove, let version?):
            let keys = try KeyChanges(from: current, to: nil, in: collection)
            try store(collection.sql.delete.statement([.bytea(key), .xid(version)], changing: keys))
        case (.store(let document), _):
            try store(document, over: version, key, replacing: current, in: collection)
        }
        return outcome
    }

    private func store(
        _ document: Document, over version: UInt32?, _ key: ByteBuffer, replacing current: RawDocument?,
        in collection: Collection
    ) throws(StorageError) {
        let keys = try document.withRaw { raw throws(StorageError) in
            try KeyChanges(from: current, to: raw, in: collection)
        }
        let columns: [Parameter] = [.bytea(key), .bytea(document.buffer)]
        do throws(StorageError) {
            if let version {
                try store(collection.sql.update.statement(columns + [.xid(version)], changing: keys))
            } else {
                try store(collection.sql.insert.statement(columns, changing: keys))
            }
        } catch {
            guard case .postgres(let refusal) = error,
                let duplicate = collection.duplicateKey(refusal, storing: document)
            else { throw error }
            throw .command(duplicate)
        }
    }

    /// The row is what it was when it was read a moment ago, in the same snapshot: PostgreSQL would have complained.
    private func store(_ statement: Statement) throws(StorageError) {
        guard try execute(statement).affectedRows > 0 else { throw .postgres(.changedSinceSnapshot) }
        transaction.noteWrite()
    }

    /// Nothing matched: inserts, unless there is a document with the `_id` that it would have.
    private func upsert(
        _ operation: DocumentOperation, into collection: Collection
    ) throws(StorageError) -> DocumentOutcome {
        guard let key = try operation.upsertedKey(in: collection) else { return DocumentOutcome() }
        return try modify(key, operation, in: collection)
    }

    private func firstMatch(
        of operation: DocumentOperation, in collection: Collection, sort: SortPattern?, deadline: Deadline
    ) throws(StorageError) -> ByteBuffer? {
        let search = CandidateSearch(operation, in: collection, sort: sort, count: 1)
        var (run, batch) = (search.run, search.batch)
        try run.fill(&batch, on: connection, deadline: deadline)
        return CandidateSearch.keys(of: run, in: batch).first
    }
}

extension TransactionalOperations {
    private func execute(_ statement: Statement) throws(StorageError) -> StatementResult {
        try postgres { () throws(PostgresError) in try connection.execute(statement) }
    }

    private func postgres<R>(_ body: () throws(PostgresError) -> R) throws(StorageError) -> R {
        do throws(PostgresError) { return try body() } catch { throw .postgres(error) }
    }
}

extension PostgresError {
    /// In the words of PostgreSQL, which says so itself in all cases known.
    fileprivate static let changedSinceSnapshot = PostgresError(
        .server, "a row was changed by another transaction", state: .serializationFailure)
}
