internal import Access
internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/nav-user-management/

extension CommandTable {
    /// Replaces what is given and leaves the rest.
    @Sendable static func updateUser(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try UserArguments(request, of: "updateUser")
        guard !arguments.isEmpty else {
            throw CommandError(.badValue, "Must specify at least one field to update in updateUser")
        }
        try arguments.checkPassword()
        let credentials = try await context.server.access.credentials(for: arguments)
        try await context.changeAccess { transaction throws(StorageError) in
            guard var user = try transaction.user(arguments.name) else {
                throw .command(.userNotFound(arguments.name))
            }
            if let roles = arguments.roles {
                let graph = try transaction.roles()
                try StorageError.of { () throws(CommandError) in try graph.checkExists(roles) }
                user.roles = roles
            }
            user.customData = arguments.customData ?? user.customData
            user.restrictions = arguments.restrictions ?? user.restrictions
            try StorageError.of { () throws(CommandError) in try user.take(credentials, arguments) }
            try transaction.put(user)
        }
        return CommandReply()
    }

    @Sendable static func dropUser(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let name = try request.principalName(of: "dropUser", "user")
        try request.takesNoArguments("dropUser")
        try await context.changeAccess { transaction throws(StorageError) in
            guard try transaction.dropUser(name) else { throw .command(.userNotFound(name)) }
        }
        return CommandReply()
    }

    @Sendable static func dropAllUsersFromDatabase(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try request.takesNoArguments("dropAllUsersFromDatabase")
        let database = request.database
        let count = try await context.changeAccess {
            transaction throws(StorageError) in try transaction.dropUsers(of: database)
        }
        return CommandReply { $0.append("n", int32: Int32(clamping: count)) }
    }

    @Sendable static func grantRolesToUser(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try await changeRoles(of: "grantRolesToUser", request, context) { user, roles in
            user.roles += roles.filter { !user.roles.contains($0) }
        }
    }

    @Sendable static func revokeRolesFromUser(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try await changeRoles(of: "revokeRolesFromUser", request, context) { user, roles in
            user.roles.removeAll(where: roles.contains)
        }
    }

    private static func changeRoles(
        of command: StaticString, _ request: CommandRequest, _ context: CommandContext,
        _ change: @escaping @Sendable (inout UserRecord, [RoleName]) -> Void
    ) async throws(CommandError) -> CommandReply {
        let name = try request.principalName(of: command, "user")
        let roles = try request.roleList(of: command)
        try await context.changeAccess { transaction throws(StorageError) in
            guard var user = try transaction.user(name) else { throw .command(.userNotFound(name)) }
            let graph = try transaction.roles()
            try StorageError.of { () throws(CommandError) in try graph.checkExists(roles) }
            change(&user, roles)
            try transaction.put(user)
        }
        return CommandReply()
    }

    /// What is remembered of users and roles is read again; what others have changed is seen at once.
    @Sendable static func invalidateUserCache(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try request.takesNoArguments("invalidateUserCache")
        await context.server.access.changed()
        return CommandReply()
    }
}

extension UserRecord {
    /// - Throws: BadValue (2) when mechanisms are added for which the password is not known.
    fileprivate mutating func take(
        _ new: [ScramCredentials], _ arguments: UserArguments
    ) throws(CommandError) {
        guard arguments.password == nil else { return credentials = new }
        guard let mechanisms = arguments.mechanisms else { return }
        guard mechanisms.allSatisfy({ mechanism in credentials.contains { $0.mechanism == mechanism } }) else {
            throw CommandError(.badValue, "mechanisms field must be a subset of previously set mechanisms")
        }
        credentials.removeAll { !mechanisms.contains($0.mechanism) }
    }
}

extension CommandRequest {
    /// The argument `roles` of a command that has no other, and needs at least one.
    func roleList(of command: StaticString) throws(CommandError) -> [RoleName] {
        var roles: [RoleName]?
        try forEachArgument(of: command) { argument throws(CommandError) in
            guard argument.key == "roles" else { throw argument.unknownField() }
            roles = try RoleName.list(argument.array(), in: database)
        }
        guard let roles else { throw .missingField("\(command).roles") }
        guard !roles.isEmpty else {
            throw CommandError(.badValue, "\(command) command requires a non-empty \"roles\" array")
        }
        return roles
    }
}
