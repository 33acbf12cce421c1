internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/refreshSessions/

extension CommandTable {
    @Sendable static func refreshSessions(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        for id in try SessionList.ids(in: request, of: "refreshSessions") { context.server.sessions.touch(id) }
        return CommandReply()
    }
}
