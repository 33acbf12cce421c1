internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/distinct/

extension CommandTable {
    @Sendable static func distinct(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        var key: String?
        var filter = Filter.everything
        var hint = Hint.none
        var uuid: [UInt8]?
        try request.forEachArgument(of: "distinct") { argument throws(CommandError) in
            switch argument.key {
            case "key": key = try argument.ifPresent(Argument.distinctPath)
            case "query":
                if let document = try argument.ifPresent(Argument.document) {
                    filter = try Filter(compiling: document)
                }
            case "hint": hint = try argument.hint()
            case "collation": try argument.checkCollation()
            case "collectionUUID": uuid = try argument.ifPresent(Argument.uuid)
            case "includeQueryStatsMetrics": _ = try argument.ifPresent(Argument.bool)
            default: throw argument.unknownField()
            }
        }
        guard let key else { throw .missingField("distinct.key") }
        var query = FindQuery(filter: filter)
        query.deadline = context.deadline(of: request)
        query.preference = request.shared.routing
        let collector = DistinctCollector(path: key)
        let documents = context.documents
        try await context.engine.checkUUID(uuid, of: namespace)
        let usedHint = hint
        let found =
            try await documents.withCollection(namespace) { collection async throws(StorageError) in
                try usedHint.check()
                return try await documents.distinct(query, into: collector, in: collection)
            } ?? collector
        let values = found.values.sorted { left, right in
            left.withRaw { left in right.withRaw { right in left.compare(to: right) < 0 } }
        }
        return CommandReply { builder in
            builder.beginArray("values")
            for (index, value) in values.enumerated() { builder.append(index: index, value) }
            builder.end()
            if let time = context.snapshotTime { builder.append("atClusterTime", timestamp: time) }
        }
    }
}

extension Argument {
    fileprivate func distinctPath() throws(CommandError) -> String {
        let path = try string()
        guard !path.utf8.contains(0) else {
            throw CommandError(ErrorCode(31032), "The path '\(name)' must not contain a null byte")
        }
        return path
    }
}
