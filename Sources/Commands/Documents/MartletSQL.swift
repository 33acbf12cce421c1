internal import BSON
internal import CommandModel
internal import Storage

// `martletSQL: <command>`: the SQL that a command would send, for `martlet sql`. Nothing is run.
extension CommandTable {
    @Sendable static func martletSQL(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try request.forEachArgument(of: "martletSQL") { argument throws(CommandError) in
            throw argument.unknownField()
        }
        let inner = try innerRequest(request)
        if inner.name == "insert" { return try await insertSQL(inner, context) }
        let explained = try await explain(inner, as: request, context).builder.finish()
        return CommandReply { builder in
            explained.withRaw { explained in
                guard let section = explained["martlet"]?.document else {
                    builder.append("note", string: "no such collection: nothing is sent")
                    return
                }
                for field in section { builder.append(field) }
            }
        }
    }

    private static func insertSQL(
        _ inner: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let documents = try writeStatements("insert", "documents", inner).list
        guard let collection = try await explained(try inner.namespace(), context) else {
            return CommandReply { builder in
                builder.append("note", string: "no such collection: it is created first, with a table of its own")
            }
        }
        var stored: [Document] = []
        for document in documents {
            stored.append(try StoredDocument.prepare(document, context.server, keepsEmptyTimestamps: false))
        }
        let prepared = stored
        let statements = try await context.engine.mapped { () async throws(StorageError) in
            try collection.shownInsert(of: prepared)
        }
        return CommandReply { builder in
            builder.append("pool", string: documents.count == 1 ? "writers" : "general")
            builder.append("isolation", string: "READ COMMITTED")
            Explanation.write(statements, into: &builder)
        }
    }
}
