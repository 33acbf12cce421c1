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
        let (query, hint, uuid) = try countQuery(request, context)
        try await context.engine.checkUUID(uuid, of: namespace)
        let documents = context.documents
        let count =
            try await documents.withCollection(namespace) { collection async throws(StorageError) -> Int64 in
                try hint.check()
                return try await documents.count(query, in: collection)
            } ?? 0
        return CommandReply { builder in
            if let small = Int32(exactly: count) {
                builder.append("n", int32: small)
            } else {
                builder.append("n", int64: count)
            }
        }
    }

    private static func countQuery(
        _ request: CommandRequest, _ context: CommandContext
    ) throws(CommandError) -> (FindQuery, Hint, uuid: [UInt8]?) {
        var filter = Filter.everything
        var (skip, limit) = (0, Int64(0))
        var hint = Hint.none
        var uuid: [UInt8]?
        try request.forEachArgument(of: "count") { argument throws(CommandError) in
            switch argument.key {
            case "query":
                if let document = try argument.ifPresent(Argument.document) {
                    filter = try Filter(compiling: document)
                }
            case "limit": limit = try argument.countLimit()
            case "skip": skip = Int(clamping: try argument.ifPresent(Argument.nonNegativeInteger) ?? 0)
            case "hint": hint = try argument.hint()
            case "collation": try argument.checkCollation()
            case "collectionUUID": uuid = try argument.ifPresent(Argument.uuid)
            // Which fields to return means nothing to a number; old clients send it, and whatever they send is good.
            case "fields": break
            case "includeQueryStatsMetrics": _ = try argument.ifPresent(Argument.bool)
            default: throw argument.unknownField()
            }
        }
        var query = FindQuery(filter: filter)
        query.skip = skip
        query.limit = limit == 0 ? nil : Int(clamping: limit.magnitude)
        query.deadline = context.deadline(of: request)
        query.preference = request.shared.routing
        return (query, hint, uuid)
    }
}

extension Argument {
    /// A negative limit counts like its magnitude. Unlike elsewhere a number is not rounded, and a null is no way to
    /// leave it out.
    fileprivate func countLimit() throws(CommandError) -> Int64 {
        guard let limit = value.number?.asInt64Exact, limit > .min else {
            throw CommandError(.badValue, "'limit' value is not a valid number")
        }
        return limit
    }
}
