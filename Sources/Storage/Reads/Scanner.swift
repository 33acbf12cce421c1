internal import BSON
internal import CommandModel
internal import NIOCore
internal import Postgres
internal import SQL

/// Streams the rows of a ``ScanPlan`` through a visitor, on a database thread.
///
/// Rows come by `FETCH` from an SQL cursor, two fetches in flight: PostgreSQL produces the next rows while these are
/// matched. Compared with single-row mode this costs one result object per fetch instead of one per row, and a reader
/// that has enough just stops, without a cancel request. The size of a fetch follows the size of the documents, so
/// that neither many small nor few huge ones make trouble.
///
/// Within an open transaction the cursor is one of that transaction's, closed at the end; else it has a read-only
/// transaction for itself.
struct Scanner {
    static let fetchBytes = 512 * 1024
    static let firstFetchRows = 64
    static let fetchRowsMax = 4_096
    /// Up to this limit a plain `SELECT … LIMIT` is one statement instead of four.
    static let plainSelectRowsMax = 256

    /// What is larger does not come with the rows, but by itself when it is its turn: or rows of few bytes and then
    /// some of many would fill the memory, since how many rows are asked for at once goes by those before.
    static let documentBytesMax = 64 * 1024

    /// A filter may take milliseconds for a row, so that a fetch is too long to wait for.
    static let rowsBetweenChecks = 64

    struct Row {
        let document: RawDocument
        fileprivate let first: UnsafeRawBufferPointer
        fileprivate let isByID: Bool
        fileprivate let third: UnsafeRawBufferPointer?
        /// Of rows that were found by secondary keys.
        fileprivate let indexedID: UnsafeRawBufferPointer?
        /// Of the terms that a `$text` found in the document; nil where the scan does not read them.
        let scores: UnsafeRawBufferPointer?

        /// In scans by a secondary index.
        var indexKey: UnsafeRawBufferPointer { first }

        /// The column `id`, where the scan reads it.
        var id: ByteBuffer? { (indexedID ?? (isByID ? first : nil)).map { ByteBuffer(bytes: $0) } }

        /// In scans in the order of `_id` only when the plan asks for it.
        var rid: Int64 { Scanner.int8(third ?? first) }
    }

    /// Where a cursor stands after a row, in memory that is used again for the row after it.
    struct Mark {
        private enum Kind {
            case none, rid, key, index
        }

        private var kind = Kind.none
        private var rid: Int64 = 0
        private var key: [UInt8] = []
        private var id: [UInt8] = []

        @inline(__always)
        mutating func note(_ row: borrowing Row) {
            if row.indexedID == nil, !row.isByID {
                (kind, rid) = (.rid, row.rid)
                return
            }
            key.removeAll(keepingCapacity: true)
            key.append(contentsOf: row.first)
            kind = .key
            guard let indexedID = row.indexedID else { return }
            id.removeAll(keepingCapacity: true)
            id.append(contentsOf: indexedID)
            kind = .index
        }

        /// Nil before the first row.
        var position: ScanPlan.Position? {
            switch kind {
            case .none: nil
            case .rid: .rid(rid)
            case .key: .key(ByteBuffer(bytes: key))
            case .index: .index(KeyScan.Position(key: ByteBuffer(bytes: key), id: ByteBuffer(bytes: id)))
            }
        }
    }

    private let connection: Connection
    private let deadline: Deadline

    init(on connection: Connection, deadline: Deadline) {
        self.connection = connection
        self.deadline = deadline
    }

    /// Calls `visit` for each row until it gives false.
    ///
    /// - Returns: whether all rows were visited.
    func forEachRow(
        of plan: ScanPlan, _ visit: (borrowing Row) throws(StorageError) -> Bool
    ) throws(StorageError) -> Bool {
        plan.noteUse()
        deadline.note(sql: plan.statement.text)
        do throws(StorageError) {
            if let limit = plan.rowLimit, limit <= Self.plainSelectRowsMax {
                return try selectRows(of: plan, visit)
            }
            return try fetchRows(of: plan, visit)
        } catch {
            _ = connection.restoreIdle(keepingTransaction: connection.isTransactionOpen)
            throw error
        }
    }

    private func selectRows(
        of plan: ScanPlan, _ visit: (borrowing Row) throws(StorageError) -> Bool
    ) throws(StorageError) -> Bool {
        connection.enqueue(plan.statement.commented(deadline.comment))
        connection.enqueueSync()
        let result = try receive()
        try receiveSync()
        func readLarge(_ statement: Statement) throws(StorageError) -> StatementResult? {
            do throws(PostgresError) { return try connection.execute(statement) } catch { throw .postgres(error) }
        }
        return try Self.visitRows(of: result, plan, deadline, large: readLarge, visit)
    }

    private func fetchRows(
        of plan: ScanPlan, _ visit: (borrowing Row) throws(StorageError) -> Bool
    ) throws(StorageError) -> Bool {
        let opening = enqueueDeclare(plan.statement)
        enqueueFetch(Self.firstFetchRows)
        enqueueFetch(Self.firstFetchRows)
        for _ in 0..<opening { _ = try receive() }
        let isComplete: Bool
        var ahead: StatementResult?
        do throws(StorageError) {
            isComplete = try visitFetched(of: plan, &ahead, visit)
        } catch {
            if case .command = error { closeAfterFailure() }
            throw error
        }
        connection.enqueue(Statement(connection.isTransactionOpen ? "CLOSE scan" : "COMMIT"))
        connection.enqueueSync()
        // One fetch is still in flight, and then the end of the cursor.
        if ahead == nil { _ = try receive() }
        _ = try receive()
        try receiveSync()
        return isComplete
    }

    /// - Returns: how many results come before those of the fetches.
    private func enqueueDeclare(_ statement: Statement) -> Int {
        let isInTransaction = connection.isTransactionOpen
        if !isInTransaction { connection.enqueue(Statement("BEGIN READ ONLY")) }
        var declaration = Statement("DECLARE scan NO SCROLL CURSOR FOR " + statement.text, statement.parameters)
        let comment = deadline.comment
        // What is planned at each execution is hardly worth a name.
        if let comment, comment.isClients { declaration.preparation = .once }
        connection.enqueue(declaration.commented(comment))
        return isInTransaction ? 1 : 2
    }

    /// The visitor refused a row. A transaction that goes on must not keep the cursor.
    private func closeAfterFailure() {
        guard connection.isTransactionOpen, connection.restoreIdle(keepingTransaction: true) else { return }
        // When this fails, the transaction has failed, and says so to its next statement.
        _ = try? connection.execute(Statement("CLOSE scan"))
    }

    /// - Parameter ahead: the result of the fetch in flight, where it had to be received before its turn.
    private func visitFetched(
        of plan: ScanPlan, _ ahead: inout StatementResult?, _ visit: (borrowing Row) throws(StorageError) -> Bool
    ) throws(StorageError) -> Bool {
        func readLarge(_ statement: Statement) throws(StorageError) -> StatementResult? {
            connection.enqueue(statement)
            if ahead == nil { ahead = try receive() }
            return try receive()
        }
        var fetchRows = Self.firstFetchRows
        var isDrained = false
        while !isDrained {
            let result = if let next = ahead.take() { next } else { try receive() }
            isDrained = result.rowCount == 0
            guard try Self.visitRows(of: result, plan, deadline, large: readLarge, visit) else { return false }
            try deadline.check()
            if !isDrained {
                fetchRows = Self.nextFetchRows(after: result, current: fetchRows)
                enqueueFetch(fetchRows)
            }
        }
        return true
    }

    private func enqueueFetch(_ rows: Int) {
        connection.enqueue(.once("FETCH \(rows) FROM scan"))
    }

    /// As many rows as make up ``fetchBytes``, growing at most fourfold at once.
    private static func nextFetchRows(after result: borrowing StatementResult, current: Int) -> Int {
        var bytes = 0
        let sample = min(result.rowCount, 16)
        guard sample > 0 else { return current }
        for row in 0..<sample { bytes += result.bytes(row: row, column: 1)?.count ?? 0 }
        let fitting = fetchBytes / max(bytes / sample, 1)
        return max(1, min(fitting, current * 4, fetchRowsMax))
    }

    private func receive() throws(StorageError) -> StatementResult {
        do throws(PostgresError) { return try connection.next() } catch { throw .postgres(error) }
    }

    private func receiveSync() throws(StorageError) {
        do throws(PostgresError) { try connection.nextSync() } catch { throw .postgres(error) }
    }
}

// Rows that are here.
extension Scanner {
    /// Calls `visit` for each row of a result until it gives false.
    ///
    /// - Returns: whether all rows were visited.
    ///
    /// - Parameter large: reads a document that did not come with the rows; gives nil where it cannot: such a document
    ///   is then the end of the rows.
    static func visitRows(
        of result: StatementResult, _ plan: ScanPlan, _ deadline: Deadline,
        large readLarge: (Statement) throws(StorageError) -> StatementResult?,
        _ visit: (borrowing Row) throws(StorageError) -> Bool
    ) throws(StorageError) -> Bool {
        let isByID = plan.keys == nil && plan.order.isByID
        let hasThird = plan.keys != nil || isByID && plan.showsRID
        // Of most indexes a document has one key.
        let mayRepeat = plan.keys?.index.mayRepeatDocuments == true || !plan.earlier.isEmpty
        plan.counters?.examine(result.rowCount)
        plan.collection.usage.examine(result.rowCount, byKeys: plan.keys != nil)
        for row in 0..<result.rowCount {
            if row % Self.rowsBetweenChecks == Self.rowsBetweenChecks - 1 { try deadline.check() }
            guard let first = result.bytes(row: row, column: 0) else { continue }
            let third = hasThird ? result.bytes(row: row, column: 2) : nil
            let indexedID = plan.keys == nil ? nil : result.bytes(row: row, column: 3)
            var large: StatementResult?
            if result.isNull(row: row, column: 1) {
                let sql = plan.collection.sql
                let key = Parameter.bytea(ByteBuffer(bytes: indexedID ?? first))
                let isKey = indexedID != nil || isByID
                let statement = Statement(isKey ? sql.read : sql.readByRecordID, [isKey ? key : .int8(int8(first))])
                guard let found = try readLarge(statement) else { return false }
                // It was deleted meanwhile.
                if found.rowCount == 0 { continue }
                large = found
            }
            guard let bytes = large?.bytes(row: 0, column: 1) ?? result.bytes(row: row, column: 1),
                let document = RawDocument(bytes)
            else {
                throw .command(
                    CommandError(.invalidBSON, "a stored document of \(plan.collection.namespace) is damaged"))
            }
            defer { withExtendedLifetime(large) {} }
            if mayRepeat, let keys = plan.keys, try !isFirst(keys, first, document, plan.earlier) { continue }
            let scores = plan.scored == nil ? nil : result.bytes(row: row, column: hasThird ? 3 : 2)
            let found = Row(
                document: document, first: first, isByID: isByID, third: third, indexedID: indexedID, scores: scores)
            if try !visit(found) { return false }
        }
        return true
    }

    private static func int8(_ bytes: UnsafeRawBufferPointer) -> Int64 {
        bytes.count == 8 ? Int64(bigEndian: bytes.loadUnaligned(as: Int64.self)) : 0
    }

    private static func isFirst(
        _ keys: KeyScan, _ key: UnsafeRawBufferPointer, _ document: RawDocument, _ earlier: [KeyScan]
    ) throws(StorageError) -> Bool {
        do throws(CommandError) {
            for scan in earlier where try scan.meets(document) { return false }
            return try keys.isFirst(key, of: document)
        } catch { throw .command(error) }
    }
}

/// Where the rows of a plan come from.
enum RowSource {
    case connection(Connection)
    /// They were read before.
    case result(StatementResult)

    func forEachRow(
        of plan: ScanPlan, _ deadline: Deadline, _ visit: (borrowing Scanner.Row) throws(StorageError) -> Bool
    ) throws(StorageError) -> Bool {
        switch self {
        case .connection(let connection):
            return try Scanner(on: connection, deadline: deadline).forEachRow(of: plan, visit)
        case .result(let result):
            plan.noteUse()
            return try Scanner.visitRows(of: result, plan, deadline, large: { _ in nil }, visit)
        }
    }
}
