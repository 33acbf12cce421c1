internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/mapReduce/

extension CommandTable {
    /// Refused by name, so that a client hears why.
    @Sendable static func mapReduce(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        throw CommandError(
            .notImplemented,
            "mapReduce is deprecated and needs JavaScript, which this server does not run: use an aggregation pipeline")
    }
}
