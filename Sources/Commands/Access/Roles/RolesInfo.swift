internal import Access
internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/rolesInfo/

struct RolesInfoArguments: Sendable {
    /// nil for all of the command's database.
    let names: [RoleName]?
    private(set) var showsPrivileges = false
    private(set) var showsBuiltInRoles = false
    private(set) var showsRestrictions = false

    init(_ request: CommandRequest) throws(CommandError) {
        let database = request.database
        names = try request.withCommandValue(of: "rolesInfo") { argument throws(CommandError) -> [RoleName]? in
            if let number = argument.value.number, !number.isNaN { return nil }
            if let array = argument.value.array { return try RoleName.list(array, in: database) }
            return [try RoleName(role: argument.value, in: database)]
        }
        try request.forEachArgument(of: "rolesInfo") { argument throws(CommandError) in
            guard !argument.isOmitted else { return }
            switch argument.key {
            case "showPrivileges":
                guard argument.value.string != "asUserFragment" else {
                    throw CommandError(.notImplemented, "rolesInfo shows no fragments of users")
                }
                showsPrivileges = try argument.lenientBool()
            case "showBuiltinRoles": showsBuiltInRoles = try argument.lenientBool()
            case "showAuthenticationRestrictions": showsRestrictions = try argument.lenientBool()
            default: throw argument.unknownField()
            }
        }
    }
}

extension CommandTable {
    @Sendable static func rolesInfo(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try RolesInfoArguments(request)
        let graph = try await context.engine.mapped { () async throws(StorageError) in
            try await context.server.access.store.roles()
        }
        var names = arguments.names?.filter(graph.contains) ?? graph.inDatabase(request.database).map(\.name)
        if arguments.names == nil, arguments.showsBuiltInRoles {
            names += BuiltInRole.all(in: request.database).map { RoleName($0.rawValue, in: request.database) }
        }
        var reply = CommandReply()
        reply.builder.beginArray("roles")
        for (index, name) in names.enumerated() {
            let document = Document { $0.write(name, arguments, graph) }
            guard reply.builder.count + document.count < ServerLimits.documentBytesMax else {
                throw CommandError(.bsonObjectTooLarge, "the roles do not fit into one reply: name them")
            }
            reply.builder.append(index: index, .document(document))
        }
        reply.builder.end()
        return reply
    }
}

extension DocumentBuilder {
    fileprivate mutating func write(_ name: RoleName, _ arguments: RolesInfoArguments, _ graph: RoleGraph) {
        let own = graph[name]
        if own != nil { append("_id", string: "\(name.database).\(name.name)") }
        append("role", string: name.name)
        append("db", string: name.database)
        if arguments.showsPrivileges { append("privileges", privileges: graph.ownPrivileges(of: name)) }
        append("roles", roles: own?.roles ?? [])
        append("inheritedRoles", roles: graph.inherited(by: [name]))
        if arguments.showsPrivileges { append("inheritedPrivileges", privileges: graph.privileges(of: [name]).all) }
        if arguments.showsRestrictions { (own?.restrictions ?? AuthenticationRestrictions()).write(into: &self) }
        append("isBuiltin", bool: own == nil)
    }
}
