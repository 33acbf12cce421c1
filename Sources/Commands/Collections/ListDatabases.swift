internal import Access
internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/listDatabases/

extension CommandTable {
    @Sendable static func listDatabases(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var nameOnly = false
        var filter = Filter.everything
        var showsAuthorizedOnly: Bool?
        try request.forEachArgument(of: "listDatabases") { argument throws(CommandError) in
            switch argument.key {
            case "nameOnly": nameOnly = try argument.ifPresent(Argument.lenientBool) ?? false
            case "filter":
                filter = try argument.ifPresent(Argument.restrictedFilter) ?? .everything
            case "authorizedDatabases": showsAuthorizedOnly = try argument.ifPresent(Argument.bool)
            default: throw argument.unknownField()
            }
        }
        let stored = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.databases()
        }
        let mayListAll = context.access.allows(.listDatabases, on: .cluster)
        if showsAuthorizedOnly == false, !mayListAll {
            throw CommandError(.unauthorized, "Insufficient permissions to list all databases")
        }
        let showsAll = mayListAll && showsAuthorizedOnly != true
        var reply = CommandReply()
        var total: Int64 = 0
        var index = 0
        reply.builder.beginArray("databases")
        for (name, size) in withSystemDatabases(stored) where showsAll || context.access.sees(database: name) {
            let entry = description(of: name, size: size, nameOnly: nameOnly)
            guard try filter.matches(entry) else { continue }
            reply.builder.append(index: index, .document(entry))
            index += 1
            total += size
        }
        reply.builder.end()
        guard !nameOnly else { return reply }
        reply.builder.append("totalSize", int64: total)
        reply.builder.append("totalSizeMb", int64: total / (1024 * 1024))
        return reply
    }

    private static func description(of name: String, size: Int64, nameOnly: Bool) -> Document {
        Document { entry in
            entry.append("name", string: name)
            guard !nameOnly else { return }
            entry.append("sizeOnDisk", int64: size)
            entry.append("empty", bool: false)
        }
    }

    /// Every member of a replica set has these three, and clients look for them; here they may hold nothing.
    private static func withSystemDatabases(_ stored: [DatabaseSizes]) -> [(name: String, size: Int64)] {
        var all = stored.map { (name: $0.name, size: $0.size) }
        for name in ["admin", "config", "local"] where !stored.contains(where: { $0.name == name }) {
            all.append((name, 0))
        }
        return all.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    }
}
