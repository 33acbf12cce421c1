internal import Access
internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/nav-role-management/

extension CommandTable {
    @Sendable static func createRole(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try RoleArguments(request, of: "createRole")
        guard let privileges = arguments.privileges else { throw .missingField("createRole.privileges") }
        guard let roles = arguments.roles else { throw .missingField("createRole.roles") }
        var role = RoleRecord(name: arguments.name)
        role.privileges = privileges
        role.roles = roles
        role.restrictions = arguments.restrictions ?? AuthenticationRestrictions()
        let made = role
        try await context.changeAccess { transaction throws(StorageError) in
            let graph = try transaction.roles()
            try StorageError.of { () throws(CommandError) in
                guard graph[made.name] == nil else {
                    throw CommandError(.roleAlreadyExists, "Role \"\(made.name)\" already exists")
                }
                guard graph.all.count < rolesMax else {
                    throw CommandError(.badValue, "there may be \(rolesMax) roles")
                }
                try graph.check(made)
            }
            try transaction.put(made)
        }
        return CommandReply()
    }

    /// All of them are read to find out what a user may do.
    private static let rolesMax = 10_000

    /// Replaces what is given and leaves the rest.
    @Sendable static func updateRole(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try RoleArguments(request, of: "updateRole")
        guard arguments.privileges != nil || arguments.roles != nil || arguments.restrictions != nil else {
            throw CommandError(.badValue, "Must specify at least one field to update in updateRole")
        }
        return try await change(arguments.name, context) { role in
            role.privileges = arguments.privileges ?? role.privileges
            role.roles = arguments.roles ?? role.roles
            role.restrictions = arguments.restrictions ?? role.restrictions
        }
    }

    @Sendable static func dropRole(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let name = try request.roleName(of: "dropRole")
        try request.takesNoArguments("dropRole")
        try await context.changeAccess { transaction throws(StorageError) in
            guard try transaction.dropRoles([name]) > 0 else { throw .command(.roleNotFound(name)) }
        }
        return CommandReply()
    }

    @Sendable static func dropAllRolesFromDatabase(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try request.takesNoArguments("dropAllRolesFromDatabase")
        let database = request.database
        let count = try await context.changeAccess {
            transaction throws(StorageError) in
            let names = try transaction.roles().inDatabase(database).map(\.name)
            return try transaction.dropRoles(Set(names))
        }
        return CommandReply { $0.append("n", int32: Int32(clamping: count)) }
    }

    @Sendable static func grantRolesToRole(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let name = try request.roleName(of: "grantRolesToRole")
        let roles = try request.roleList(of: "grantRolesToRole")
        try name.checkReach(of: [], roles)
        return try await change(name, context) { role in
            role.roles += roles.filter { !role.roles.contains($0) }
        }
    }

    @Sendable static func revokeRolesFromRole(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let name = try request.roleName(of: "revokeRolesFromRole")
        let roles = try request.roleList(of: "revokeRolesFromRole")
        return try await change(name, context) { $0.roles.removeAll(where: roles.contains) }
    }

    @Sendable static func grantPrivilegesToRole(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let name = try request.roleName(of: "grantPrivilegesToRole")
        let privileges = try request.privilegeList(of: "grantPrivilegesToRole")
        try name.checkReach(of: privileges, [])
        return try await change(name, context) { role in
            role.privileges = PrivilegeSet(role.privileges + privileges).all
        }
    }

    @Sendable static func revokePrivilegesFromRole(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let name = try request.roleName(of: "revokePrivilegesFromRole")
        let privileges = try request.privilegeList(of: "revokePrivilegesFromRole")
        return try await change(name, context) { role in
            var left = PrivilegeSet(role.privileges)
            privileges.forEach { left.remove($0) }
            role.privileges = left.all
        }
    }

    private static func change(
        _ name: RoleName, _ context: CommandContext,
        _ body: @escaping @Sendable (inout RoleRecord) -> Void
    ) async throws(CommandError) -> CommandReply {
        try await context.changeAccess { transaction throws(StorageError) in
            let graph = try transaction.roles()
            guard var role = graph[name] else { throw .command(.roleNotFound(name)) }
            body(&role)
            let changed = role
            try StorageError.of { () throws(CommandError) in try graph.check(changed) }
            try transaction.put(changed)
        }
        return CommandReply()
    }
}

extension RoleGraph {
    /// - Throws: RoleNotFound (31), InvalidRoleModification (34).
    fileprivate func check(_ role: RoleRecord) throws(CommandError) {
        try checkExists(role.roles)
        try checkAcyclic(role.name, inheriting: role.roles)
    }
}
