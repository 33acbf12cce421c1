internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/nav-plan-cache/
//
// A plan is made for each query from what the indexes are at the moment, and none is kept: there is nothing to forget.
// Index filters, which would narrow the choice for queries of one shape, cannot be set, so that there never are any.

extension CommandTable {
    @Sendable static func planCacheClear(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try await checkPlanned(request, context)
        return CommandReply { _ in }
    }

    @Sendable static func planCacheListFilters(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try await checkPlanned(request, context)
        return CommandReply { builder in
            builder.beginArray("filters")
            builder.end()
        }
    }

    @Sendable static func planCacheClearFilters(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try await checkPlanned(request, context)
        return CommandReply { _ in }
    }

    /// As in MongoDB the shape of a query that the client names may be anything: no such plan is there either.
    private static func checkPlanned(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) {
        let namespace = try request.namespace()
        guard let collection = try await context.documents.collection(namespace) else { return }
        guard collection.view == nil, collection.timeseries == nil else { throw .notSupportedOnView(namespace) }
    }
}
