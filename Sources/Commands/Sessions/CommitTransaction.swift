internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/commitTransaction/

extension CommandTable {
    @Sendable static func commitTransaction(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        throw try TransactionEnd.refusal(request, of: "commitTransaction")
    }
}
