internal import Access
internal import BSON
internal import CommandModel

/// What `createRole` and `updateRole` say about a role.
struct RoleArguments: Sendable {
    let name: RoleName
    private(set) var privileges: [Privilege]?
    private(set) var roles: [RoleName]?
    private(set) var restrictions: AuthenticationRestrictions?

    init(_ request: CommandRequest, of command: StaticString) throws(CommandError) {
        name = try request.roleName(of: command)
        try request.forEachArgument(of: command) { argument throws(CommandError) in
            guard !argument.isOmitted else { return }
            switch argument.key {
            case "privileges": privileges = try Privilege.list(argument.array())
            case "roles": roles = try RoleName.list(argument.array(), in: request.database)
            case "authenticationRestrictions": restrictions = try AuthenticationRestrictions(argument.value)
            default: throw argument.unknownField()
            }
        }
        try name.checkReach(of: privileges ?? [], roles ?? [])
    }
}

extension CommandRequest {
    /// A role that may be made or changed.
    func roleName(of command: StaticString) throws(CommandError) -> RoleName {
        guard database != PrincipalName.external else {
            throw CommandError(.badValue, "Cannot create or change roles in the $external database")
        }
        let name = try principalName(of: command, "role")
        guard BuiltInRole(name) == nil else {
            throw command.description == "createRole"
                ? CommandError(.badValue, "Cannot create roles with the same name as a built-in role")
                : CommandError(.invalidRoleModification, "\(name) is a built-in role and cannot be modified")
        }
        return name
    }

    /// The argument `privileges` of a command that has no other, and needs at least one.
    func privilegeList(of command: StaticString) throws(CommandError) -> [Privilege] {
        var privileges: [Privilege]?
        try forEachArgument(of: command) { argument throws(CommandError) in
            guard argument.key == "privileges" else { throw argument.unknownField() }
            privileges = try Privilege.list(argument.array())
        }
        guard let privileges else { throw .missingField("\(command).privileges") }
        guard !privileges.isEmpty else {
            throw CommandError(.badValue, "\(command) command requires a non-empty \"privileges\" array")
        }
        return privileges
    }
}

extension PrincipalName {
    /// Only a role of `admin` reaches beyond its own database.
    func checkReach(of privileges: [Privilege], _ roles: [RoleName]) throws(CommandError) {
        guard database != "admin" else { return }
        for privilege in privileges where privilege.resource.database?.hasSameBytes(as: database) != true {
            throw CommandError(
                .invalidRoleModification,
                "Roles on the '\(database)' database cannot be granted privileges that target other databases or the "
                    + "cluster")
        }
        for role in roles where !role.database.hasSameBytes(as: database) {
            throw CommandError(
                .invalidRoleModification,
                "Roles on the '\(database)' database cannot be granted roles from other databases")
        }
    }
}

extension CommandError {
    static func roleNotFound(_ name: RoleName) -> CommandError {
        CommandError(.roleNotFound, "Could not find role: \(name)")
    }
}
