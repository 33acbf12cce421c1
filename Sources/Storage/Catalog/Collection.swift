package import BSON
package import CommandModel
package import NIOCore

/// A catalog entry: what is needed to read and write a collection, with the SQL for it made once.
package final class Collection: Sendable {
    package let namespace: Namespace
    package let number: Int64
    /// 16 bytes.
    package let uuid: [UInt8]
    /// As given to `create`.
    package let options: Document
    package let sql: CollectionSQL

    package init(namespace: Namespace, number: Int64, uuid: [UInt8], options: Document) {
        self.namespace = namespace
        self.number = number
        self.uuid = uuid
        self.options = options
        sql = CollectionSQL(table: "martlet.documents_\(number)")
    }
}

/// The statements on one documents table. The number in the name is ours; user data travels as parameters only.
package struct CollectionSQL: Sendable {
    package let table: String
    package var pointRead: String { read }
    let read: String
    let readMany: String
    let readVersion: String
    let readVersionMany: String
    let readLocked: String
    let insert: String
    let insertMany: String
    let update: String
    let delete: String
    let deleteMany: String
    let count: String

    init(table: String) {
        self.table = table
        read = "SELECT id, doc FROM \(table) WHERE id = $1"
        readMany = "SELECT id, doc FROM \(table) WHERE id = ANY($1)"
        readVersion = "SELECT id, xmin, doc FROM \(table) WHERE id = $1"
        readVersionMany = "SELECT id, xmin, doc FROM \(table) WHERE id = ANY($1)"
        readLocked = "SELECT id, xmin, doc FROM \(table) WHERE id = $1 FOR UPDATE"
        insert = "INSERT INTO \(table) (id, doc) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        // The ORDER BY gives the rows their rid in the order of the client's array.
        insertMany = """
            INSERT INTO \(table) (id, doc) \
            SELECT u.id, u.doc FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS u (id, doc, n) ORDER BY u.n \
            ON CONFLICT DO NOTHING RETURNING id
            """
        // xmin is the transaction that wrote the version which was read: a compare-and-swap without a version column.
        update = "UPDATE \(table) SET doc = $2 WHERE id = $1 AND xmin = $3"
        delete = "DELETE FROM \(table) WHERE id = $1 AND xmin = $2"
        deleteMany = "DELETE FROM \(table) WHERE id = ANY($1)"
        count = "SELECT count(*) FROM \(table)"
    }
}
