internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/killAllSessions/

extension CommandTable {
    /// Kills the cursors of all sessions. When users are named, of none: there are no users that a session could be of.
    @Sendable static func killAllSessions(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let isForAll = try request.withCommandValue(of: "killAllSessions") { argument throws(CommandError) in
            try argument.forEachDocument { user throws(CommandError) in try user.checkUser() }
            return try argument.array().isEmpty
        }
        guard isForAll else { return CommandReply() }
        context.server.kill(sessions: context.server.sessions.all)
        context.server.operations.kill(sessions: context.server.sessions.all, except: context.operation)
        return CommandReply()
    }
}

extension Argument {
    /// `{user: string, db: string}`.
    func checkUser() throws(CommandError) {
        guard let document = value.document else { throw wrongType(expected: "object") }
        for field in document {
            let part = Argument(command: command, key: field.key, value: field.value)
            guard field.key == "user" || field.key == "db" else { throw part.unknownField() }
            try part.requireValue()
            _ = try part.string()
        }
        for name: StaticString in ["user", "db"] where document[name] == nil {
            throw .missingField("\(command).\(name)")
        }
    }
}
