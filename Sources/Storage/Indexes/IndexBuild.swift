internal import BSON
internal import CommandModel
internal import NIOCore
internal import Postgres
internal import Query
internal import SQL

/// Fills the tables of keys of new indexes within the transaction that makes them: nobody writes the collection
/// meanwhile, so this is for collections with few documents. The others have ``IndexBuilder``. The keys come before the
/// constraint, so that PostgreSQL builds its index by sorting.
struct IndexBuild {
    /// From so many keys on plans want to know more of them; PostgreSQL would find it out some time later.
    static let analyzedMin = 1_000
    private static let chunkRowsMax = 2_000
    private static let chunkBytes = 8 * 1024 * 1024

    private let indexes: [SecondaryIndex]
    private let collection: Collection
    /// Of the documents.
    private let table: String

    init(of indexes: [SecondaryIndex], for collection: Collection, table: String) {
        self.indexes = indexes
        self.collection = collection
        self.table = table
    }

    /// - Throws: what the keys of a document refuse; DuplicateKey (11000).
    func run(knowsAllFacts: Bool, on connection: Connection) throws(StorageError) {
        var facts = [IndexFacts](repeating: knowsAllFacts ? .all : IndexFacts(), count: indexes.count)
        var (after, rows): (Int64?, Int) = (nil, 64)
        var count = 0
        while true {
            let chunk = try CatalogSQL.execute(
                "SELECT rid, id, doc FROM \(table) WHERE rid > $1 ORDER BY rid LIMIT $2",
                [.int8(after ?? .min), .int8(Int64(rows))], on: connection)
            for statement in try Self.insertions(of: chunk, into: indexes, of: collection, &facts) {
                _ = try CatalogSQL.execute(statement.text, statement.parameters, on: connection)
            }
            count += chunk.rowCount
            guard chunk.rowCount == rows, let last = chunk.int8(row: chunk.rowCount - 1, column: 0) else { break }
            (after, rows) = (last, Self.rows(after: chunk))
        }
        for (index, facts) in zip(indexes, facts) {
            try finish(index, facts, on: connection)
            if count >= Self.analyzedMin { try index.analyze(on: connection) }
        }
    }

    /// How many rows to read after these.
    static func rows(after chunk: borrowing StatementResult) -> Int {
        var bytes = 0
        let sample = min(chunk.rowCount, 16)
        for row in 0..<sample { bytes += chunk.bytes(row: row, column: 2)?.count ?? 0 }
        return max(1, min(chunkRowsMax, chunkBytes / max(1, bytes / max(1, sample))))
    }

    /// What stores the keys of documents, rows of rid, id and document.
    ///
    /// - Parameter facts: of the indexes; get those that the documents bring.
    static func insertions(
        of chunk: borrowing StatementResult, into indexes: [SecondaryIndex], of collection: Collection,
        _ facts: inout [IndexFacts]
    ) throws(StorageError) -> [Statement] {
        var changes: [KeyChanges] = []
        var ids: [ByteBuffer] = []
        for row in 0..<chunk.rowCount {
            guard let id = chunk.bytes(row: row, column: 1),
                let document = chunk.bytes(row: row, column: 2).flatMap(RawDocument.init)
            else {
                throw .command(
                    CommandError(.invalidBSON, "a stored document of \(collection.namespace) is damaged"))
            }
            ids.append(ByteBuffer(bytes: id))
            changes.append(try KeyChanges(addingTo: indexes, document, &facts))
        }
        return KeyRows(of: changes, ids, ids.indices).insertions
    }

    private func finish(
        _ index: SecondaryIndex, _ facts: IndexFacts, on connection: Connection
    ) throws(StorageError) {
        let definition = index.definition
        do throws(StorageError) {
            _ = try CatalogSQL.execute(
                "SELECT martlet.finish_index($1, $2, $3, $4, $5)",
                [.int8(index.number), .bool(definition.isUnique), .bool(collection.losesDocumentsBySQL)]
                    + facts.parameters, on: connection)
        } catch {
            guard case .postgres(let refusal) = error, refusal.category == .duplicateKey else { throw error }
            throw .command(
                .duplicateKey(
                    in: collection.namespace, index: definition.name, pattern: definition.keyPattern, values: nil))
        }
    }
}

extension SecondaryIndex {
    /// Lets PostgreSQL find out how its keys are distributed.
    func analyze(on connection: Connection) throws(StorageError) {
        _ = try CatalogSQL.execute("ANALYZE \(table) (key)", [], on: connection)
    }
}

extension Collection {
    /// Whether documents go in other ways than by the writes of clients: the oldest of a capped collection, those
    /// that have expired.
    var losesDocumentsBySQL: Bool { isCapped || isNaturallyOrderedByKey }
}
