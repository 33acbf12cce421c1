internal import BSON
package import CommandModel
internal import Storage

// specifications/source/transactions/transactions.md

/// A statement of a multi-document transaction: it finds or begins the transaction of its session, runs within it, and
/// ends it when it fails.
package enum TransactionStatement {
    package static func run(
        _ entry: CommandTable.Entry, _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try check(entry, request)
        guard let session = request.shared.sessionID, let number = request.shared.transactionNumber else {
            throw CommandError(.invalidOptions, "a statement of a transaction must name its session and number")
        }
        let transactions = context.engine.transactions
        return try await transactions.turns.withTurn(session) { () async throws(CommandError) in
            if request.shared.startsTransaction { try context.server.sessions.begins(number, of: session) }
            let transaction =
                request.shared.startsTransaction
                ? try await transactions.begin(
                    number, of: session, isolation: isolation(request, context.server))
                : try transactions.transaction(number, of: session)
            var context = context
            context.documents.transaction = transaction
            do throws(CommandError) {
                let reply = try await entry.handler(request, context)
                if reply.hasWriteErrors { await end(number, of: session, context) }
                return reply
            } catch {
                await end(number, of: session, context)
                throw error
            }
        }
    }

    private static func end(_ number: Int64, of session: LogicalSessionID, _ context: CommandContext) async {
        await context.engine.transactions.fail(number, of: session)
        context.engine.cursors.kill(transaction: number, of: session)
    }

    private static func isolation(
        _ request: CommandRequest, _ server: ServerState
    ) -> OpenTransaction.Isolation {
        request.shared.readConcern?.level == .serializable ? .serializable : server.transactionIsolation
    }

    private static func check(
        _ entry: CommandTable.Entry, _ request: CommandRequest
    ) throws(CommandError) {
        guard allowed.contains(entry.name), entry.name != "killCursors" || !request.shared.startsTransaction else {
            throw CommandError(
                .operationNotSupportedInTransaction,
                "Cannot run '\(entry.name)' in a multi-document transaction.")
        }
        guard !["config", "local"].contains(request.database),
            request.database != "admin" || entry.name == "bulkWrite"
        else {
            throw CommandError(
                .operationNotSupportedInTransaction,
                "Cannot run command against the '\(request.database)' database in a transaction.")
        }
        guard request.shared.writeConcern == nil else {
            throw CommandError(.invalidOptions, "writeConcern is not allowed within a multi-statement transaction")
        }
        guard try RetryableWrite.idempotencyKey(request.shared.comment) == nil else {
            throw CommandError(
                .invalidOptions,
                "comment.idempotencyKey is for writes outside transactions: begin the transaction again")
        }
        try checkReadConcern(request.shared)
        try checkStages(of: request)
    }

    /// What writes the result of a pipeline somewhere is no statement of a transaction.
    private static func checkStages(of request: CommandRequest) throws(CommandError) {
        let writer: String? = request.body.withRaw { raw in
            let stages = raw["pipeline"]?.array?.lazy.compactMap { $0.value.document?.firstElement?.key }
            return stages?.first { $0 == "$out" || $0 == "$merge" }?.string
        }
        guard let writer else { return }
        throw CommandError(
            .operationNotSupportedInTransaction, "Operation not permitted in transaction :: caused by :: \(writer)")
    }

    private static func checkReadConcern(_ shared: SharedArguments) throws(CommandError) {
        guard let concern = shared.readConcern else { return }
        guard shared.startsTransaction else {
            throw CommandError(.invalidOptions, "Only the first command in a transaction may specify a readConcern")
        }
        switch concern.level {
        case nil, .local?, .majority?, .snapshot?, .serializable?: break
        case .available?, .linearizable?:
            throw CommandError(
                .invalidOptions,
                "The readConcern level must be either 'local' (default), 'majority', 'snapshot' or 'serializable' in "
                    + "order to run in a transaction")
        }
    }

    /// Source: https://www.mongodb.com/docs/manual/core/transactions-operations/
    private static let allowed: Set = [
        "find", "getMore", "killCursors", "aggregate", "distinct", "insert", "update", "delete", "findAndModify",
        "findandmodify", "bulkWrite", "create", "createIndexes",
    ]
}
