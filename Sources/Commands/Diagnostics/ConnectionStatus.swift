internal import Access
internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/connectionStatus/

extension CommandTable {
    @Sendable static func connectionStatus(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var showsPrivileges = false
        try request.forEachArgument(of: "connectionStatus") { argument throws(CommandError) in
            guard argument.key == "showPrivileges" else { throw argument.unknownField() }
            showsPrivileges = try argument.isOmitted ? false : argument.lenientBool()
        }
        let user = context.connection.user
        return CommandReply { builder in
            builder.beginDocument("authInfo")
            builder.append("authenticatedUsers", users: user.map { [$0.name] } ?? [])
            builder.append("authenticatedUserRoles", roles: user?.allRoles ?? [])
            if showsPrivileges {
                builder.append("authenticatedUserPrivileges", privileges: user?.privileges.all ?? [])
            }
            builder.end()
            builder.append("uuid", binary: context.connection.uuid, subtype: 4)
        }
    }
}

extension DocumentBuilder {
    mutating func append(_ key: StaticString, users: [UserName]) {
        beginArray(key)
        for (index, user) in users.enumerated() {
            beginDocument(index: index)
            append("user", string: user.name)
            append("db", string: user.database)
            end()
        }
        end()
    }
}
