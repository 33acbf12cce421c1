internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/dropDatabase/

extension CommandTable {
    @Sendable static func dropDatabase(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try Namespace.validate(database: request.database)
        try request.takesNoArguments("dropDatabase")
        try request.withCommandValue(of: "dropDatabase") { argument throws(CommandError) in
            try argument.requireValue()
            guard try argument.integer() == 1 else {
                throw CommandError(ErrorCode(5_255_100), "have to pass 1 as 'dropDatabase' parameter")
            }
        }
        guard !["admin", "config", "local"].contains(request.database) else {
            throw CommandError(.illegalOperation, "Dropping the '\(request.database)' database is prohibited.")
        }
        try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.drop(database: request.database)
        }
        context.server.namespaces.forget(database: request.database)
        return CommandReply { request.shared.writeUnsatisfiedConcern(into: &$0) }
    }
}
