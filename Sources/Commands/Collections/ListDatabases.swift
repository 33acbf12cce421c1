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
        try request.forEachArgument(of: "listDatabases") { argument throws(CommandError) in
            switch argument.key {
            case "nameOnly": nameOnly = try argument.lenientBool()
            case "filter": filter = try Filter(compiling: argument.document())
            case "authorizedDatabases": _ = try argument.bool()
            default: throw argument.unknownField()
            }
        }
        let databases = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.databases()
        }
        return CommandReply { builder in
            var total: Int64 = 0
            var index = 0
            builder.beginArray("databases")
            for database in databases {
                let entry = Document { entry in
                    entry.append("name", string: database.name)
                    guard !nameOnly else { return }
                    entry.append("sizeOnDisk", int64: database.size)
                    entry.append("empty", bool: false)
                }
                guard entry.withRaw({ filter.matches($0) }) else { continue }
                builder.append(index: index, .document(entry))
                index += 1
                total += database.size
            }
            builder.end()
            guard !nameOnly else { return }
            builder.append("totalSize", int64: total)
            builder.append("totalSizeMb", int64: total / (1024 * 1024))
        }
    }
}
