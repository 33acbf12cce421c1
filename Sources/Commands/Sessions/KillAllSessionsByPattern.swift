internal import BSON
internal import CommandModel
internal import Storage

extension CommandTable {
    /// Kills the cursors of the sessions that one of the patterns matches, or of all when there is no pattern.
    @Sendable static func killAllSessionsByPattern(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var (isForAll, ids) = (false, Set<LogicalSessionID>())
        try request.withCommandValue(of: "killAllSessionsByPattern") { argument throws(CommandError) in
            try argument.forEachDocument { element throws(CommandError) in
                switch try SessionPattern(element) {
                case .everything: isForAll = true
                case .session(let id): ids.insert(id)
                case .nothing: break
                }
            }
            if try argument.array().isEmpty { isForAll = true }
        }
        context.server.kill(sessions: isForAll ? context.server.sessions.all : ids)
        return CommandReply()
    }
}

/// `{lsid, uid, users, roles}`, each optional. Only the session id can match: there are no users and no roles.
private enum SessionPattern {
    case everything
    case session(LogicalSessionID)
    case nothing

    init(_ pattern: Argument) throws(CommandError) {
        guard let document = pattern.value.document else { throw pattern.wrongType(expected: "object") }
        self = .everything
        for field in document {
            let part = Argument(command: "killAllSessionsByPattern", key: field.key, value: field.value)
            if part.isOmitted { continue }
            switch field.key {
            case "lsid":
                let id = try part.sessionID()
                if case .everything = self { self = .session(id) }
            case "uid":
                guard field.value.binary != nil else { throw part.wrongType(expected: "binData") }
                self = .nothing
            case "users", "roles":
                if try !part.array().isEmpty { self = .nothing }
            default: throw part.unknownField()
            }
        }
    }
}
