internal import Access
internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/createUser/

extension CommandTable {
    @Sendable static func createUser(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try UserArguments(request, of: "createUser")
        guard let roles = arguments.roles else { throw .missingField("createUser.roles") }
        guard arguments.password != nil || arguments.name.database == PrincipalName.external else {
            throw CommandError(
                .badValue,
                "Must provide a 'pwd' field for all user documents, except those with '$external' as the user's "
                    + "source db")
        }
        try arguments.checkPassword()
        var user = UserRecord(name: arguments.name, id: randomUUID())
        user.roles = roles
        user.customData = arguments.customData
        user.restrictions = arguments.restrictions ?? AuthenticationRestrictions()
        user.credentials = try await context.server.access.credentials(for: arguments)
        // Nobody has logged in, and yet the command has come this far: it is the first user who is made.
        let mustBeFirst = context.server.access.isEnforced && context.connection.user == nil
        let made = user
        try await context.changeAccess { transaction throws(StorageError) in
            if mustBeFirst, try transaction.hasAnybody() {
                throw .command(CommandError(.unauthorized, "Command createUser requires authentication"))
            }
            guard try transaction.user(made.name) == nil else {
                throw .command(CommandError(.userAlreadyExists, "User \"\(made.name)\" already exists"))
            }
            let graph = try transaction.roles()
            try StorageError.of { () throws(CommandError) in try graph.checkExists(made.roles) }
            try transaction.put(made)
        }
        return CommandReply()
    }
}

extension CommandContext {
    /// Changes users or roles, and lets nobody act by the old ones.
    @discardableResult
    func changeAccess<R: Sendable>(
        _ body: @escaping @Sendable (inout AccessTransaction) throws(StorageError) -> R
    ) async throws(CommandError) -> R {
        let result = try await engine.mapped { () async throws(StorageError) in
            try await self.server.access.store.change(body)
        }
        await server.access.changed()
        return result
    }
}

extension CommandError {
    static func userNotFound(_ name: UserName) -> CommandError {
        CommandError(.userNotFound, "User '\(name)' not found")
    }
}
