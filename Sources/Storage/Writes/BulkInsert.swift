internal import BSON
internal import NIOCore
internal import Postgres
internal import SQL

/// Inserts many documents in one transaction by `unnest`, a chunk per statement, all statements in one pipeline.
///
/// `ON CONFLICT DO NOTHING` makes a duplicate a missing row instead of an error, so one bad document does not undo the
/// others. An ordered insert must stop at its first error, and rows behind it are already written then: they are
/// deleted again before the commit, where nobody has seen them.
struct BulkInsert {
    static let chunkRowsMax = 1_000
    static let chunkBytesMax = 4 * 1024 * 1024

    let documents: [Document]
    let keys: [ByteBuffer]
    /// Of the documents in the secondary indexes; empty when there are none.
    let indexKeys: [KeyChanges]
    let collection: Collection
    let isOrdered: Bool
    private let claim: Claim?

    /// The claim of a command for all its documents that are not stored yet.
    struct Claim: Sendable {
        private let claim: StatementClaim
        /// The numbers of the documents, ascending.
        private let statements: [Int32]

        init(_ claim: StatementClaim, statements: [Int32]) {
            self.claim = claim
            self.statements = statements
        }

        /// The claim for some of the documents.
        func limited(to positions: [Int]) -> Claim { Claim(claim, statements: positions.map { statements[$0] }) }

        /// What is to be recorded when the first `count` documents are stored but the refused ones; nil for nothing.
        func result(storing count: Int, but refused: [Int]) -> ClaimedResult? {
            let refused = Set(refused)
            var runs: [Range<Int32>] = []
            for position in 0..<count where !refused.contains(position) {
                let statement = statements[position]
                if let last = runs.last, last.upperBound == statement {
                    runs[runs.count - 1] = last.lowerBound..<statement &+ 1
                } else {
                    runs.append(statement..<statement &+ 1)
                }
            }
            if runs.isEmpty { return nil }
            return ClaimedResult(claim, runs.map { .inserts(first: $0.lowerBound, count: Int32($0.count)) })
        }
    }

    init(_ checked: CheckedDocuments, into collection: Collection, isOrdered: Bool, claim: Claim? = nil) {
        documents = checked.documents
        indexKeys = checked.keys
        self.collection = collection
        self.isOrdered = isOrdered
        self.claim = claim
        keys = documents.map { collection.insertKey(of: $0) }
    }

    /// The same for some of the documents.
    init(_ whole: BulkInsert, only positions: [Int]) {
        documents = positions.map { whole.documents[$0] }
        keys = positions.map { whole.keys[$0] }
        indexKeys = whole.indexKeys.isEmpty ? [] : positions.map { whole.indexKeys[$0] }
        collection = whole.collection
        isOrdered = whole.isOrdered
        claim = whole.claim?.limited(to: positions)
    }

    var isEmpty: Bool { documents.isEmpty }

    /// - Returns: the positions of the documents whose `_id` is there already, ascending; when ordered only the first.
    /// - Throws: also a violation of another unique index, which has undone everything.
    func attempt(on connection: Connection) throws(PostgresError) -> [Int] {
        if isEmpty { return [] }
        // What has to be done behind the inserts depends on their results.
        let isBlind = !isOrdered && claim == nil
        var (refused, sent) = try insertChunks(on: connection, isBlind: isBlind)
        if isOrdered, let first = refused.first {
            try undo(after: first, refused, sent: sent, on: connection)
            refused = [first]
        }
        let stored = isOrdered ? refused.first ?? documents.count : documents.count
        if let result = claim?.result(storing: stored, but: refused) { connection.enqueue([result].statement) }
        if !isBlind { connection.enqueueSync() }
        try connection.nextSync()
        return refused
    }

    /// - Returns: the positions of the documents that are not stored, and how many were sent.
    private func insertChunks(
        on connection: Connection, isBlind: Bool
    ) throws(PostgresError) -> (refused: [Int], sent: Int) {
        var refused: [Int] = []
        let chunks = chunks()
        // What an insert has driven out of a capped collection cannot be taken back: what comes behind a duplicate must
        // not even be sent.
        if collection.isCapped, isOrdered {
            for chunk in chunks {
                connection.enqueue(statement(chunk))
                refused += Self.missing(in: try connection.next(), of: keys, chunk)
                if !refused.isEmpty { return (refused, chunk.upperBound) }
            }
            return ([], documents.count)
        }
        for chunk in chunks { connection.enqueue(statement(chunk)) }
        if isBlind { connection.enqueueSync() }
        for chunk in chunks { refused += Self.missing(in: try connection.next(), of: keys, chunk) }
        return (refused, documents.count)
    }

    private func statement(_ chunk: Range<Int>) -> Statement {
        let rows: [Parameter] = [.byteaArray(Array(keys[chunk])), .byteaArray(documents[chunk].map(\.buffer))]
        guard indexKeys.isEmpty else {
            return KeyRows(of: indexKeys, keys, chunk).inserted(with: rows, into: collection)
        }
        guard collection.isCapped else {
            return Statement(collection.sql.insertMany, rows).commented(StatementComment("insert", collection))
        }
        return Statement(
            "SELECT martlet.insert_capped($1, $2, $3, $4)", [.int8(collection.number)] + rows + [.bool(isOrdered)])
    }

    private func undo(
        after first: Int, _ refused: [Int], sent: Int, on connection: Connection
    ) throws(PostgresError) {
        let refused = Set(refused)
        let written = ((first + 1)..<sent).filter { !refused.contains($0) }.map { keys[$0] }
        guard !written.isEmpty else { return }
        connection.enqueue(Statement(collection.sql.deleteMany, [.byteaArray(written)]))
        _ = try connection.next()
        guard !indexKeys.isEmpty else { return }
        let rows = KeyRows(of: indexKeys, keys, (first + 1)..<sent, but: refused)
        for statement in rows.deletions { connection.enqueue(statement) }
        for _ in rows.deletions { _ = try connection.next() }
    }

    private func chunks() -> [Range<Int>] {
        // Into a capped collection one by one: the keys of a document must be there before it may have to go again.
        let rowsMax = collection.isCapped && !indexKeys.isEmpty ? 1 : Self.chunkRowsMax
        var chunks: [Range<Int>] = []
        var start = 0
        var bytes = 0
        for (index, document) in documents.enumerated() {
            let isFull = index - start >= rowsMax || bytes + document.count > Self.chunkBytesMax
            if isFull, index > start {
                chunks.append(start..<index)
                (start, bytes) = (index, 0)
            }
            bytes += document.count
        }
        if start < documents.count { chunks.append(start..<documents.count) }
        return chunks
    }

    /// The rows come back in the order of the keys, without those that conflicted: a walk over both finds them.
    private static func missing(
        in result: StatementResult, of keys: [ByteBuffer], _ chunk: Range<Int>
    ) -> [Int] {
        if result.rowCount == chunk.count { return [] }
        var missing: [Int] = []
        var row = 0
        for index in chunk {
            if row < result.rowCount, let returned = result.bytes(row: row, column: 0),
                compare(keys[index], returned) == 0
            {
                row += 1
            } else {
                missing.append(index)
            }
        }
        return missing
    }
}
