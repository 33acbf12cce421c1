package import BSON
package import CommandModel

/// A user as the catalog keeps it.
package struct UserRecord: Sendable {
    package let name: UserName
    /// 16 bytes: a user who is dropped and made again is another one.
    package let id: [UInt8]
    package var roles: [RoleName] = []
    package var customData: Document?
    package var restrictions = AuthenticationRestrictions()
    package var credentials: [ScramCredentials] = []

    package init(name: UserName, id: [UInt8]) {
        self.name = name
        self.id = id
    }

    /// By what a client may prove to be this user.
    package var mechanisms: [String] {
        name.database == PrincipalName.external ? ["external"] : credentials.map(\.mechanism.rawValue).sorted()
    }
}

/// A role that somebody has made.
package struct RoleRecord: Sendable {
    package let name: RoleName
    package var privileges: [Privilege] = []
    package var roles: [RoleName] = []
    package var restrictions = AuthenticationRestrictions()

    package init(name: RoleName) { self.name = name }
}

// As documents in the catalog.
extension UserRecord {
    package var document: Document {
        Document { builder in
            builder.append("roles", roles: roles)
            if let customData { builder.append("customData", document: customData) }
            if !restrictions.isEmpty { restrictions.write(into: &builder) }
            builder.append("credentials", credentials: credentials, of: name)
        }
    }

    /// - Throws: InternalError (1) when the row is not what was written there.
    package init(name: UserName, id: [UInt8], document: Document) throws(CommandError) {
        self.init(name: name, id: id)
        try document.withRaw { raw throws(CommandError) in
            if let array = raw["roles"]?.array { roles = try RoleName.list(array, in: name.database) }
            customData = raw["customData"]?.document.map(Document.init(copying:))
            if let value = raw["authenticationRestrictions"] { restrictions = try AuthenticationRestrictions(value) }
            for mechanism in ScramMechanism.allCases {
                guard let found = raw["credentials"]?.document?.first(where: { $0.key.string == mechanism.rawValue })
                else { continue }
                credentials.append(try ScramCredentials(mechanism, found.value))
            }
        }
    }
}

extension RoleRecord {
    package var document: Document {
        Document { builder in
            builder.append("privileges", privileges: privileges)
            builder.append("roles", roles: roles)
            if !restrictions.isEmpty { restrictions.write(into: &builder) }
        }
    }

    /// - Throws: when the row is not what was written there.
    package init(name: RoleName, document: Document) throws(CommandError) {
        self.init(name: name)
        try document.withRaw { raw throws(CommandError) in
            if let array = raw["roles"]?.array { roles = try RoleName.list(array, in: name.database) }
            if let array = raw["privileges"]?.array { privileges = try Privilege.list(array) }
            if let value = raw["authenticationRestrictions"] { restrictions = try AuthenticationRestrictions(value) }
        }
    }
}

extension ScramCredentials {
    fileprivate init(_ mechanism: ScramMechanism, _ value: RawValue) throws(CommandError) {
        func bytes(_ name: StaticString) -> [UInt8] {
            value.document?[RawKey(name)]?.string.flatMap(Base64.decode) ?? []
        }
        let iterations = Int(value.document?["iterationCount"]?.int32 ?? 0)
        self.init(
            mechanism: mechanism, salt: bytes("salt"), iterations: iterations, storedKey: bytes("storedKey"),
            serverKey: bytes("serverKey"))
        guard iterations > 0, storedKey.count == mechanism.keyLength, serverKey.count == mechanism.keyLength else {
            throw CommandError(.internalError, "credentials in the catalog are damaged")
        }
    }
}

extension DocumentBuilder {
    /// Keys that check a password; the password itself is nowhere.
    package mutating func append(
        _ key: StaticString, credentials: [ScramCredentials], of user: UserName
    ) {
        beginDocument(key)
        if user.database == PrincipalName.external { append("external", bool: true) }
        for one in credentials {
            beginDocument(name: one.mechanism.rawValue)
            append("iterationCount", int32: Int32(clamping: one.iterations))
            append("salt", string: one.salt.withUnsafeBytes { Base64.encode($0) })
            append("storedKey", string: one.storedKey.withUnsafeBytes { Base64.encode($0) })
            append("serverKey", string: one.serverKey.withUnsafeBytes { Base64.encode($0) })
            end()
        }
        end()
    }
}

extension PrincipalName {
    /// An array of names, of `{role: …, db: …}` or of both.
    package static func list(_ array: RawDocument, in database: String) throws(CommandError) -> [RoleName] {
        var (names, seen) = ([RoleName](), Set<RoleName>())
        for element in array {
            let name = try RoleName(role: element.value, in: database)
            if seen.insert(name).inserted { names.append(name) }
        }
        return names
    }

    /// - Throws: BadValue (2), TypeMismatch (14).
    package init(role value: RawValue, in database: String) throws(CommandError) {
        try self.init(value, field: "role", in: database)
    }

    package init(user value: RawValue, in database: String) throws(CommandError) {
        try self.init(value, field: "user", in: database)
    }

    private init(_ value: RawValue, field: StaticString, in database: String) throws(CommandError) {
        if let name = value.string {
            try self.init(checking: name, in: database, field)
            return
        }
        guard let document = value.document else {
            throw CommandError(.badValue, "\(field) names must be either strings or objects")
        }
        guard let name = document[RawKey(field)], let owner = document["db"] else {
            throw CommandError(.badValue, "Missing expected field \"\(field)\" or \"db\"")
        }
        guard let name = name.string, let owner = owner.string else {
            throw CommandError(.typeMismatch, "\"\(field)\" and \"db\" must be strings")
        }
        for other in document where !(other.key == field || other.key == "db") {
            throw CommandError(.idlFailedToParse, "BSON field '\(other.key.string)' is an unknown field.")
        }
        try self.init(checking: name, in: owner, field)
    }

    /// - Throws: BadValue (2) for a name that is empty, too long, or holds a NUL.
    package init(checking name: String, in database: String, _ kind: StaticString) throws(CommandError) {
        for part in [name, database] {
            guard !part.isEmpty else { throw CommandError(.badValue, "\(kind) and database names must not be empty") }
            guard !part.utf8.contains(0) else {
                throw CommandError(.badValue, "\(kind) and database names must not contain a null byte")
            }
            guard part.utf8.count <= Self.lengthMax else {
                throw CommandError(.badValue, "\(kind) and database names must not exceed \(Self.lengthMax) bytes")
            }
        }
        self.init(name, in: database)
    }

    /// Two of them fit into one entry of PostgreSQL's index.
    package static let lengthMax = 1_024
}

extension Privilege {
    /// Several for one resource become one.
    package static func list(_ array: RawDocument) throws(CommandError) -> [Privilege] {
        var privileges: [Privilege] = []
        for element in array {
            let next = try Privilege(element)
            if let index = privileges.firstIndex(where: { $0.resource == next.resource }) {
                privileges[index].actions.formUnion(next.actions)
            } else {
                privileges.append(next)
            }
        }
        return privileges
    }
}
