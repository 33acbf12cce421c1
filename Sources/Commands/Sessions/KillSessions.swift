internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/killSessions/

extension CommandTable {
    /// Kills the cursors of the client's named sessions, or of all its sessions when none is named. The sessions may be
    /// used again.
    @Sendable static func killSessions(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let ids = try SessionList.ids(in: request, of: "killSessions")
        let isForAll = try request.withCommandValue(of: "killSessions") { argument throws(CommandError) in
            try argument.array().isEmpty
        }
        let sessions = isForAll ? context.server.sessions.all.filter { $0.owner == request.owner } : ids
        context.server.kill(sessions: sessions)
        context.server.operations.kill(sessions: sessions, except: context.operation)
        return CommandReply()
    }
}
