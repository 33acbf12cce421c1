internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/endSessions/

extension CommandTable {
    /// Drivers send it when a client closes: nobody will read the cursors of these sessions again.
    @Sendable static func endSessions(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let ids = try SessionList.ids(in: request, of: "endSessions")
        context.server.sessions.end(ids)
        context.server.kill(sessions: ids)
        return CommandReply()
    }
}
