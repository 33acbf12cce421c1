internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/ping/

extension CommandTable {
    /// Answers for this process alone; whether PostgreSQL is there, `hello` tells.
    @Sendable static func ping(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try request.takesNoArguments("ping")
        return CommandReply()
    }
}
