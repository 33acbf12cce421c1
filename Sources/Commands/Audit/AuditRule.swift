internal import Access
internal import BSON
internal import CommandModel
internal import Logging

/// Which commands the audit tells of, and what it says of them: what was changed, and the names of the arguments. Of
/// their values it says roles and the names of indexes, nothing else: there are no secrets in it.
package enum AuditRule: Sendable {
    /// Of the collection that the first field names.
    case collection
    /// Of the user or the role that the first field names.
    case principal
    case database
    /// Of a name with its database, which gets another.
    case rename
    /// Of the server.
    case server

    package var event: String {
        switch self {
        case .collection, .database, .rename: "schema"
        case .principal: "access"
        case .server: "server"
        }
    }

    package static func of(_ command: String) -> AuditRule? { rules[command] }

    private static let rules: [String: AuditRule] = {
        var rules: [String: AuditRule] = [:]
        let names: [(AuditRule, [String])] = [
            (
                .collection,
                [
                    "create", "drop", "collMod", "convertToCapped", "cloneCollectionAsCapped", "createIndexes",
                    "dropIndexes", "deleteIndexes",
                ]
            ),
            (
                .principal,
                [
                    "createUser", "updateUser", "dropUser", "dropAllUsersFromDatabase", "grantRolesToUser",
                    "revokeRolesFromUser", "createRole", "updateRole", "dropRole", "dropAllRolesFromDatabase",
                    "grantRolesToRole", "revokeRolesFromRole", "grantPrivilegesToRole", "revokePrivilegesFromRole",
                ]
            ),
            (.database, ["dropDatabase"]),
            (.rename, ["renameCollection"]),
            (
                .server,
                [
                    "setParameter", "setClusterParameter", "setUserWriteBlockMode", "shutdown", "configureFailPoint",
                    "autoCompact", "rotateCertificates",
                ]
            ),
        ]
        for (rule, names) in names {
            for name in names { rules[name] = rule }
        }
        return rules
    }()

    /// What the command is about.
    func facts(of request: CommandRequest) -> Logger.Metadata {
        request.body.withRaw { raw in
            var facts: Logger.Metadata = ["arguments": "\(Self.argumentNames(raw))"]
            let first = raw.firstElement?.value.string ?? ""
            switch self {
            case .collection: facts["target"] = "\("\(request.database).\(first)".forLog)"
            case .database: facts["target"] = "\(request.database.forLog)"
            case .rename:
                facts["target"] = "\(first.forLog)"
                facts["to"] = "\((raw["to"]?.string ?? "").forLog)"
            case .principal:
                let name = first.isEmpty ? "*" : first
                facts["target"] = "\(PrincipalName(name, in: request.database).forLog)"
                if let roles = raw["roles"]?.array { facts["roles"] = "\(Self.roleNames(roles, in: request.database))" }
            case .server: break
            }
            if let names = Self.indexNames(raw) { facts["indexes"] = "\(names)" }
            return facts
        }
    }

    private static let namesMax = 20

    /// All but those that every command has.
    private static func argumentNames(_ raw: RawDocument) -> String {
        raw.dropFirst().lazy.map { $0.key.string }
            .filter { !$0.hasPrefix("$") && !["lsid", "comment", "writeConcern", "txnNumber"].contains($0) }
            .prefix(namesMax).map(\.forLog).joined(separator: " ")
    }

    private static func roleNames(_ roles: RawDocument, in database: String) -> String {
        roles.prefix(namesMax).map { role in
            if let name = role.value.string { return PrincipalName(name, in: database).forLog }
            guard let role = role.value.document else { return "?" }
            return PrincipalName(role["role"]?.string ?? "?", in: role["db"]?.string ?? database).forLog
        }.joined(separator: " ")
    }

    private static func indexNames(_ raw: RawDocument) -> String? {
        if let name = raw["index"]?.string { return name.forLog }
        guard let indexes = raw["indexes"]?.array ?? raw["index"]?.array else { return nil }
        return indexes.prefix(namesMax).map { index in
            (index.value.string ?? index.value.document?["name"]?.string ?? "?").forLog
        }.joined(separator: " ")
    }
}
