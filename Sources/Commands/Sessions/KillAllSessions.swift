internal import Access
internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/killAllSessions/

extension CommandTable {
    /// Kills the cursors of all sessions, or of those of the named users.
    @Sendable static func killAllSessions(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let owners = try request.withCommandValue(of: "killAllSessions") {
            argument throws(CommandError) -> Set<[UInt8]>? in
            var owners: Set<[UInt8]> = []
            try argument.forEachDocument { user throws(CommandError) in
                owners.insert(try user.user().sessionOwner)
            }
            return try argument.array().isEmpty ? nil : owners
        }
        let sessions = context.server.sessions.all.filter { session in
            owners.map { owners in session.owner.map(owners.contains) ?? false } ?? true
        }
        context.server.kill(sessions: sessions)
        context.server.operations.kill(sessions: sessions, except: context.operation)
        return CommandReply()
    }
}

extension Argument {
    /// `{user: string, db: string}`.
    func user() throws(CommandError) -> UserName {
        guard let document = value.document else { throw wrongType(expected: "object") }
        for field in document {
            let part = Argument(command: command, key: field.key, value: field.value)
            guard field.key == "user" || field.key == "db" else { throw part.unknownField() }
            try part.requireValue()
            _ = try part.string()
        }
        guard let user = document["user"]?.string else { throw .missingField("\(command).user") }
        guard let database = document["db"]?.string else { throw .missingField("\(command).db") }
        return UserName(user, in: database)
    }
}
