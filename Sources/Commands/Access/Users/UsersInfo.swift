internal import Access
internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/usersInfo/

/// Which users, and what of them.
struct UsersInfoArguments: Sendable {
    enum Whom: Sendable {
        case everywhere
        case database(String)
        case named([UserName])
    }

    let whom: Whom
    private(set) var showsCredentials = false
    private(set) var showsCustomData = true
    private(set) var showsPrivileges = false
    private(set) var showsRestrictions = false
    private(set) var filter: Document?

    init(_ request: CommandRequest) throws(CommandError) {
        let database = request.database
        whom = try request.withCommandValue(of: "usersInfo") { argument throws(CommandError) in
            try Whom(argument.value, in: database)
        }
        try request.forEachArgument(of: "usersInfo") { argument throws(CommandError) in
            guard !argument.isOmitted else { return }
            switch argument.key {
            case "showCredentials": showsCredentials = try argument.lenientBool()
            case "showCustomData": showsCustomData = try argument.lenientBool()
            case "showPrivileges": showsPrivileges = try argument.lenientBool()
            case "showAuthenticationRestrictions": showsRestrictions = try argument.lenientBool()
            case "filter": filter = try argument.document()
            default: throw argument.unknownField()
            }
        }
        guard case .named(let names) = whom else {
            guard !showsPrivileges, !showsRestrictions else {
                throw CommandError(
                    .illegalOperation,
                    "Privilege or restriction details require exact-match usersInfo queries.")
            }
            return
        }
        guard names.count <= Self.namesMax else {
            throw CommandError(.badValue, "usersInfo takes at most \(Self.namesMax) names")
        }
    }

    private static let namesMax = 1_000
}

extension UsersInfoArguments.Whom {
    init(_ value: RawValue, in database: String) throws(CommandError) {
        if let number = value.number, !number.isNaN {
            self = .database(database)
        } else if value.document?["forAllDBs"]?.isOn == true {
            self = .everywhere
        } else if let array = value.array {
            var names: [UserName] = []
            for element in array { names.append(try UserName(user: element.value, in: database)) }
            self = .named(names)
        } else {
            self = .named([try UserName(user: value, in: database)])
        }
    }
}

extension CommandTable {
    @Sendable static func usersInfo(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try UsersInfoArguments(request)
        let filter = try arguments.filter.map { document throws(CommandError) in try Filter(compiling: document) }
        let store = context.server.access.store
        let (users, roles) = try await context.engine.mapped { () async throws(StorageError) in
            (try await store.users(arguments.whom), try await store.roles())
        }
        var reply = CommandReply()
        reply.builder.beginArray("users")
        var count = 0
        for user in users {
            let document = Document { $0.write(user, arguments, roles) }
            if let filter, try !filter.matches(document) { continue }
            guard reply.builder.count + document.count < ServerLimits.documentBytesMax else {
                throw CommandError(.bsonObjectTooLarge, "the users do not fit into one reply: name them, or filter")
            }
            reply.builder.append(index: count, .document(document))
            count += 1
        }
        reply.builder.end()
        return reply
    }
}

extension AccessStore {
    fileprivate func users(_ whom: UsersInfoArguments.Whom) async throws(StorageError) -> [UserRecord] {
        switch whom {
        case .everywhere: return try await users(of: nil)
        case .database(let database): return try await users(of: database)
        case .named(let names):
            var users: [UserRecord] = []
            for name in names {
                if let user = try await user(name) { users.append(user) }
            }
            return users
        }
    }
}

extension DocumentBuilder {
    fileprivate mutating func write(_ user: UserRecord, _ arguments: UsersInfoArguments, _ graph: RoleGraph) {
        append("_id", string: "\(user.name.database).\(user.name.name)")
        append("userId", binary: user.id, subtype: 4)
        append("user", string: user.name.name)
        append("db", string: user.name.database)
        if arguments.showsCredentials { append("credentials", credentials: user.credentials, of: user.name) }
        if arguments.showsCustomData, let data = user.customData { append("customData", document: data) }
        append("roles", roles: user.roles)
        append("mechanisms", strings: user.mechanisms)
        if arguments.showsRestrictions { user.restrictions.write(into: &self) }
        guard arguments.showsPrivileges else { return }
        append("inheritedRoles", roles: graph.closure(of: user.roles))
        append("inheritedPrivileges", privileges: graph.privileges(of: user.roles).all)
    }
}
