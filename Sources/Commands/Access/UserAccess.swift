internal import Access
internal import BSON
internal import CommandModel

/// What the commands about users and roles need: nobody gives away what is not theirs to give.
enum UserAccess {
    /// All databases: only a privilege for every database holds for it.
    private static let everyDatabase = Target.database("")

    @Sendable static func createUser(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        let arguments = try UserArguments(request, of: "createUser")
        let database = Target.database(arguments.name.database)
        return [Requirement(.createUser, on: database)] + granting(arguments.roles ?? [])
            + restricting(arguments.restrictions != nil, database)
    }

    @Sendable static func createRole(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        let arguments = try RoleArguments(request, of: "createRole")
        let database = Target.database(arguments.name.database)
        return [Requirement(.createRole, on: database)] + granting(arguments.roles ?? [])
            + granting(arguments.privileges ?? []) + restricting(arguments.restrictions != nil, database)
    }

    @Sendable static func updateRole(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        let arguments = try RoleArguments(request, of: "updateRole")
        let replaces = arguments.roles != nil || arguments.privileges != nil
        return (replaces ? [Requirement(.revokeRole, on: everyDatabase)] : [])
            + granting(arguments.roles ?? []) + granting(arguments.privileges ?? [])
            + restricting(arguments.restrictions != nil, .database(arguments.name.database))
    }

    /// One's own password and data are one's own business, if one may.
    @Sendable static func updateUser(_ request: CommandRequest, _ view: AccessView) throws(CommandError) -> Bool {
        let arguments = try UserArguments(request, of: "updateUser")
        let database = Target.database(arguments.name.database)
        let isOwn = view.user?.name == arguments.name
        func allows(_ action: Action, own: Action) -> Bool {
            view.allows(action, on: database) || isOwn && view.allows(own, on: database)
        }
        if arguments.password != nil || arguments.mechanisms != nil {
            guard allows(.changePassword, own: .changeOwnPassword) else { return false }
        }
        if arguments.customData != nil {
            guard allows(.changeCustomData, own: .changeOwnCustomData) else { return false }
        }
        var needed = restricting(arguments.restrictions != nil, database)
        if let roles = arguments.roles { needed += [Requirement(.revokeRole, on: everyDatabase)] + granting(roles) }
        // What asks for nothing is refused by the handler, but not told to everybody.
        if arguments.isEmpty { needed.append(Requirement(.changePassword, on: database)) }
        return needed.allSatisfy { view.allows($0.action, on: $0.target) }
    }

    @Sendable static func grantRolesToUser(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        granting(try request.roleList(of: "grantRolesToUser"))
    }

    @Sendable static func grantRolesToRole(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        granting(try request.roleList(of: "grantRolesToRole"))
    }

    @Sendable static func revokeRolesFromUser(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        try request.roleList(of: "revokeRolesFromUser").map { Requirement(.revokeRole, on: .database($0.database)) }
    }

    @Sendable static func revokeRolesFromRole(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        try request.roleList(of: "revokeRolesFromRole").map { Requirement(.revokeRole, on: .database($0.database)) }
    }

    @Sendable static func grantPrivileges(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        granting(try request.privilegeList(of: "grantPrivilegesToRole"))
    }

    @Sendable static func revokePrivileges(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        try request.privilegeList(of: "revokePrivilegesFromRole").map {
            Requirement(.revokeRole, on: .database($0.resource.database ?? "admin"))
        }
    }

    @Sendable static func usersInfo(_ request: CommandRequest, _ view: AccessView) throws(CommandError) -> Bool {
        let arguments = try UsersInfoArguments(request)
        switch arguments.whom {
        case .everywhere: return view.allows(.viewUser, on: everyDatabase)
        case .database(let database): return view.allows(.viewUser, in: database)
        case .named(let names):
            return names.allSatisfy { name in
                name == view.user?.name && !arguments.showsCredentials || view.allows(.viewUser, in: name.database)
            }
        }
    }

    @Sendable static func rolesInfo(_ request: CommandRequest, _ view: AccessView) throws(CommandError) -> Bool {
        guard let names = try RolesInfoArguments(request).names else {
            return view.allows(.viewRole, in: request.database)
        }
        return names.allSatisfy { name in
            view.user?.allRoles.contains(name) ?? false || view.allows(.viewRole, in: name.database)
        }
    }

    private static func granting(_ roles: [RoleName]) -> [Requirement] {
        roles.map { Requirement(.grantRole, on: .database($0.database)) }
    }

    /// A privilege that is not of one database is granted by who rules `admin`.
    private static func granting(_ privileges: [Privilege]) -> [Requirement] {
        privileges.map { Requirement(.grantRole, on: .database($0.resource.database ?? "admin")) }
    }

    private static func restricting(_ restricts: Bool, _ database: Target) -> [Requirement] {
        restricts ? [Requirement(.setAuthenticationRestriction, on: database)] : []
    }
}
