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
        try request.forEachArgument(of: "distinct") { argument throws(CommandError) in
            switch argument.key {
            case "key": key = try argument.string()
            case "query":
                if let document = try argument.documentOrNull() { filter = try Filter(compiling: document) }
            case "hint": try argument.checkHint()
            case "collation": try argument.checkCollation()
            case "collectionUUID", "includeQueryStatsMetrics": break
            default: throw argument.unknownField()
            }
        }
        guard let key else { throw .missingField("distinct.key") }
        var query = FindQuery(filter: filter)
        query.deadline = Deadline(maxTimeMilliseconds: request.shared.maxTimeMilliseconds)
        let collector = DistinctCollector(path: key)
        let engine = context.engine
        context.server.counters.countCommand()
        let found =
            try await engine.withCollection(namespace) { collection async throws(StorageError) in
                try await engine.distinct(query, into: collector, in: collection)
            } ?? collector
        return CommandReply { builder in
            builder.beginArray("values")
            for (index, value) in found.values.enumerated() { builder.append(index: index, value) }
            builder.end()
        }
    }
}
