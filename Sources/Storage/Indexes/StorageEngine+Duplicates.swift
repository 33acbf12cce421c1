package import BSON
internal import Postgres
internal import SQL

extension StorageEngine {
    /// Documents that share a key of an index: as many groups of them as are worth telling.
    package func duplicates(
        in index: SecondaryIndex, of collection: Collection
    ) async throws(StorageError) -> [[Value]] {
        try await general.withConnection { connection throws(StorageError) in
            let rows = try CatalogSQL.execute(
                """
                SELECT k.key, d.doc FROM \(index.table) k JOIN \(collection.sql.table) d USING (id) \
                WHERE k.key IN (SELECT key FROM \(index.table) GROUP BY key HAVING count(*) > 1 ORDER BY key LIMIT 50) \
                ORDER BY k.key, k.id LIMIT 500
                """, [], on: connection)
            var groups: [[Value]] = []
            var last: [UInt8]?
            for row in 0..<rows.rowCount {
                guard let key = rows.bytes(row: row, column: 0),
                    let document = rows.bytes(row: row, column: 1).flatMap(RawDocument.init)
                else { continue }
                let id = document["_id"].map(Value.init(copying:)) ?? .null
                if let last, last.elementsEqual(key) {
                    groups[groups.count - 1].append(id)
                } else {
                    groups.append([id])
                    last = Array(key)
                }
            }
            return groups
        }
    }
}
