internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/count/

extension CommandTable {
    @Sendable static func count(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        let query = try countQuery(request)
        let engine = context.engine
        context.server.counters.countCommand()
        let count =
            try await engine.withCollection(namespace) { collection async throws(StorageError) in
                try await engine.count(query, in: collection)
            } ?? 0
        return CommandReply { builder in
            if let small = Int32(exactly: count) {
                builder.append("n", int32: small)
            } else {
                builder.append("n", int64: count)
            }
        }
    }

    private static func countQuery(_ request: CommandRequest) throws(CommandError) -> FindQuery {
        var filter = Filter.everything
        var (skip, limit) = (0, Int64(0))
        try request.forEachArgument(of: "count") { argument throws(CommandError) in
            switch argument.key {
            case "query":
                if let document = try argument.documentOrNull() { filter = try Filter(compiling: document) }
            case "limit": limit = try argument.integerOrNull() ?? 0
            case "skip": skip = Int(clamping: try argument.nonNegativeInteger())
            case "hint": try argument.checkHint()
            case "collation": try argument.checkCollation()
            case "fields", "collectionUUID", "includeQueryStatsMetrics": break
            default: throw argument.unknownField()
            }
        }
        var query = FindQuery(filter: filter)
        query.skip = skip
        query.limit = limit == 0 ? nil : Int(clamping: limit.magnitude)
        query.deadline = Deadline(maxTimeMilliseconds: request.shared.maxTimeMilliseconds)
        return query
    }
}
