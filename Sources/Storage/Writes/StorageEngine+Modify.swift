package import BSON
package import CommandModel
package import NIOCore
internal import Postgres
package import Query
internal import SQL

/// What an update or delete statement did in all.
package struct WriteTally: Sendable {
    package var matched: Int64 = 0
    package var modified: Int64 = 0
    package var upsertedID: Value?

    package init() {}

    package init(_ outcome: DocumentOutcome) {
        self.init()
        add(outcome)
    }

    mutating func add(_ outcome: DocumentOutcome) {
        if outcome.matched { matched += 1 }
        if outcome.modified { modified += 1 }
        upsertedID = upsertedID ?? outcome.upsertedID
    }
}

extension StorageEngine {
    /// Applies `operation` to one matching document, the first in the order of `sort`.
    ///
    /// When the filter names the `_id` the document is known; else a scan finds a candidate. Either way the write goes
    /// through the lane of its document, which checks the filter once more against the newest version. A candidate
    /// that does not match any more makes the scan start over.
    package func modifyOne(
        _ operation: DocumentOperation, in collection: Collection, sort: SortPattern? = nil, deadline: Deadline
    ) async throws(StorageError) -> DocumentOutcome {
        if case .points(let values) = operation.filter.identity.shape, values.count == 1 {
            return try await write(DocumentKey.encode(values[0]), .modify(operation), in: collection)
        }
        while true {
            guard let key = try await firstMatch(of: operation.filter, in: collection, sort: sort, deadline: deadline)
            else { return try await upsert(operation, into: collection) }
            let outcome = try await write(key, .modify(operation.withoutUpsert), in: collection)
            if outcome.matched { return outcome }
            if deadline.hasPassed { throw .command(.timeLimitExceeded) }
        }
    }

    /// Applies `operation` to all matching documents, a chunk per transaction, as MongoDB does: not atomic as a whole.
    package func modifyMany(
        _ operation: DocumentOperation, in collection: Collection, deadline: Deadline
    ) async throws(StorageError) -> WriteTally {
        var tally = WriteTally()
        var position: ScanPlan.Position?
        repeat {
            let start = position
            let chunk = try await general.withConnection { connection throws(StorageError) in
                try ModifyChunk(operation, in: collection, after: start).run(on: connection)
            }
            tally.matched += chunk.tally.matched
            tally.modified += chunk.tally.modified
            for key in chunk.lostKeys {
                tally.add(try await write(key, .modify(operation.withoutUpsert), in: collection))
            }
            if let error = chunk.error { throw .command(error) }
            if deadline.hasPassed { throw .command(.timeLimitExceeded) }
            position = chunk.position
        } while position != nil
        if tally.matched == 0 { tally.add(try await upsert(operation, into: collection)) }
        return tally
    }

    private func upsert(
        _ operation: DocumentOperation, into collection: Collection
    ) async throws(StorageError) -> DocumentOutcome {
        let document: Document?
        do throws(CommandError) { document = try operation.upserted() } catch { throw .command(error) }
        guard let document else { return DocumentOutcome() }
        try await insert(document, into: collection)
        return DocumentOutcome(
            upsertedID: document.withRaw { Value(copying: $0["_id"] ?? Value.nullRaw) },
            after: operation.wantsImages ? document : nil)
    }

    private func firstMatch(
        of filter: Filter, in collection: Collection, sort: SortPattern?, deadline: Deadline
    ) async throws(StorageError) -> ByteBuffer? {
        var query = FindQuery(filter: filter)
        query.sort = sort
        query.limit = 1
        let builder = DocumentBuilder()
        let (batch, _) = try await fill(
            ReplyBatch(into: builder, documentsMax: 1), from: QueryRun(query, on: collection), deadline: deadline)
        return batch.builder.finish().withRaw { raw in
            for element in raw {
                if let document = element.value.document { return DocumentKey.ofDocument(document) }
            }
            return nil
        }
    }
}

extension DocumentOperation {
    var withoutUpsert: DocumentOperation {
        DocumentOperation(on: namespace, filter: filter, action: action, wantsImages: wantsImages)
    }
}

/// One chunk of a multi-document write: reads rows from a position, applies the operation to those that match, stores
/// them by compare-and-swap in one transaction.
private struct ModifyChunk {
    static let rowsMax = 1_000
    static let bytesMax = 16 * 1024 * 1024

    struct Result: Sendable {
        var tally = WriteTally()
        /// Documents that someone else changed meanwhile; their lanes decide.
        var lostKeys: [ByteBuffer] = []
        /// Where the next chunk begins; nil when this was the last.
        var position: ScanPlan.Position?
        /// The first document that could not be updated ends the statement; those before it are stored.
        var error: CommandError?
    }

    private let operation: DocumentOperation
    private let collection: Collection
    private let after: ScanPlan.Position?

    init(_ operation: DocumentOperation, in collection: Collection, after: ScanPlan.Position?) {
        self.operation = operation
        self.collection = collection
        self.after = after
    }

    func run(on connection: Connection) throws(StorageError) -> Result {
        do throws(PostgresError) {
            return try runUnmapped(on: connection)
        } catch {
            _ = connection.restoreIdle()
            throw .postgres(error)
        }
    }

    private func runUnmapped(on connection: Connection) throws(PostgresError) -> Result {
        var plan = ScanPlan(collection, order: .insertion(descending: false))
        plan.narrow(by: operation.filter.identity)
        plan.after = after
        // Small at first: the rows' size is not known yet.
        plan.rowLimit = after == nil ? 128 : Self.rowsMax
        connection.enqueue(plan.writeStatement)
        connection.enqueueSync()
        let rows = try connection.next()
        try connection.nextSync()

        var result = Result()
        var stored: [ByteBuffer] = []
        var bytes = 0
        for row in 0..<rows.rowCount {
            guard result.error == nil, bytes < Self.bytesMax else { break }
            result.position = rows.int8(row: row, column: 0).map { .rid($0) }
            guard let change = apply(row, of: rows, &result) else { continue }
            bytes += change.bytes
            stored.append(change.key)
            connection.enqueue(change.statement)
        }
        if rows.rowCount < plan.rowLimit ?? 0, bytes < Self.bytesMax { result.position = nil }
        try commit(stored, on: connection, &result)
        return result
    }

    private func apply(
        _ row: Int, of rows: borrowing StatementResult, _ result: inout Result
    ) -> (key: ByteBuffer, statement: Statement, bytes: Int)? {
        guard let keyBytes = rows.bytes(row: row, column: 1), let version = rows.uint32(row: row, column: 2),
            let document = rows.bytes(row: row, column: 3).flatMap(RawDocument.init),
            operation.filter.matches(document)
        else { return nil }
        let key = ByteBuffer(bytes: keyBytes)
        do throws(CommandError) {
            switch try operation.apply(to: document).0 {
            case .unchanged:
                result.tally.matched += 1
                return nil
            case .store(let updated):
                let statement = Statement(
                    collection.sql.update, [.bytea(key), .bytea(updated.buffer), .xid(version)])
                return (key, statement, updated.count)
            case .remove:
                return (key, Statement(collection.sql.delete, [.bytea(key), .xid(version)]), 64)
            }
        } catch {
            result.error = error
            return nil
        }
    }

    private func commit(
        _ stored: [ByteBuffer], on connection: Connection, _ result: inout Result
    ) throws(PostgresError) {
        guard !stored.isEmpty else { return }
        connection.enqueueSync()
        for key in stored {
            if try connection.next().affectedRows > 0 {
                result.tally.matched += 1
                result.tally.modified += 1
            } else {
                result.lostKeys.append(key)
            }
        }
        try connection.nextSync()
    }
}
