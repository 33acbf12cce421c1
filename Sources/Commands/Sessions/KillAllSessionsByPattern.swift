internal import Access
internal import BSON
internal import CommandModel
internal import Storage

extension CommandTable {
    /// Kills the cursors of the sessions that one of the patterns matches, or of all when there is no pattern.
    @Sendable static func killAllSessionsByPattern(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var patterns: [SessionPattern] = []
        try request.withCommandValue(of: "killAllSessionsByPattern") { argument throws(CommandError) in
            try argument.forEachDocument { element throws(CommandError) in
                patterns.append(try SessionPattern(element))
            }
            if try argument.array().isEmpty { patterns.append(SessionPattern()) }
        }
        let known = context.server.sessions.all.union(patterns.compactMap(\.session))
        let sessions = known.filter { session in patterns.contains { $0.matches(session) } }
        context.server.kill(sessions: sessions)
        return CommandReply()
    }
}

/// `{lsid, uid, users, roles}`, each optional: all that is given must match.
private struct SessionPattern {
    private(set) var session: LogicalSessionID?
    /// Of the users that may be meant; nil for any, or none.
    private var owners: Set<[UInt8]>?

    init() {}

    init(_ pattern: Argument) throws(CommandError) {
        guard let document = pattern.value.document else { throw pattern.wrongType(expected: "object") }
        for field in document {
            let part = Argument(command: "killAllSessionsByPattern", key: field.key, value: field.value)
            if part.isOmitted { continue }
            switch field.key {
            case "lsid":
                let owner = field.value.document?["uid"]?.binary.map { Array($0.data) }
                session = try part.sessionID().owned(by: owner)
            case "uid":
                guard let (_, owner) = field.value.binary else { throw part.wrongType(expected: "binData") }
                narrow(to: [Array(owner)])
            case "users":
                var named: Set<[UInt8]> = []
                try part.forEachDocument { user throws(CommandError) in named.insert(try user.user().sessionOwner) }
                if !named.isEmpty { narrow(to: named) }
            case "roles":
                // Sessions are known by their users, not by what these may do.
                if try !part.array().isEmpty { narrow(to: []) }
            default: throw part.unknownField()
            }
        }
    }

    private mutating func narrow(to others: Set<[UInt8]>) { owners = owners?.intersection(others) ?? others }

    func matches(_ other: LogicalSessionID) -> Bool {
        if let session, session != other { return false }
        guard let owners else { return true }
        return other.owner.map(owners.contains) ?? false
    }
}
