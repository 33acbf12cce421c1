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

    private let documents: [Document]
    private let keys: [ByteBuffer]
    private let collection: Collection
    private let isOrdered: Bool

    init(_ documents: [Document], into collection: Collection, isOrdered: Bool) {
        self.documents = documents
        self.collection = collection
        self.isOrdered = isOrdered
        keys = documents.map { document in document.withRaw { DocumentKey.ofDocument($0) } }
    }

    /// - Returns: the positions of the duplicates, ascending; when ordered only the first.
    func run(on connection: Connection) throws(PostgresError) -> [Int] {
        let chunks = chunks()
        for chunk in chunks {
            connection.enqueue(
                Statement(
                    collection.sql.insertMany,
                    [.byteaArray(Array(keys[chunk])), .byteaArray(documents[chunk].map(\.buffer))]))
        }
        if !isOrdered { connection.enqueueSync() }
        var refused: [Int] = []
        for chunk in chunks { refused += Self.missing(in: try connection.next(), of: keys, chunk) }
        if isOrdered {
            if let first = refused.first { try undo(after: first, refused, on: connection) }
            connection.enqueueSync()
        }
        try connection.nextSync()
        return isOrdered ? Array(refused.prefix(1)) : refused
    }

    private func undo(after first: Int, _ refused: [Int], on connection: Connection) throws(PostgresError) {
        let refused = Set(refused)
        let written = ((first + 1)..<documents.count).filter { !refused.contains($0) }.map { keys[$0] }
        guard !written.isEmpty else { return }
        connection.enqueue(Statement(collection.sql.deleteMany, [.byteaArray(written)]))
        _ = try connection.next()
    }

    private func chunks() -> [Range<Int>] {
        var chunks: [Range<Int>] = []
        var start = 0
        var bytes = 0
        for (index, document) in documents.enumerated() {
            let isFull = index - start >= Self.chunkRowsMax || bytes + document.count > Self.chunkBytesMax
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
