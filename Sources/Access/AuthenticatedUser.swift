package import CommandModel
internal import Crypto

/// A user on a connection, with what follows from its roles.
package struct AuthenticatedUser: Sendable {
    package let name: UserName
    /// Tells this user from a later one of the same name.
    package let id: [UInt8]
    package let mechanism: String
    package let roles: [RoleName]
    package let allRoles: [RoleName]
    package let privileges: PrivilegeSet
    /// Of users and roles, when this was put together.
    package let generation: Int64

    package init(_ record: UserRecord, mechanism: String, roles graph: RoleGraph, generation: Int64) {
        name = record.name
        id = record.id
        self.mechanism = mechanism
        roles = record.roles
        allRoles = graph.closure(of: record.roles)
        privileges = graph.privileges(of: record.roles)
        self.generation = generation
        sessionOwner = record.name.sessionOwner
    }

    /// Sessions of two users are two, even if they have the same UUID.
    package let sessionOwner: [UInt8]
}

extension PrincipalName {
    /// The hash of the user that belongs to a session's id: `lsid.uid`.
    package var sessionOwner: [UInt8] { Array(SHA256.hash(data: Array(description.utf8))) }
}

/// What the client of a command may do.
package struct AccessView: Sendable {
    package let user: AuthenticatedUser?
    /// Nothing is forbidden when it is false.
    package let isEnforced: Bool

    package init(user: AuthenticatedUser?, isEnforced: Bool) {
        self.user = user
        self.isEnforced = isEnforced
    }

    package func allows(_ action: Action, on target: Target) -> Bool {
        !isEnforced || user?.privileges.allows(action, on: target) ?? false
    }

    package func allows(_ action: Action, in database: String) -> Bool { allows(action, on: .database(database)) }

    /// Whether the client may do anything at all with a collection.
    package func sees(_ namespace: Namespace) -> Bool {
        !isEnforced || user?.privileges.concerns(namespace) ?? false
    }

    package func sees(database: String) -> Bool {
        !isEnforced || user?.privileges.concerns(database: database) ?? false
    }
}
