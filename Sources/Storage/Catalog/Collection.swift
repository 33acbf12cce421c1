package import BSON
package import CommandModel
internal import NIOConcurrencyHelpers
package import NIOCore
package import Query
internal import SQL

/// A catalog entry: what is needed to read and write a collection, with the SQL for it made once.
package final class Collection: Sendable {
    package let namespace: Namespace
    package let number: Int64
    /// 16 bytes.
    package let uuid: [UInt8]
    /// As given to `create`.
    package let options: Document
    package let kind: CollectionKind
    /// How strings compare where a command says nothing else, and what the keys are made under: that of the
    /// `collation` among the options.
    package let collator: Collator?
    package let sql: CollectionSQL
    /// What it demands of its documents; nil for nothing. A validator that this server does not understand (a newer one
    /// may have set it) makes every write fail, instead of letting anything pass.
    package let validation: Result<DocumentValidator?, CommandError>
    /// Its secondary indexes, in the order in which they were made. One that this server does not understand makes
    /// every write fail.
    package let indexes: Result<[SecondaryIndex], CommandError>
    /// Whether there are secondary indexes.
    package let hasIndexes: Bool
    /// Those that this server was told.
    let indexFilters = NIOLockedValueBox<[IndexFilter]>([])
    package let usage: CollectionUsage

    package init(
        namespace: Namespace, number: Int64, uuid: [UInt8], options: Document, collator: Collator? = nil,
        indexes: Result<[SecondaryIndex], CommandError> = .success([])
    ) {
        self.indexes = indexes
        if case .success(let none) = indexes, none.isEmpty { hasIndexes = false } else { hasIndexes = true }
        self.collator = collator
        self.namespace = namespace
        self.number = number
        self.uuid = uuid
        usage = .of(uuid)
        self.options = options
        kind = CollectionKind(options)
        sql = CollectionSQL(table: "martlet.documents_\(number)")
        validation = Result { () throws(CommandError) in
            try options.withRaw { raw throws(CommandError) in try DocumentValidator(options: raw, collator: collator) }
        }
    }

    var admitsEverything: Bool {
        if case .success(nil) = validation { return true }
        return false
    }
}

/// The statements on one documents table. The number in the name is ours; user data travels as parameters only.
package struct CollectionSQL: Sendable {
    package let table: String
    package var pointRead: String { read }
    let read: String
    let readByRecordID: String
    let readMany: String
    let readVersion: String
    let readVersionMany: String
    let readLocked: String
    let readUnlocked: String
    let insert: RecordedSQL
    let insertMany: String
    let update: RecordedSQL
    let delete: RecordedSQL
    let updateMany: String
    let deleteMany: String
    let presentIDs: String
    let count: String
    /// Nothing but whether the table is still there under its number.
    let probe: String

    init(table: String) {
        self.table = table
        read = "SELECT id, doc FROM \(table) WHERE id = $1"
        readByRecordID = "SELECT id, doc FROM \(table) WHERE rid = $1"
        readMany = "SELECT id, doc FROM \(table) WHERE id = ANY($1)"
        readVersion = "SELECT id, xmin, doc FROM \(table) WHERE id = $1"
        readVersionMany = "SELECT id, xmin, doc FROM \(table) WHERE id = ANY($1)"
        readLocked = "SELECT id, xmin, doc FROM \(table) WHERE id = $1 FOR UPDATE"
        readUnlocked = "SELECT id, xmin, doc FROM \(table) WHERE id = $1 FOR UPDATE SKIP LOCKED"
        insert = RecordedSQL("INSERT INTO \(table) (id, doc) VALUES ($1, $2) ON CONFLICT DO NOTHING", parameters: 2)
        // The ORDER BY gives the rows their rid in the order of the client's array.
        insertMany = """
            INSERT INTO \(table) (id, doc) \
            SELECT u.id, u.doc FROM unnest($1::bytea[], $2::bytea[]) WITH ORDINALITY AS u (id, doc, n) ORDER BY u.n \
            ON CONFLICT DO NOTHING RETURNING id
            """
        // xmin is the transaction that wrote the version which was read: a compare-and-swap without a version column.
        update = RecordedSQL("UPDATE \(table) SET doc = $2 WHERE id = $1 AND xmin = $3", parameters: 3)
        delete = RecordedSQL("DELETE FROM \(table) WHERE id = $1 AND xmin = $2", parameters: 2)
        // In the order of the keys, as all rows are locked.
        updateMany = """
            UPDATE \(table) AS t SET doc = u.doc FROM (SELECT * FROM \
            unnest($1::bytea[], $2::bytea[], $3::xid[]) AS u (id, doc, version) ORDER BY u.id) AS u \
            WHERE t.id = u.id AND t.xmin = u.version RETURNING t.id
            """
        deleteMany = "DELETE FROM \(table) WHERE id = ANY($1)"
        presentIDs = "SELECT id FROM \(table) WHERE id = ANY($1)"
        count = "SELECT count(*) FROM \(table)"
        probe = "SELECT FROM \(table) LIMIT 0"
    }
}

extension Collection {
    /// The indexes that may be read.
    package var readyIndexes: [SecondaryIndex] {
        guard case .success(let indexes) = indexes else { return [] }
        return indexes.filter(\.isReady)
    }

    /// The indexes whose keys writers store: not those that are being built, see ``IndexBuildMachine``.
    var maintainedIndexes: [SecondaryIndex] {
        get throws(CommandError) {
            let indexes = try indexes.get()
            return indexes.allSatisfy(\.isReady) ? indexes : indexes.filter(\.isReady)
        }
    }
}
