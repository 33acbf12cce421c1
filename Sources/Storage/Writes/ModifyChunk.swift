internal import BSON
internal import CommandModel
internal import NIOCore
internal import Postgres
internal import Query
internal import SQL

/// One chunk of a multi-document write: reads rows from a position, applies the operation to those that match, stores
/// them by compare-and-swap in one transaction.
///
/// The rows are stored in the order of their keys, not as they were read: the lock order of ``WriteBatch``, so that
/// the two do not deadlock.
struct ModifyChunk {
    static let rowsMax = 1_000
    static let bytesMax = 16 * 1024 * 1024

    /// Where a chunk begins, and how many rows it may read.
    struct Start: Sendable {
        let position: ScanPlan.Position?
        let rows: Int

        /// Few: the rows' size is not known yet.
        static let first = Start(position: nil, rows: 64)
    }

    struct Result: Sendable {
        var tally = WriteTally()
        /// Documents that someone else changed meanwhile, or whose keys need more than a statement; their lanes decide.
        var lostKeys: [ByteBuffer] = []
        /// What some of those bring that the catalog does not know of its indexes.
        var newFacts: [Int64: IndexFacts] = [:]
        /// nil when this was the last.
        var next: Start?
        /// The first document that could not be updated ends the statement; those before it are stored.
        var error: CommandError?
    }

    private struct Change {
        let key: ByteBuffer
        let document: Document?
        /// Nil when there is nothing to do.
        let statement: Statement?
    }

    private let operation: DocumentOperation
    private let collection: Collection
    private let access: Access
    private let start: Start

    /// - Throws: what a hint is refused for.
    init(
        _ operation: DocumentOperation, in collection: Collection, from start: Start
    ) throws(StorageError) {
        access = try operation.query.choosingAccess(in: collection).access
        self.operation = operation
        self.collection = collection
        self.start = start
    }

    func run(on connection: Connection) throws(StorageError) -> Result {
        do throws(PostgresError) {
            return try connection.repeatingRefused { () throws(PostgresError) in try attempt(on: connection) }
        } catch {
            throw .postgres(error)
        }
    }

    /// Once; within an open transaction this is the whole of it.
    func attempt(on connection: Connection) throws(PostgresError) -> Result {
        let plan = plan
        plan.noteUse()
        let rows = try connection.execute(
            plan.writeStatement.commented(StatementComment(operation.verb, collection)))
        var result = Result()
        var changes: [Change] = []
        var position: ScanPlan.Position?
        var bytesRead = 0
        var bytesStored = 0
        for row in 0..<rows.rowCount where result.error == nil && bytesStored < Self.bytesMax {
            position = rows.int8(row: row, column: 0).map { .rid($0) }
            bytesRead += rows.bytes(row: row, column: 3)?.count ?? 0
            guard let change = apply(row, of: rows, &result) else { continue }
            bytesStored += (change.statement?.parameters ?? []).reduce(0) { $0 + $1.byteCount }
            changes.append(change)
        }
        if let position, rows.rowCount >= start.rows || bytesStored >= Self.bytesMax {
            result.next = Start(position: position, rows: nextRows(bytesRead / max(rows.rowCount, 1)))
        }
        try store(changes, on: connection, &result)
        return result
    }

    /// What finds the documents.
    var searchText: String { plan.writeStatement.text }

    private var plan: ScanPlan {
        var plan = ScanPlan(collection, order: .insertion(descending: false))
        plan.narrow(by: operation.filter)
        switch access {
        case .undecided, .collection: break
        case .keys(let keys): plan.among = [keys]
        case .text(let keys): plan.among = [keys]
        case .union(let scans), .textUnion(let scans): plan.among = scans
        case .nothing: plan.points = []
        }
        plan.after = start.position
        plan.rowLimit = start.rows
        return plan
    }

    /// As many rows as make up ``bytesMax``, growing at most fourfold at once.
    private func nextRows(_ rowBytes: Int) -> Int {
        max(1, min(Self.bytesMax / max(rowBytes, 1), start.rows * 4, Self.rowsMax))
    }

    private func apply(_ row: Int, of rows: borrowing StatementResult, _ result: inout Result) -> Change? {
        guard let keyBytes = rows.bytes(row: row, column: 1), let version = rows.uint32(row: row, column: 2),
            let document = rows.bytes(row: row, column: 3).flatMap(RawDocument.init)
        else { return nil }
        let key = ByteBuffer(bytes: keyBytes)
        do throws(StorageError) {
            let change = try change(of: document, key, version)
            if let change, change.statement == nil { result.tally.matched += 1 }
            return change?.statement == nil ? nil : change
        } catch {
            switch error {
            case .command(let refusal): result.error = refusal
            case .newFacts(let facts):
                result.newFacts.merge(facts) { $0.union($1) }
                result.lostKeys.append(key)
            case .postgres: break
            }
            return nil
        }
    }

    /// Nil when the document does not match.
    private func change(
        of document: RawDocument, _ key: ByteBuffer, _ version: UInt32
    ) throws(StorageError) -> Change? {
        let effect: DocumentOperation.Effect
        do throws(CommandError) {
            guard try operation.filter.matches(document) else { return nil }
            effect = try operation.apply(to: document, in: collection).0
        } catch { throw .command(error) }
        switch effect {
        case .unchanged: return Change(key: key, document: nil, statement: nil)
        case .store(let updated):
            let keys = try updated.withRaw { raw throws(StorageError) in
                try KeyChanges(from: document, to: raw, in: collection)
            }
            return Change(
                key: key, document: updated,
                statement: collection.sql.update.statement(
                    [.bytea(key), .bytea(updated.buffer), .xid(version)], changing: keys))
        case .remove:
            let keys = try KeyChanges(from: document, to: nil, in: collection)
            return Change(
                key: key, document: nil,
                statement: collection.sql.delete.statement([.bytea(key), .xid(version)], changing: keys))
        }
    }

    private func store(
        _ changes: [Change], on connection: Connection, _ result: inout Result
    ) throws(PostgresError) {
        guard !changes.isEmpty else { return }
        let changes = changes.sorted { compare($0.key, $1.key) < 0 }
        for change in changes { change.statement.map(connection.enqueue) }
        connection.enqueueSync()
        var stored: Int64 = 0
        var lost: [ByteBuffer] = []
        do throws(PostgresError) {
            for change in changes {
                if try connection.next().affectedRows > 0 { stored += 1 } else { lost.append(change.key) }
            }
            try connection.nextSync()
        } catch {
            // A client's transaction holds one of the rows, or a unique index refuses a key: the lanes know how to wait
            // for the one, and find out which document it is.
            let isForLanes = error.state == .lockNotAvailable || collection.violatedIndex(error) != nil
            guard isForLanes, !connection.isTransactionOpen, connection.restoreIdle() else { throw error }
            (stored, lost) = (0, changes.map(\.key))
        }
        result.tally.matched += stored
        result.tally.modified += stored
        result.lostKeys += lost
    }
}
