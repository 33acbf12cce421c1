internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/insert/

extension CommandTable {
    @Sendable static func insert(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        let arguments = try writeStatements("insert", "documents", request)
        if let series = try await context.bucketsOwner(namespace) {
            return try await insert(buckets: arguments, into: series, request, context)
        }
        try await context.engine.checkUUID(arguments.uuid, of: namespace)
        var errors = WriteErrors(isOrdered: arguments.isOrdered)
        var documents: [Document] = []
        var positions: [Int] = []
        for (index, document) in arguments.list.enumerated() where !errors.mustStop {
            do throws(CommandError) {
                documents.append(
                    try StoredDocument.prepare(
                        document, context.server, keepsEmptyTimestamps: arguments.keepsEmptyTimestamps))
                positions.append(index)
            } catch {
                try errors.add(error, at: index)
            }
        }
        let numbers = positions.map { request.shared.statementNumber(at: $0) }
        let context = context.bypassingValidation(arguments.bypassesValidation)
        let refused = try await store(documents, numbers, in: namespace, isOrdered: arguments.isOrdered, context)
        for (index, error) in refused { try errors.add(error, at: positions[index]) }
        let stored =
            documents.count
            - (arguments.isOrdered && !refused.isEmpty ? documents.count - refused[0].index : refused.count)
        context.server.counters.countInserts(arguments.list.count)
        _ = context.server.clock.tick()
        if request.shared.isUnacknowledged { return CommandReply() }
        var reply = CommandReply { builder in
            builder.append("n", int32: Int32(stored))
            errors.write(into: &builder)
            request.shared.writeUnsatisfiedConcern(into: &builder)
        }
        reply.hasWriteErrors = !errors.list.isEmpty
        reply.append(repeatedOf: context.documents)
        return reply
    }

    /// - Parameter numbers: of the documents in their command.
    /// - Returns: the errors by the documents' positions, ascending; only the first when `isOrdered`.
    static func store(
        _ documents: [Document], _ numbers: [Int32], in namespace: Namespace, isOrdered: Bool,
        _ context: CommandContext
    ) async throws(CommandError) -> [(index: Int, error: CommandError)] {
        guard !documents.isEmpty else { return [] }
        let store = context.documents
        return try await store.withCollectionCreated(namespace) { collection async throws(StorageError) in
            try await store.insert(documents, statements: numbers, into: collection, isOrdered: isOrdered)
        }
    }
}
