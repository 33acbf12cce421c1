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
        let indexes = try await existingIndexes(of: namespace, context).list
        return try listedCursorReply(
            indexes, batchSize: batchSize, in: namespace, request, context,
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
        if try await context.documents.collection(namespace)?.view != nil { throw .notSupportedOnView(namespace) }
        for index in indexes where !isIDIndex(index) {
            throw CommandError(.notImplemented, "indexes other than the one on _id are not supported yet")
        }
        let (collection, isNew) = try await context.documents.collectionOrCreate(namespace)
        if collection.view != nil { throw .notSupportedOnView(namespace) }
        // The index by which a collection is clustered does not count.
        let count = Int32(collection.isClustered ? 0 : collection.listedIndexes.count)
        return CommandReply { builder in
            builder.append("numIndexesBefore", int32: count)
            builder.append("numIndexesAfter", int32: count)
            if isNew { builder.append("createdCollectionAutomatically", bool: true) }
            builder.append("note", string: "all indexes already exist")
        }
    }

    @Sendable static func dropIndexes(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        var index: String?
        var isByKey = false
        try request.forEachArgument(of: "dropIndexes") { argument throws(CommandError) in
            guard argument.key == "index" else { throw argument.unknownField() }
            index = argument.value.string ?? ""
            isByKey = argument.value.document?["_id"] != nil
        }
        let existing = try await existingIndexes(of: namespace, context)
        if existing.isClustered, index == "_id_" || isByKey {
            throw CommandError(ErrorCode(5_979_800), "cannot drop the clustered index of \(namespace)")
        }
        let count = Int32(existing.list.count)
        switch index {
        case "*": return CommandReply { $0.append("nIndexesWas", int32: count) }
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

    /// - Throws: NamespaceNotFound (26), CommandNotSupportedOnView (166).
    private static func existingIndexes(
        of namespace: Namespace, _ context: CommandContext
    ) async throws(CommandError) -> (list: [Document], isClustered: Bool) {
        if let collection = try await context.documents.collection(namespace) {
            guard collection.view == nil else { throw .notSupportedOnView(namespace) }
            return (collection.listedIndexes, collection.isClustered)
        }
        // The buckets of a time series are clustered, and have no other index.
        if let series = namespace.ofBuckets, let found = try await context.documents.collection(series),
            found.timeseries != nil
        {
            return ([], true)
        }
        throw CommandError(.namespaceNotFound, "ns does not exist: \(namespace)")
    }
}

extension Collection {
    /// The indexes that there are, as `listIndexes` shows them.
    var listedIndexes: [Document] {
        switch kind {
        case .plain, .capped: return [Document { $0.writeIDIndex(of: self) }]
        case .clustered:
            let name = options.withRaw { $0["clusteredIndex"]?.document?["name"]?.string }
            return [Document { $0.writeClusteredIndex(name: name ?? "_id_") }]
        case .timeseries(let fields):
            return fields.meta.map { meta in [Document { $0.writeTimeseriesIndex(meta, fields.time) }] } ?? []
        case .view: return []
        }
    }
}

extension DocumentBuilder {
    fileprivate mutating func writeClusteredIndex(name: String) {
        append("v", int32: 2)
        beginDocument("key")
        append("_id", int32: 1)
        end()
        append("name", string: name)
        append("unique", bool: true)
        append("clustered", bool: true)
    }

    fileprivate mutating func writeTimeseriesIndex(_ meta: String, _ time: String) {
        append("v", int32: 2)
        beginDocument("key")
        append(name: meta, .int32(1))
        append(name: time, .int32(1))
        end()
        append("name", string: "\(meta)_1_\(time)_1")
    }
}
