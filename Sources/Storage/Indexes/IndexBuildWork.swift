internal import BSON
internal import CommandModel
internal import NIOCore
internal import Postgres
internal import Query
internal import SQL

/// A step of ``IndexBuilder`` within its transaction.
struct IndexBuildWork {
    /// Documents taken from the log at once. Each time costs a walk over the tables of keys while they have no index.
    static let loggedMax = 50_000
    private static let reloadedMax = 1_000

    struct Loaded: Sendable {
        let namespace: Namespace
        let count: Int
        /// nil when there are no more documents.
        let last: Int64?
        let nextRows: Int
    }

    private let ticket: IndexBuildTicket
    private let collection: Collection
    private let indexes: [SecondaryIndex]

    /// - Throws: IndexBuildAborted (276) when the collection or an index is gone; `IndexBuildTicket.moved`.
    init(_ ticket: IndexBuildTicket, on connection: Connection) throws(StorageError) {
        try ticket.touch(on: connection)
        guard let collection = try CatalogSQL.find(uuid: ticket.uuid, on: connection) else {
            throw .command(.indexBuildAborted("its collection was dropped"))
        }
        let present: [SecondaryIndex]
        do throws(CommandError) { present = try collection.indexes.get() } catch { throw .command(error) }
        let indexes = present.filter { ticket.indexes.contains($0.number) }
        guard indexes.count == ticket.indexes.count else {
            throw .command(.indexBuildAborted("an index of it was dropped from \(collection.namespace)"))
        }
        self.ticket = ticket
        self.collection = collection
        self.indexes = indexes
    }

    /// Stores the keys of the next documents.
    func load(after position: Int64?, rows: Int, on connection: Connection) throws(StorageError) -> Loaded {
        let chunk = try CatalogSQL.execute(
            "SELECT rid, id, doc FROM \(collection.sql.table) WHERE rid > $1 ORDER BY rid LIMIT $2",
            [.int8(position ?? .min), .int8(Int64(rows))], on: connection)
        try store(chunk, on: connection)
        let last = chunk.rowCount > 0 ? chunk.int8(row: chunk.rowCount - 1, column: 0) : nil
        if let last { try ticket.noteProgress(upTo: last, rows: chunk.rowCount, on: connection) }
        return Loaded(
            namespace: collection.namespace, count: chunk.rowCount, last: chunk.rowCount == rows ? last : nil,
            nextRows: IndexBuild.rows(after: chunk))
    }

    /// Makes the keys of logged documents anew.
    ///
    /// - Returns: whether there may be more of them.
    /// - Throws: DuplicateKey (11000).
    func drain(limit: Int = loggedMax, on connection: Connection) throws(StorageError) -> Bool {
        let (ids, isFull) = try ticket.takeLogged(limit: limit, on: connection)
        guard !ids.isEmpty else { return false }
        // All go before the first comes back: a key may have moved from one document to another.
        for index in indexes {
            _ = try CatalogSQL.execute(
                "DELETE FROM \(index.table) WHERE id = ANY ($1)", [.byteaArray(ids)], on: connection)
        }
        for start in stride(from: 0, to: ids.count, by: Self.reloadedMax) {
            let some = Array(ids[start..<min(start + Self.reloadedMax, ids.count)])
            let chunk = try CatalogSQL.execute(
                "SELECT rid, id, doc FROM \(collection.sql.table) WHERE id = ANY ($1)", [.byteaArray(some)],
                on: connection)
            try store(chunk, on: connection)
        }
        return isFull
    }

    /// Gives a table of keys its constraint.
    func constrain(_ place: Int, on connection: Connection) throws(StorageError) {
        guard let index = index(at: place) else { return }
        _ = try CatalogSQL.execute(
            "SELECT martlet.prepare_index($1, $2, $3)",
            [.int8(index.number), .bool(index.definition.isUnique), .bool(collection.losesDocumentsBySQL)],
            on: connection)
    }

    /// The last transaction: nobody else is in the table of the documents until it ends.
    func finish(on connection: Connection) throws(StorageError) {
        let number = try CatalogSQL.execute(
            "SELECT martlet.renumber_collection($1)", [.int8(collection.number)], on: connection
        ).int8(row: 0, column: 0)
        guard number != nil, let present = try CatalogSQL.find(uuid: ticket.uuid, on: connection) else {
            throw .postgres(PostgresError(.server, "the collection was renumbered", state: .undefinedTable))
        }
        _ = try IndexBuildWork(self, present).drain(limit: .max, on: connection)
        for index in ticket.indexes {
            _ = try CatalogSQL.execute(
                "SELECT martlet.open_index($1, $2)", [.int8(index), .bool(collection.losesDocumentsBySQL)],
                on: connection)
        }
        for index in indexes where index.definition.preparesUnique {
            try CatalogSQL.refuseDuplicates(true, in: index.number, on: connection)
        }
        try ticket.end(on: connection)
    }

    private init(_ other: IndexBuildWork, _ collection: Collection) {
        ticket = other.ticket
        indexes = other.indexes
        self.collection = collection
    }

    private func index(at place: Int) -> SecondaryIndex? {
        guard ticket.indexes.indices.contains(place) else { return nil }
        return indexes.first { $0.number == ticket.indexes[place] }
    }
}

// Storing keys.
extension IndexBuildWork {
    private func store(_ chunk: borrowing StatementResult, on connection: Connection) throws(StorageError) {
        let known = indexes.map(\.facts)
        var facts = known
        let statements = try IndexBuild.insertions(of: chunk, into: indexes, of: collection, &facts)
        for (place, index) in indexes.enumerated() where facts[place] != known[place] {
            _ = try CatalogSQL.execute(
                """
                UPDATE martlet.indexes SET multikey_fields = multikey_fields | $2, has_cut_keys = has_cut_keys OR $3 \
                WHERE number = $1
                """, [.int8(index.number)] + facts[place].parameters, on: connection)
        }
        for statement in statements {
            do throws(StorageError) {
                _ = try CatalogSQL.execute(statement.text, statement.parameters, on: connection)
            } catch {
                guard case .postgres(let refusal) = error, let found = collection.violatedIndex(refusal) else {
                    throw error
                }
                throw .command(violation(of: found.0, by: found.key, in: chunk))
            }
        }
    }

    private func violation(
        of index: SecondaryIndex, by key: ByteBuffer?, in chunk: borrowing StatementResult
    ) -> CommandError {
        for row in 0..<chunk.rowCount {
            guard let key, let document = chunk.bytes(row: row, column: 2).flatMap(RawDocument.init),
                (try? index.definition.keys(of: document).keys.contains(key)) == true
            else { continue }
            return collection.duplicateKey(key, in: index, storing: Document(copying: document))
        }
        return collection.duplicateKey(nil, in: index, storing: nil)
    }

    /// What a constraint that was refused means for the client.
    ///
    /// - Returns: final when nothing is logged that could take it back.
    func explain(
        _ refusal: PostgresError, on connection: Connection
    ) throws(StorageError) -> (error: CommandError, isFinal: Bool) {
        guard let (index, key) = collection.violatedIndex(refusal) else { throw .postgres(refusal) }
        let documents = try CatalogSQL.execute(
            """
            SELECT d.doc FROM \(index.table) k JOIN \(collection.sql.table) d USING (id) WHERE k.key = $1 \
            ORDER BY d.rid DESC LIMIT 1
            """, [key.map { .bytea($0) } ?? .null(.bytea)], on: connection)
        var document: Document?
        if documents.rowCount > 0 {
            document = documents.bytes(row: 0, column: 0).flatMap(RawDocument.init).map(Document.init(copying:))
        }
        let log = try CatalogSQL.execute(
            "SELECT EXISTS (SELECT FROM martlet.build_\(ticket.number))", [], on: connection)
        return (collection.duplicateKey(key, in: index, storing: document), log.bool(row: 0, column: 0) == false)
    }
}

extension CommandError {
    static func indexBuildAborted(_ reason: String) -> CommandError {
        CommandError(ErrorCode(276, "IndexBuildAborted"), "the index build was aborted: \(reason)")
    }
}

extension CatalogSQL {
    static func find(uuid: [UInt8], on connection: Connection) throws(StorageError) -> Collection? {
        let rows = try execute(
            """
            SELECT number, uuid, options, martlet.indexes_of(number), database, name FROM martlet.collections \
            WHERE uuid = encode($1, 'hex')::uuid
            """, [.bytes(uuid)], on: connection)
        guard rows.rowCount > 0, let database = rows.text(row: 0, column: 4), let name = rows.text(row: 0, column: 5)
        else { return nil }
        return try collection(
            Namespace(database: database, collection: name), in: rows, row: 0, columns: (0, 1, 2, 3))
    }
}
