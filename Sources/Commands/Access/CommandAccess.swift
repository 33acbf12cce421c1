package import Access
package import CommandModel
internal import Storage

/// An action on something: a command may need several.
package struct Requirement: Sendable, Equatable {
    package let action: Action
    package let target: Target

    init(_ action: Action, on target: Target) {
        self.action = action
        self.target = target
    }

    init(_ action: Action, _ namespace: Namespace) { self.init(action, on: .collection(namespace)) }
}

/// Who may send a command.
package enum CommandAccess: Sendable {
    /// Everybody, also before a login.
    case everybody
    /// Who has logged in: the command touches only what is the client's own, or looks itself what it may show.
    case loggedIn
    /// Who is allowed all that the command does.
    case needing(@Sendable (CommandRequest) throws(CommandError) -> [Requirement])
    /// Where it depends on more than a list.
    case judging(@Sendable (CommandRequest, AccessView) throws(CommandError) -> Bool)
    /// Nobody has said so far. Then nobody may, but for those who may do anything: a new command is not open by
    /// oversight.
    case undeclared
}

extension CommandAccess {
    /// Actions on the collection that the first field names.
    static func collection(_ actions: Action...) -> CommandAccess {
        .needing { request throws(CommandError) in
            let namespace = try request.namespace()
            return actions.map { Requirement($0, namespace) }
        }
    }

    /// Actions on the database of the command.
    static func database(_ actions: Action...) -> CommandAccess {
        .needing { request in actions.map { Requirement($0, on: .database(request.database)) } }
    }

    static func cluster(_ actions: Action...) -> CommandAccess {
        .needing { _ in actions.map { Requirement($0, on: .cluster) } }
    }

    /// Whether a client who has logged in may send this.
    package func allows(_ request: CommandRequest, _ view: AccessView) throws(CommandError) -> Bool {
        switch self {
        case .everybody, .loggedIn: true
        case .needing(let requirements):
            try requirements(request).allSatisfy { view.allows($0.action, on: $0.target) }
        case .judging(let judge): try judge(request, view)
        case .undeclared: view.allows(.anyAction, on: .cluster)
        }
    }

    package var isForEverybody: Bool {
        if case .everybody = self { return true }
        return false
    }
}

/// The one check before a command's handler runs.
package enum Authorizer {
    /// - Returns: the command, in the session of its user.
    /// - Throws: Unauthorized (13).
    package static func check(
        _ entry: CommandTable.Entry, _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandRequest {
        let access = context.server.access
        guard access.isEnforced else { return request }
        guard let user = try await currentUser(context) else {
            if entry.access.isForEverybody { return request }
            if entry.name == "createUser", try await mayMakeFirstUser(request, context) { return request }
            throw CommandError(.unauthorized, "Command \(entry.name) requires authentication")
        }
        guard try entry.access.allows(request, AccessView(user: user, isEnforced: true)) else {
            throw CommandError(
                .unauthorized, "not authorized on \(request.database) to execute command \(request.shownText)")
        }
        return request.owned(by: user.sessionOwner)
    }

    /// The user of the connection with the roles of now. A user who was dropped is logged out.
    private static func currentUser(_ context: CommandContext) async throws(CommandError) -> AuthenticatedUser? {
        let (access, connection) = (context.server.access, context.connection)
        guard let user = connection.user else { return nil }
        if access.isCurrent(user) { return user }
        let now = try await context.engine.mapped { () async throws(StorageError) in
            try await access.user(user.name, id: user.id, mechanism: user.mechanism)?.user
        }
        connection.replaceUser(now)
        return now
    }

    /// A server without users must get its first one from somebody: who is on this machine. The handler looks again,
    /// within its transaction.
    private static func mayMakeFirstUser(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> Bool {
        guard context.connection.remote?.isLoopback ?? true, request.database == "admin" else { return false }
        return try await context.engine.mapped { () async throws(StorageError) in
            try await !context.server.access.store.hasAnybody()
        }
    }
}

extension CommandContext {
    /// What the client may do, for handlers that show a part.
    package var access: AccessView {
        AccessView(user: connection.user, isEnforced: server.access.isEnforced)
    }
}
