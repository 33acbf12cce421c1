package import CommandModel

/// The roles that somebody has made, beside the built-in ones, and what follows from them.
package struct RoleGraph: Sendable {
    private var roles: [RoleName: RoleRecord]

    package init(_ roles: some Sequence<RoleRecord>) {
        self.roles = Dictionary(roles.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    package subscript(name: RoleName) -> RoleRecord? { roles[name] }

    package var all: [RoleRecord] { Array(roles.values) }

    package func contains(_ name: RoleName) -> Bool { BuiltInRole(name) != nil || roles[name] != nil }

    package func inDatabase(_ database: String) -> [RoleRecord] {
        roles.values.filter { $0.name.database.hasSameBytes(as: database) }.sorted { $0.name.name < $1.name.name }
    }

    package mutating func put(_ role: RoleRecord) { roles[role.name] = role }

    /// These and all that they inherit from, each once, nearest first.
    package func closure(of names: [RoleName]) -> [RoleName] {
        var (found, seen) = ([RoleName](), Set<RoleName>())
        var next = names[...]
        while let name = next.popFirst() {
            guard seen.insert(name).inserted else { continue }
            found.append(name)
            if let role = roles[name] { next += role.roles }
        }
        return found
    }

    /// Those that `names` inherit from, themselves left out unless they inherit from each other.
    package func inherited(by names: [RoleName]) -> [RoleName] {
        closure(of: names.flatMap { roles[$0]?.roles ?? [] })
    }

    package func privileges(of names: [RoleName]) -> PrivilegeSet {
        var set = PrivilegeSet()
        for name in closure(of: names) { ownPrivileges(of: name).forEach { set.insert($0) } }
        return set
    }

    package func ownPrivileges(of name: RoleName) -> [Privilege] {
        BuiltInRole(name)?.privileges(in: name.database) ?? roles[name]?.privileges ?? []
    }

    /// From where a user with these roles may come. All of them must agree.
    package func restrictions(of names: [RoleName]) -> [AuthenticationRestrictions] {
        closure(of: names).compactMap { roles[$0]?.restrictions }.filter { !$0.isEmpty }
    }

    /// - Throws: RoleNotFound (31).
    package func checkExists(_ names: [RoleName]) throws(CommandError) {
        for name in names where !contains(name) {
            throw CommandError(.roleNotFound, "Could not find role: \(name)")
        }
    }

    /// Whether `role` would inherit from itself.
    ///
    /// - Throws: InvalidRoleModification (34).
    package func checkAcyclic(_ role: RoleName, inheriting names: [RoleName]) throws(CommandError) {
        for name in names where closure(of: [name]).contains(role) {
            throw CommandError(
                .invalidRoleModification, "Granting \(name) to \(role) would introduce a cycle in the role graph.")
        }
    }
}

extension ErrorCode {
    package static let userNotFound = ErrorCode(11, "UserNotFound")
    package static let authenticationFailed = ErrorCode(18, "AuthenticationFailed")
    package static let roleNotFound = ErrorCode(31, "RoleNotFound")
    package static let invalidRoleModification = ErrorCode(34, "InvalidRoleModification")
    package static let protocolError = ErrorCode(17, "ProtocolError")
    package static let mechanismUnavailable = ErrorCode(334, "MechanismUnavailable")
    package static let roleAlreadyExists = ErrorCode(51002)
    package static let userAlreadyExists = ErrorCode(51003)
}
