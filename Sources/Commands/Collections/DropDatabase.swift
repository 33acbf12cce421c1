internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/dropDatabase/

extension CommandTable {
    @Sendable static func dropDatabase(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try Namespace.validate(database: request.database)
        try request.forEachArgument(of: "dropDatabase") { argument throws(CommandError) in
            throw argument.unknownField()
        }
        let isOne: Bool = request.body.withRaw { raw in
            raw.first { _ in true }?.value.number?.asDouble == 1
        }
        guard isOne else { throw CommandError(.badValue, "have to pass 1 as db parameter") }
        guard !["admin", "config", "local"].contains(request.database) else {
            throw CommandError(.illegalOperation, "Dropping the '\(request.database)' database is prohibited.")
        }
        try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.drop(database: request.database)
        }
        return CommandReply { $0.append("dropped", string: request.database) }
    }
}
