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
        try request.forEachArgument(of: "listCollections") { argument throws(CommandError) in
            switch argument.key {
            case "nameOnly": nameOnly = try argument.ifPresent(Argument.bool) ?? false
            case "filter":
                filter = try argument.ifPresent(Argument.restrictedFilter) ?? .everything
            case "authorizedCollections": _ = try argument.ifPresent(Argument.bool)
            case "cursor": batchSize = try argument.ifPresent(Argument.cursorBatchSize) ?? nil
            case "includePendingDrops": _ = try argument.ifPresent(Argument.lenientBool)
            default: throw argument.unknownField()
            }
        }
        let collections = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.collections(in: request.database)
        }
        var entries: [Document] = []
        for found in collections {
            let entry = description(of: found.collection, nameOnly: nameOnly)
            if try filter.matches(entry) { entries.append(entry) }
        }
        return try listedCursorReply(
            entries, batchSize: batchSize, request, context, command: "listCollections")
    }

    private static func description(of collection: Collection, nameOnly: Bool) -> Document {
        Document { builder in
            builder.append("name", string: collection.namespace.collection)
            builder.append("type", string: "collection")
            guard !nameOnly else { return }
            builder.append("options", .document(collection.options))
            builder.beginDocument("info")
            builder.append("readOnly", bool: false)
            builder.append("uuid", binary: collection.uuid, subtype: 4)
            builder.end()
            builder.beginDocument("idIndex")
            builder.writeIDIndex(of: collection)
            builder.end()
        }
    }
}

extension DocumentBuilder {
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
