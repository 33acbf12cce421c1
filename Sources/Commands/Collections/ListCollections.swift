internal import Access
internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/listCollections/

extension CommandTable {
    @Sendable static func listCollections(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try Namespace.validate(database: request.database)
        var nameOnly = false
        var filter = Filter.everything
        var batchSize: Int?
        var showsAuthorizedOnly = false
        try request.forEachArgument(of: "listCollections") { argument throws(CommandError) in
            switch argument.key {
            case "nameOnly": nameOnly = try argument.ifPresent(Argument.bool) ?? false
            case "filter":
                filter = try argument.ifPresent(Argument.restrictedFilter) ?? .everything
            case "authorizedCollections": showsAuthorizedOnly = try argument.ifPresent(Argument.bool) ?? false
            case "cursor": batchSize = try argument.ifPresent(Argument.cursorBatchSize) ?? nil
            case "includePendingDrops": _ = try argument.ifPresent(Argument.lenientBool)
            default: throw argument.unknownField()
            }
        }
        let collections = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.collections(in: request.database)
        }
        var entries: [Document] = []
        let described = collections.flatMap { descriptions(of: $0.collection, nameOnly: nameOnly) }
            .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        for (name, entry) in described {
            let namespace = Namespace(database: request.database, collection: name)
            if showsAuthorizedOnly, !context.access.sees(namespace) { continue }
            if try filter.matches(entry) { entries.append(entry) }
        }
        return try listedCursorReply(
            entries, batchSize: batchSize, request, context, command: "listCollections")
    }

    /// A time series is shown with the collection that holds its buckets in MongoDB.
    private static func descriptions(
        of collection: Collection, nameOnly: Bool
    ) -> [(name: String, description: Document)] {
        let name = collection.namespace.collection
        let own = (name, description(of: collection, nameOnly: nameOnly))
        guard collection.timeseries != nil else { return [own] }
        let buckets = Document { builder in
            builder.append("name", string: collection.namespace.buckets.collection)
            builder.append("type", string: "collection")
            guard !nameOnly else { return }
            builder.append("options", .document(collection.bucketOptions))
            builder.appendInfo(of: collection)
        }
        return [own, (collection.namespace.buckets.collection, buckets)]
    }

    static func description(of collection: Collection, nameOnly: Bool) -> Document {
        Document { builder in
            builder.append("name", string: collection.namespace.collection)
            builder.append("type", string: collection.type)
            guard !nameOnly else { return }
            builder.append("options", .document(collection.options))
            switch collection.kind {
            case .view, .timeseries:
                builder.beginDocument("info")
                builder.append("readOnly", bool: collection.view != nil)
                builder.end()
            case .clustered: builder.appendInfo(of: collection)
            case .plain, .capped:
                builder.appendInfo(of: collection)
                builder.beginDocument("idIndex")
                builder.writeIDIndex(of: collection)
                builder.end()
            }
        }
    }
}

extension Collection {
    /// As `listCollections` calls it.
    fileprivate var type: String {
        switch kind {
        case .plain, .capped, .clustered: "collection"
        case .timeseries: "timeseries"
        case .view: "view"
        }
    }

    /// Of the collection that would hold the buckets of a time series.
    fileprivate var bucketOptions: Document {
        Document { builder in
            builder.beginDocument("validator")
            builder.beginDocument("$jsonSchema")
            builder.append("bsonType", string: "object")
            builder.end()
            builder.end()
            builder.append("clusteredIndex", bool: true)
            options.withRaw { raw in
                for field in raw where field.key == "timeseries" || field.key == "expireAfterSeconds" {
                    builder.append(field)
                }
            }
        }
    }
}

extension DocumentBuilder {
    fileprivate mutating func appendInfo(of collection: Collection) {
        beginDocument("info")
        append("readOnly", bool: false)
        append("uuid", binary: collection.uuid, subtype: 4)
        end()
    }

    /// The description of the index on `_id`, whose keys are made under the collation of the collection.
    mutating func writeIDIndex(of collection: Collection) {
        append("v", int32: 2)
        beginDocument("key")
        append("_id", int32: 1)
        end()
        append("name", string: "_id_")
        if let collator = collection.collator { append("collation", document: collator.collation.document) }
    }
}
