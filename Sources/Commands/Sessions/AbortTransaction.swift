internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/abortTransaction/

extension CommandTable {
    @Sendable static func abortTransaction(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        throw try TransactionEnd.refusal(request, of: "abortTransaction")
    }
}
