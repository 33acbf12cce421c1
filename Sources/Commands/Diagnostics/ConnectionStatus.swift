internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/connectionStatus/

extension CommandTable {
    /// Nobody is authenticated so far: the lists are empty.
    @Sendable static func connectionStatus(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var showsPrivileges = false
        try request.forEachArgument(of: "connectionStatus") { argument throws(CommandError) in
            guard argument.key == "showPrivileges" else { throw argument.unknownField() }
            showsPrivileges = try argument.isOmitted ? false : argument.lenientBool()
        }
        return CommandReply { builder in
            builder.beginDocument("authInfo")
            builder.append("authenticatedUsers", strings: [])
            builder.append("authenticatedUserRoles", strings: [])
            if showsPrivileges { builder.append("authenticatedUserPrivileges", strings: []) }
            builder.end()
            builder.append("uuid", binary: context.connection.uuid, subtype: 4)
        }
    }
}
