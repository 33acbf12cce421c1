internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/collStats/ and dbStats.

extension CommandTable {
    @Sendable static func collStats(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        let scale = try scale(request, of: "collStats").divisor
        let collection = try await context.documents.collection(namespace)
        if collection?.view != nil { throw .notSupportedOnView(namespace) }
        let stats = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.statistics(of: namespace)
        }
        return CommandReply { builder in
            builder.append("ns", string: namespace.description)
            writeStatistics(stats, of: collection, scale: scale, &builder)
        }
    }

    /// What `collStats` and `$collStats` tell of the storage.
    static func writeStatistics(
        _ stats: CollectionStatistics?, of collection: Collection?, scale: Int64, _ builder: inout DocumentBuilder
    ) {
        let (documents, bytes) = (stats?.documentCount ?? 0, stats?.documentBytes ?? 0)
        let (storage, indexes) = (stats?.storageBytes ?? 0, stats?.indexBytes ?? 0)
        builder.append("size", Value.smallest(bytes / scale))
        if collection?.timeseries == nil {
            builder.append("count", Value.smallest(documents))
            if documents > 0 { builder.append("avgObjSize", Value.smallest(bytes / documents)) }
        }
        builder.append("numOrphanDocs", int32: 0)
        builder.append("storageSize", Value.smallest(storage / scale))
        builder.append("totalIndexSize", Value.smallest(indexes / scale))
        builder.append("totalSize", Value.smallest((storage + indexes) / scale))
        builder.beginDocument("indexSizes")
        let secondary = stats?.secondaryIndexBytes ?? []
        if collection != nil {
            let rest = indexes - secondary.reduce(0) { $0 + $1.bytes }
            builder.append("_id_", Value.smallest(max(0, rest) / scale))
        }
        for index in secondary { builder.append(name: index.name, Value.smallest(index.bytes / scale)) }
        builder.end()
        builder.beginArray("indexBuilds")
        builder.end()
        builder.append("scaleFactor", int32: Int32(clamping: scale))
        builder.append("nindexes", int32: Int32(collection?.listedIndexes.count ?? 0))
        writeKind(of: collection, scale: scale, &builder)
    }

    private static func writeKind(
        of collection: Collection?, scale: Int64, _ builder: inout DocumentBuilder
    ) {
        builder.append("capped", bool: collection?.isCapped ?? false)
        switch collection?.kind {
        case .capped(let limits)?:
            builder.append("max", Value.smallest(limits.documents))
            builder.append("maxSize", Value.smallest(limits.bytes / scale))
        case .clustered?: builder.append("clustered", bool: true)
        case .timeseries?:
            guard let namespace = collection?.namespace else { return }
            builder.beginDocument("timeseries")
            builder.append("bucketsNs", string: namespace.buckets.description)
            builder.end()
        case .plain?, .view?, nil: return
        }
    }

    @Sendable static func dbStats(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try Namespace.validate(database: request.database)
        let (scale, wantsFree) = try scale(request, of: "dbStats")
        let stats = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.statistics(ofDatabase: request.database)
        }
        let free = try await context.engine.mapped { () async throws(StorageError) in
            wantsFree ? try await context.engine.freeBytes(ofDatabase: request.database) : nil
        }
        let divisor = Double(scale)
        return CommandReply { builder in
            builder.append("db", string: request.database)
            builder.append("collections", int64: Int64(stats.collections))
            builder.append("views", int64: Int64(stats.views))
            builder.append("objects", int64: stats.total.documentCount)
            let average =
                stats.total.documentCount > 0
                ? Double(stats.total.documentBytes) / Double(stats.total.documentCount) : 0
            builder.append("avgObjSize", double: average)
            builder.append("dataSize", double: Double(stats.total.documentBytes) / divisor)
            builder.append("storageSize", double: Double(stats.total.storageBytes) / divisor)
            builder.append("indexes", int64: Int64(stats.indexes))
            builder.append("indexSize", double: Double(stats.total.indexBytes) / divisor)
            builder.append(
                "totalSize", double: Double(stats.total.storageBytes + stats.total.indexBytes) / divisor)
            if let free {
                builder.append("freeStorageSize", double: Double(free.storage) / divisor)
                builder.append("indexFreeStorageSize", double: Double(free.indexes) / divisor)
                builder.append("totalFreeStorageSize", double: Double(free.storage + free.indexes) / divisor)
            }
            builder.append("scaleFactor", int64: scale)
        }
    }

    private static func scale(
        _ request: CommandRequest, of command: StaticString
    ) throws(CommandError) -> (divisor: Int64, wantsFree: Bool) {
        var (scale, wantsFree): (Int64, Bool) = (1, false)
        try request.forEachArgument(of: command) { argument throws(CommandError) in
            switch argument.key {
            case "scale":
                if argument.value.type == .null { return }
                scale = try argument.integer()
                guard scale >= 1 else {
                    throw CommandError(
                        Argument.outOfRange, "BSON field 'scale' value must be >= 1, actual value '\(scale)'")
                }
            case "freeStorage": wantsFree = try argument.ifPresent(Argument.lenientBool) ?? false
            default: throw argument.unknownField()
            }
        }
        return (scale, wantsFree)
    }
}
