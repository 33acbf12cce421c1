internal import BSON
internal import CommandModel
internal import Storage

// Only the index on `_id` exists so far: these commands say so instead of pretending.

extension CommandTable {
    @Sendable static func listIndexes(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        var batchSize: Int?
        var uuid: [UInt8]?
        try request.forEachArgument(of: "listIndexes") { argument throws(CommandError) in
            switch argument.key {
            case "cursor": batchSize = try argument.ifPresent(Argument.cursorBatchSize) ?? nil
            case "collectionUUID": uuid = try argument.ifPresent(Argument.uuid)
            case "includeBuildUUIDs", "includeIndexBuildInfo": _ = try argument.ifPresent(Argument.lenientBool)
            default: throw argument.unknownField()
            }
        }
        try await context.engine.checkUUID(uuid, of: namespace)
        let collection = try await requireCollection(namespace, context)
        return try listedCursorReply(
            [Document { $0.writeIDIndex(of: collection) }], batchSize: batchSize, in: namespace, request, context,
            command: "listIndexes")
    }

    @Sendable static func createIndexes(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        var indexes: [Document]?
        try request.forEachArgument(of: "createIndexes") { argument throws(CommandError) in
            switch argument.key {
            case "indexes": indexes = try argument.documents()
            case "commitQuorum", "ignoreUnknownIndexOptions": break
            default: throw argument.unknownField()
            }
        }
        guard let indexes else { throw .missingField("createIndexes.indexes") }
        guard !indexes.isEmpty else {
            throw CommandError(.badValue, "Must specify at least one index to create")
        }
        for index in indexes where !isIDIndex(index) {
            throw CommandError(.notImplemented, "indexes other than the one on _id are not supported yet")
        }
        let (_, isNew) = try await context.documents.collectionOrCreate(namespace)
        return CommandReply { builder in
            builder.append("numIndexesBefore", int32: 1)
            builder.append("numIndexesAfter", int32: 1)
            if isNew { builder.append("createdCollectionAutomatically", bool: true) }
            builder.append("note", string: "all indexes already exist")
        }
    }

    @Sendable static func dropIndexes(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        var index: String?
        try request.forEachArgument(of: "dropIndexes") { argument throws(CommandError) in
            guard argument.key == "index" else { throw argument.unknownField() }
            index = argument.value.string ?? ""
        }
        try await requireCollection(namespace, context)
        switch index {
        case "*": return CommandReply { $0.append("nIndexesWas", int32: 1) }
        case "_id_": throw CommandError(.invalidOptions, "cannot drop _id index")
        case nil: throw .missingField("dropIndexes.index")
        default: throw CommandError(.indexNotFound, "index not found with name [\(index ?? "")]")
        }
    }

    private static func isIDIndex(_ index: Document) -> Bool {
        index.withRaw { raw in
            guard let key = raw["key"]?.document, key.elementCount == 1 else { return false }
            return key["_id"]?.number?.asDouble == 1
        }
    }

    @discardableResult
    static func requireCollection(
        _ namespace: Namespace, _ context: CommandContext
    ) async throws(CommandError) -> Collection {
        let collection = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.collection(namespace)
        }
        guard let collection else {
            throw CommandError(.namespaceNotFound, "ns does not exist: \(namespace)")
        }
        return collection
    }
}
