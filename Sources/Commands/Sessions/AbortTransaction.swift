internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/abortTransaction/

extension CommandTable {
    @Sendable static func abortTransaction(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let end = try TransactionEnd(request, of: "abortTransaction")
        let transactions = context.engine.transactions
        try await transactions.turns.withTurn(end.session) { () async throws(CommandError) in
            try await transactions.abort(end.number, of: end.session)
        }
        context.engine.cursors.kill(transaction: end.number, of: end.session)
        return CommandReply { request.shared.writeUnsatisfiedConcern(into: &$0) }
    }
}
