internal import BSON
internal import CommandModel
internal import NIOCore
internal import Postgres
internal import SQL

// Collections that are more than a table of documents.
extension CatalogSQL {
    /// The parameters of `martlet.create_collection`.
    static func creation(_ namespace: Namespace, _ options: Document) -> [Parameter] {
        let shared: [Parameter] = [
            .text(namespace.database), .text(namespace.collection), .bytea(options.buffer),
        ]
        switch CollectionKind(options) {
        case .plain, .clustered, .timeseries:
            return shared + [.text("plain"), .int8(0), .int8(0), .null(.bytea), .null(.bytea)]
        case .capped(let limits):
            return shared + [
                .text("capped"), .int8(limits.bytes), .int8(limits.documents), .null(.bytea), .null(.bytea),
            ]
        case .view:
            let document = viewDocument(namespace, options)
            let key = document.withRaw { DocumentKey.encode($0["_id"] ?? Value.nullRaw, collator: nil) }
            return shared + [.text("view"), .int8(0), .int8(0), .bytea(key), .bytea(document.buffer)]
        }
    }

    /// What stands in `system.views`.
    private static func viewDocument(_ namespace: Namespace, _ options: Document) -> Document {
        Document { builder in
            builder.append("_id", string: namespace.description)
            options.withRaw { raw in
                // What stands beside the options is no part of them.
                for field in raw where !field.key.startsWithDollar { builder.append(field) }
            }
        }
    }

    /// The views of a database. Nobody else makes or changes one until the transaction ends.
    static func lockedViews(of database: String, on connection: Connection) throws(StorageError) -> ViewGraph {
        _ = try execute("SELECT martlet.lock_views_of($1)", [.text(database)], on: connection)
        let rows = try execute(
            "SELECT name, options FROM martlet.collections WHERE database = $1 AND kind = 'view'",
            [.text(database)], on: connection)
        var views: [String: ViewDefinition] = [:]
        for row in 0..<rows.rowCount {
            guard let name = rows.text(row: row, column: 0),
                let options = rows.bytes(row: row, column: 1).flatMap(RawDocument.init)
            else { continue }
            views[name] = ViewDefinition(options)
        }
        return ViewGraph(views, in: database)
    }

    /// The collection, locked against other changes of its catalog entry.
    static func findLocked(
        _ namespace: Namespace, on connection: Connection
    ) throws(StorageError) -> Collection? {
        let result = try execute(
            """
            SELECT number, uuid, options, martlet.indexes_of(number) FROM martlet.collections \
            WHERE database = $1 AND name = $2 FOR UPDATE
            """,
            [.text(namespace.database), .text(namespace.collection)], on: connection)
        return try collection(namespace, in: result, row: 0, columns: (0, 1, 2, 3))
    }

    /// The collections whose options name `expireAfterSeconds` somewhere.
    static func mayExpire(on connection: Connection) throws(StorageError) -> [Collection] {
        let rows = try execute(
            """
            SELECT number, uuid, options, martlet.indexes_of(number), database, name FROM martlet.collections \
            WHERE position('expireAfterSeconds'::bytea IN options) > 0
            """, [], on: connection)
        var collections: [Collection] = []
        for row in 0..<rows.rowCount {
            guard let database = rows.text(row: row, column: 4), let name = rows.text(row: row, column: 5) else {
                continue
            }
            let namespace = Namespace(database: database, collection: name)
            if let found = try collection(namespace, in: rows, row: row, columns: (0, 1, 2, 3)) {
                collections.append(found)
            }
        }
        return collections
    }

    static func modify(
        _ collection: Collection, options: Document, on connection: Connection
    ) throws(StorageError) {
        var limits = CappedLimits(bytes: 0)
        if case .capped(let changed) = CollectionKind(options) { limits = changed }
        let view = collection.view == nil ? nil : viewDocument(collection.namespace, options)
        let column = try CatalogOptions.column(for: options)
        _ = try execute(
            "SELECT martlet.modify_collection($1, $2, $3, $4, $5)",
            [
                .int8(collection.number), .bytea(column.buffer), .int8(limits.bytes), .int8(limits.documents),
                view.map { .bytea($0.buffer) } ?? .null(.bytea),
            ], on: connection)
    }

    static func convertToCapped(
        _ namespace: Namespace, options: Document, size: Int64, on connection: Connection
    ) throws(StorageError) -> Bool {
        let column = try CatalogOptions.column(for: options)
        return try execute(
            "SELECT martlet.convert_to_capped($1, $2, $3, $4)",
            [.text(namespace.database), .text(namespace.collection), .bytea(column.buffer), .int8(size)],
            on: connection
        ).bool(row: 0, column: 0) ?? false
    }

    static func cloneAsCapped(
        _ source: Namespace, to target: Namespace, options: Document, size: Int64, on connection: Connection
    ) throws(StorageError) {
        let column = try CatalogOptions.column(for: options)
        let result = try execute(
            "SELECT martlet.clone_as_capped($1, $2, $3, $4, $5)",
            [
                .text(source.database), .text(source.collection), .text(target.collection), .bytea(column.buffer),
                .int8(size),
            ], on: connection)
        switch result.text(row: 0, column: 0) {
        case "ok": return
        case "exists": throw .command(CommandError(.namespaceExists, "the target \(target) exists already"))
        default: throw .command(CommandError(.namespaceNotFound, "source collection \(source) does not exist"))
        }
    }
}
