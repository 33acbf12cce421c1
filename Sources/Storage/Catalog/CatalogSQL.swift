internal import BSON
internal import CommandModel
internal import NIOCore
internal import Postgres
internal import SQL

/// The catalog's statements; what they do is written in `sql/migrations`.
enum CatalogSQL {
    static func find(_ namespace: Namespace, on connection: Connection) throws(StorageError) -> Collection? {
        let result = try execute(
            """
            SELECT number, uuid, options, martlet.indexes_of(number) FROM martlet.collections \
            WHERE database = $1 AND name = $2
            """,
            [.text(namespace.database), .text(namespace.collection)], on: connection)
        guard result.rowCount > 0 else { return nil }
        return try collection(namespace, in: result, row: 0, columns: (0, 1, 2, 3)) { options throws(StorageError) in
            try options.checkData(of: namespace)
        }
    }

    static func create(
        _ namespace: Namespace, options: Document, on connection: Connection
    ) throws(StorageError) -> (Collection, isNew: Bool) {
        let options = try CatalogOptions.column(for: options)
        let result = try execute(
            """
            SELECT number, uuid, options, martlet.indexes_of(number), created, clashing_database \
            FROM martlet.create_collection($1, $2, $3, $4, $5, $6, $7, $8)
            """, creation(namespace, options), on: connection)
        if result.rowCount > 0, let clash = result.text(row: 0, column: 5) {
            throw .command(
                CommandError(
                    ErrorCode(13297, "DatabaseDifferCase"),
                    "db already exists with different case already have: [\(clash)] "
                        + "trying to create [\(namespace.database)]"
                ))
        }
        let made = try collection(namespace, in: result, row: 0, columns: (0, 1, 2, 3)) {
            options throws(StorageError) in
            try options.checkData(of: namespace)
        }
        guard let made else {
            throw .command(CommandError(.internalError, "the catalog gave no collection for \(namespace)"))
        }
        return (made, result.bool(row: 0, column: 4) ?? false)
    }

    static func drop(_ namespace: Namespace, on connection: Connection) throws(StorageError) -> Bool {
        let result = try execute(
            "SELECT martlet.drop_collection($1, $2)", [.text(namespace.database), .text(namespace.collection)],
            on: connection)
        return result.bool(row: 0, column: 0) ?? false
    }

    static func rename(
        _ source: Namespace, to target: Namespace, dropTarget: Bool, on connection: Connection
    ) throws(StorageError) {
        let result = try execute(
            "SELECT martlet.rename_collection($1, $2, $3, $4, $5)",
            [
                .text(source.database), .text(source.collection), .text(target.database), .text(target.collection),
                .bool(dropTarget),
            ], on: connection)
        switch result.text(row: 0, column: 0) {
        case "ok": return
        case "clash":
            throw .command(
                CommandError(
                    ErrorCode(13297, "DatabaseDifferCase"),
                    "db already exists with different case: [\(target.database)]"))
        case "exists": throw .command(CommandError(.namespaceExists, "target namespace exists"))
        default: throw .command(CommandError(.namespaceNotFound, "Source collection \(source) does not exist"))
        }
    }

    /// - Returns: false when somebody else has changed them meanwhile.
    static func changeOptions(
        of collection: Collection, to options: Document, on connection: Connection
    ) throws(StorageError) -> Bool {
        let namespace = collection.namespace
        let (old, new) = (try CatalogOptions.column(for: collection.options), try CatalogOptions.column(for: options))
        let result = try execute(
            "SELECT martlet.change_options($1, $2, $3, $4)",
            [.text(namespace.database), .text(namespace.collection), .bytea(old.buffer), .bytea(new.buffer)],
            on: connection)
        return result.text(row: 0, column: 0) == "ok"
    }

    static func sizes(database: String, on connection: Connection) throws(StorageError) -> [CollectionSizes] {
        let result = try execute(
            """
            SELECT number, uuid, options, martlet.indexes_of(number), name, storage_size, index_size, estimated_count \
            FROM martlet.collection_sizes WHERE database = $1 ORDER BY name
            """, [.text(database)], on: connection)
        var sizes: [CollectionSizes] = []
        for row in 0..<result.rowCount {
            guard let name = result.text(row: row, column: 4) else { continue }
            let namespace = Namespace(database: database, collection: name)
            let collection = try collection(namespace, in: result, row: row, columns: (0, 1, 2, 3))
            guard let collection else { continue }
            sizes.append(
                CollectionSizes(
                    collection: collection,
                    storageSize: result.int8(row: row, column: 5) ?? 0,
                    indexSize: result.int8(row: row, column: 6) ?? 0,
                    estimatedCount: result.int8(row: row, column: 7) ?? -1))
        }
        return sizes
    }

    static func databases(on connection: Connection) throws(StorageError) -> [DatabaseSizes] {
        let result = try execute(
            """
            SELECT database, sum(storage_size + index_size)::bigint FROM martlet.collection_sizes \
            GROUP BY database ORDER BY database
            """, [], on: connection)
        return (0..<result.rowCount).compactMap { row in
            result.text(row: row, column: 0).map {
                DatabaseSizes(name: $0, size: result.int8(row: row, column: 1) ?? 0)
            }
        }
    }

    /// - Parameter check: whether documents may be read and written.
    static func collection(
        _ namespace: Namespace, in result: borrowing StatementResult, row: Int, columns: (Int, Int, Int, Int),
        _ check: (CatalogOptions) throws(StorageError) -> Void = { _ in }
    ) throws(StorageError) -> Collection? {
        guard row < result.rowCount, let number = result.int8(row: row, column: columns.0),
            let uuid = result.bytes(row: row, column: columns.1),
            let column = result.bytes(row: row, column: columns.2).flatMap(RawDocument.init),
            let indexes = result.bytes(row: row, column: columns.3)
        else { return nil }
        let options = try CatalogOptions(column: column)
        try check(options)
        return Collection(
            namespace: namespace, number: number, uuid: Array(uuid), options: options.options,
            collator: options.collator,
            indexes: Result { () throws(CommandError) in try SecondaryIndex.list(in: indexes, of: Array(uuid)) })
    }

    static func execute(
        _ text: String, _ parameters: [Parameter], on connection: Connection
    ) throws(StorageError) -> StatementResult {
        do throws(PostgresError) {
            return try connection.execute(Statement(text, parameters))
        } catch {
            throw .postgres(error)
        }
    }
}
