internal import BSON
internal import CommandModel
internal import NIOCore
internal import Postgres
internal import Query
internal import SQL

// Unique secondary indexes. A violation undoes the whole statement, and PostgreSQL names the first only. So then, and
// only then, it is asked which keys are there, and the documents that have them are left out of the next attempt.
extension BulkInsert {
    /// Attempts among others who insert the same keys.
    private static let attemptsMax = 10

    /// - Returns: the errors by the documents' positions, ascending; when ordered only the first.
    func run(on connection: Connection) throws(PostgresError) -> [(index: Int, error: CommandError)] {
        var refused: [Int: CommandError] = [:]
        for _ in 1..<Self.attemptsMax {
            do throws(PostgresError) {
                return try attempt(without: refused, on: connection)
            } catch {
                guard collection.violatedIndex(error) != nil, connection.restoreIdle() else { throw error }
            }
            refused = try duplicates(on: connection)
        }
        return try attempt(without: refused, on: connection)
    }

    private func attempt(
        without refused: [Int: CommandError], on connection: Connection
    ) throws(PostgresError) -> [(index: Int, error: CommandError)] {
        guard !refused.isEmpty else { return try attempt(on: connection).map(duplicateID) }
        let end = isOrdered ? refused.keys.min() ?? documents.count : documents.count
        let positions = (0..<end).filter { refused[$0] == nil }
        let errors = try BulkInsert(self, only: positions).attempt(on: connection).map { duplicateID(positions[$0]) }
        if isOrdered, let first = errors.first { return [first] }
        if isOrdered { return refused[end].map { [(end, $0)] } ?? [] }
        return (errors + refused.map { (index: $0.key, error: $0.value) }).sorted { $0.index < $1.index }
    }

    /// What a violated unique index means, where the transaction is over with it; nil when it is something else.
    func duplicateKey(_ error: PostgresError) -> CommandError? {
        guard let (index, key) = collection.violatedIndex(error) else { return nil }
        let position = documents.indices.first { position in
            key.map { indexKeys[position].added(to: index.table).contains($0) } ?? false
        }
        return collection.duplicateKey(key, in: index, storing: position.map { documents[$0] })
    }

    private func duplicateID(_ position: Int) -> (index: Int, error: CommandError) {
        (position, .duplicateID(in: collection.namespace, document: documents[position]))
    }

    /// The documents that cannot be stored beside what is there, and beside those before them.
    private func duplicates(on connection: Connection) throws(PostgresError) -> [Int: CommandError] {
        let unique = collection.readyIndexes.filter { $0.definition.isUnique || $0.definition.preparesUnique }
        var ids = Set(try present(keys, Statement(collection.sql.presentIDs, [.byteaArray(keys)]), on: connection))
        var taken: [String: Set<ByteBuffer>] = [:]
        for index in unique {
            let keys = indexKeys.flatMap { $0.added(to: index.table) }
            let statement = Statement("SELECT key FROM \(index.table) WHERE key = ANY ($1)", [.byteaArray(keys)])
            taken[index.table] = Set(try present(keys, statement, on: connection))
        }
        var refused: [Int: CommandError] = [:]
        for position in documents.indices {
            if !ids.insert(keys[position]).inserted {
                refused[position] = duplicateID(position).error
            } else if let error = duplicate(position, among: unique, taken) {
                refused[position] = error
            } else {
                for index in unique { taken[index.table]?.formUnion(indexKeys[position].added(to: index.table)) }
            }
        }
        return refused
    }

    private func duplicate(
        _ position: Int, among unique: [SecondaryIndex], _ taken: [String: Set<ByteBuffer>]
    ) -> CommandError? {
        for index in unique {
            let clash = indexKeys[position].added(to: index.table).first { taken[index.table]?.contains($0) == true }
            if let clash { return collection.duplicateKey(clash, in: index, storing: documents[position]) }
        }
        return nil
    }

    private func present(
        _ keys: [ByteBuffer], _ statement: Statement, on connection: Connection
    ) throws(PostgresError) -> [ByteBuffer] {
        if keys.isEmpty { return [] }
        let result = try connection.execute(statement)
        return (0..<result.rowCount).compactMap { row in
            result.bytes(row: row, column: 0).map { ByteBuffer(bytes: $0) }
        }
    }
}
