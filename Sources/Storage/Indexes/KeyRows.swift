internal import NIOCore
internal import SQL

/// The rows of many documents in the tables of keys, by table.
struct KeyRows {
    private struct Rows {
        var keys: [ByteBuffer] = []
        var ids: [ByteBuffer] = []

        var parameters: [Parameter] { [.byteaArray(keys), .byteaArray(ids)] }

        func source(_ bind: inout Binder) -> String {
            "unnest(\(bind(.byteaArray(keys)))::bytea[], \(bind(.byteaArray(ids)))::bytea[]) AS k (key, id)"
        }
    }

    private var tables: [(name: String, rows: Rows)] = []

    /// - Parameters:
    ///   - changes: of all documents.
    ///   - ids: of all documents; of those with the same one the first counts, which is the one that can be stored.
    init(of changes: [KeyChanges], _ ids: [ByteBuffer], _ range: Range<Int>, but skipped: Set<Int> = []) {
        var seen: Set<ByteBuffer> = []
        var position: [String: Int] = [:]
        for index in range where !skipped.contains(index) && seen.insert(ids[index]).inserted {
            for change in changes[index].changes {
                let table = position[change.table] ?? tables.count
                if table == tables.count {
                    position[change.table] = table
                    tables.append((change.table, Rows()))
                }
                tables[table].rows.keys += change.added
                tables[table].rows.ids += change.added.map { _ in ids[index] }
            }
        }
    }

    /// Inserts documents (`documents` are the two parameters of ``CollectionSQL/insertMany``) with the keys of those
    /// that are stored.
    func inserted(with documents: [Parameter], into collection: Collection) -> Statement {
        var text = "WITH stored AS (\(collection.sql.insertMany))"
        var bind = Binder(documents)
        for (step, table) in tables.enumerated() {
            text += """
                , added\(step) AS (INSERT INTO \(table.name) (key, id) SELECT k.key, k.id \
                FROM \(table.rows.source(&bind)) JOIN stored USING (id))
                """
        }
        return Statement(text + " SELECT id FROM stored", bind.parameters)
    }

    /// Takes them out again.
    var deletions: [Statement] {
        tables.map { table in
            Statement(
                """
                DELETE FROM \(table.name) AS t USING unnest($1::bytea[], $2::bytea[]) AS k (key, id) \
                WHERE t.key = k.key AND t.id = k.id
                """, table.rows.parameters)
        }
    }

    /// Inserts them all, into tables without constraints.
    var insertions: [Statement] {
        tables.map { table in
            Statement(
                "INSERT INTO \(table.name) (key, id) SELECT * FROM unnest($1::bytea[], $2::bytea[])",
                table.rows.parameters)
        }
    }
}
