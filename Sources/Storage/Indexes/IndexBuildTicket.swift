internal import CommandModel
internal import NIOCore
internal import Postgres
internal import SQL

/// A row of `martlet.index_builds`, and the right to work on it.
struct IndexBuildTicket: Sendable {
    let number: Int64
    let token: Int64
    /// Of the collection.
    let uuid: [UInt8]
    let indexes: [Int64]
    let position: Int64?
    let total: Int64
    /// How many of the tables of keys have their constraints.
    let constrained: Int

    /// After this a builder counts as dead.
    static let patienceSeconds: Int64 = 30

    /// The columns of ``init(row:of:)`` that are read from the table.
    private static let columns = "number, token, uuid, array_to_string(indexes, ','), position, total"

    private init?(row: Int, of rows: borrowing StatementResult, on connection: Connection) throws(StorageError) {
        guard let number = rows.int8(row: row, column: 0), let token = rows.int8(row: row, column: 1),
            let uuid = rows.bytes(row: row, column: 2).map(Array.init), let list = rows.text(row: row, column: 3)
        else { return nil }
        self.number = number
        self.token = token
        self.uuid = uuid
        indexes = list.split(separator: ",").compactMap { Int64($0) }
        position = rows.int8(row: row, column: 4)
        total = rows.int8(row: row, column: 5) ?? 0
        var constrained = 0
        for index in indexes {
            let found = try CatalogSQL.execute(
                "SELECT to_regclass($1) IS NOT NULL", [.text("martlet.keys_\(index)_key")], on: connection)
            guard found.bool(row: 0, column: 0) == true else { break }
            constrained += 1
        }
        self.constrained = constrained
    }

    /// Begins to build indexes that are in the catalog.
    static func begin(
        _ indexes: [SecondaryIndex], of collection: Int64, on connection: Connection
    ) throws(StorageError) -> IndexBuildTicket? {
        let build = try CatalogSQL.execute(
            "SELECT martlet.begin_index_build($1, $2)",
            [.int8(collection), .int8Array(indexes.map(\.number))], on: connection
        ).int8(row: 0, column: 0)
        let row = try CatalogSQL.execute(
            "SELECT \(columns) FROM martlet.index_builds WHERE number = $1", [.int8(build ?? -1)], on: connection)
        return try IndexBuildTicket(row: 0, of: row, on: connection)
    }

    /// Takes a build over whose builder is dead.
    ///
    /// - Parameter lease: entitles to that; nil in tests.
    static func takeOver(
        under lease: LeaseToken?, patienceSeconds: Int64 = patienceSeconds, on connection: Connection
    ) throws(StorageError) -> IndexBuildTicket? {
        if let lease {
            _ = try CatalogSQL.execute(
                "SELECT martlet.check_lease($1, $2)", [.text(lease.name), .int8(lease.number)], on: connection)
        }
        // A builder within a transaction of its own holds the row, and is not dead.
        let row = try CatalogSQL.execute(
            """
            UPDATE martlet.index_builds SET token = token + 1, heartbeat_at = clock_timestamp() \
            WHERE number = (SELECT number FROM martlet.index_builds \
            WHERE heartbeat_at <= clock_timestamp() - $1 * interval '1 second' \
            ORDER BY heartbeat_at LIMIT 1 FOR UPDATE SKIP LOCKED) RETURNING \(columns)
            """, [.int8(patienceSeconds)], on: connection)
        guard row.rowCount > 0 else { return nil }
        return try IndexBuildTicket(row: 0, of: row, on: connection)
    }
}

extension IndexBuildTicket {
    /// The state of the token: `martlet.touch_index_build`.
    static let moved = SQLState("MT003")

    /// Proves that the build is ours until the transaction ends, and that we are alive.
    func touch(on connection: Connection) throws(StorageError) {
        _ = try CatalogSQL.execute(
            "SELECT martlet.touch_index_build($1, $2)", [.int8(number), .int8(token)], on: connection)
    }

    func noteProgress(upTo position: Int64, rows: Int, on connection: Connection) throws(StorageError) {
        _ = try CatalogSQL.execute(
            "UPDATE martlet.index_builds SET position = $2, done = done + $3 WHERE number = $1",
            [.int8(number), .int8(position), .int8(Int64(rows))], on: connection)
    }

    /// Takes documents out of the log: their ids, once each.
    func takeLogged(limit: Int, on connection: Connection) throws(StorageError) -> (ids: [ByteBuffer], isFull: Bool) {
        let rows = try CatalogSQL.execute(
            """
            DELETE FROM martlet.build_\(number) WHERE ctid = ANY (ARRAY(\
            SELECT ctid FROM martlet.build_\(number) LIMIT $1)) RETURNING id
            """, [.int8(Int64(limit))], on: connection)
        var ids: Set<ByteBuffer> = []
        for row in 0..<rows.rowCount {
            if let id = rows.bytes(row: row, column: 0) { ids.insert(ByteBuffer(bytes: id)) }
        }
        return (Array(ids), rows.rowCount >= limit)
    }

    /// Removes the build; its indexes are ready, or gone.
    func end(on connection: Connection) throws(StorageError) {
        _ = try CatalogSQL.execute("SELECT martlet.end_index_build($1)", [.int8(number)], on: connection)
    }
}
