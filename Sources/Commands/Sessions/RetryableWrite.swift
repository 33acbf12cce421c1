internal import BSON
package import CommandModel
internal import Storage

// specifications/source/retryable-writes/retryable-writes.md

/// What a write command is recognized by when it is sent again: it gets a guard before its handler runs.
package enum RetryableWrite {
    static let keyBytesMax = 1_024

    /// Runs the handler of `entry`; under a guard, and in its session's turn, when the command can be recognized.
    package static func run(
        _ entry: CommandTable.Entry, _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        guard ErrorLabelRule.isRetryableWrite(entry.name), !request.shared.isInTransaction,
            let identity = try identity(of: request, entry, context.server)
        else { return try await entry.handler(request, context) }
        let transactions = context.engine.transactions
        return try await transactions.turns.withTurn(identity.session) { () async throws(CommandError) in
            try await transactions.writeRetryably(identity.number, of: identity.session)
            let guarded = StatementGuard(identity)
            if try context.server.sessions.mayHaveSeen(identity) {
                try await context.engine.mapped { () async throws(StorageError) in
                    try await context.engine.load(guarded)
                }
            }
            var context = context
            context.documents.guarded = guarded
            return try await entry.handler(request, context)
        }
    }

    /// A key of the application is worth more than the driver's number: it also holds for other clients.
    private static func identity(
        of request: CommandRequest, _ entry: CommandTable.Entry, _ server: ServerState
    ) throws(CommandError) -> RetryIdentity? {
        if let key = try idempotencyKey(request.shared.comment) {
            let collection = try entry.name == "bulkWrite" ? "" : request.namespace().collection
            return RetryIdentity(
                key: key, scope: "\(request.database).\(collection) \(entry.name.lowercased())",
                owner: request.owner, fingerprint: request.fingerprint,
                lifetimeSeconds: server.idempotencyKeyLifetimeSeconds)
        }
        guard let session = request.shared.sessionID, let number = request.shared.transactionNumber else { return nil }
        return RetryIdentity(session: session, number: number)
    }

    static func idempotencyKey(_ comment: Value?) throws(CommandError) -> String? {
        try comment?.withRaw { comment throws(CommandError) -> String? in
            guard let value = comment.document?["idempotencyKey"] else { return nil }
            guard let key = value.string else {
                throw .wrongType("comment.idempotencyKey", value, expected: "string")
            }
            guard (1...keyBytesMax).contains(key.utf8.count) else {
                throw CommandError(.badValue, "comment.idempotencyKey must have 1 to \(keyBytesMax) bytes")
            }
            return key
        } ?? nil
    }
}

extension CommandContext {
    /// A statement on many documents is no retryable write: which of them were done before cannot be told.
    func refuseRetryOfMany(_ flag: String) throws(CommandError) {
        guard let guarded = documents.guarded, !guarded.identity.recordsEverything else { return }
        throw CommandError(.invalidOptions, "Cannot use (or request) retryable writes with \(flag)")
    }
}

extension CommandReply {
    /// Says which statements were answered from what is recorded, for those who want to see it.
    mutating func append(repeatedOf documents: DocumentStore) {
        guard let guarded = documents.guarded, !guarded.identity.recordsEverything else { return }
        let repeated = guarded.repeatedStatements
        guard !repeated.isEmpty else { return }
        builder.beginArray("retriedStmtIds")
        for (position, number) in repeated.enumerated() { builder.append(index: position, Value.int32(number)) }
        builder.end()
    }
}
