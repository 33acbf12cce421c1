internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/commitTransaction/

extension CommandTable {
    @Sendable static func commitTransaction(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let end = try TransactionEnd(request, of: "commitTransaction")
        let transactions = context.engine.transactions
        try await transactions.turns.withTurn(end.session) { () async throws(CommandError) in
            defer { context.engine.cursors.kill(transaction: end.number, of: end.session) }
            let identity = RetryIdentity(session: end.session, number: end.number)
            let outcome = try await transactions.commit(
                end.number, of: end.session, recording: [identity.commitRecord])
            guard outcome == .lookUpRecord else { return }
            let isCommitted = try await context.engine.mapped { () async throws(StorageError) in
                try await context.engine.isCommitted(identity)
            }
            try transactions.recordFound(end.number, of: end.session, isCommitted: isCommitted)
        }
        _ = context.server.clock.tick()
        return CommandReply { request.shared.writeUnsatisfiedConcern(into: &$0) }
    }
}
