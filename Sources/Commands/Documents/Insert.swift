internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/insert/

struct InsertArguments {
    var namespace: Namespace
    var documents: [Document] = []
    var isOrdered = true

    init(_ request: CommandRequest) throws(CommandError) {
        namespace = try request.namespace()
        var hasDocuments = false
        var raw: [Document] = []
        if let sequence = request.sequence("documents") {
            (raw, hasDocuments) = (sequence, true)
        }
        var isOrdered = true
        try request.forEachArgument(of: "insert") { argument throws(CommandError) in
            switch argument.key {
            case "documents":
                hasDocuments = true
                raw = try argument.documents()
            case "ordered": isOrdered = try argument.bool()
            case "bypassDocumentValidation": _ = try argument.lenientBool()
            case "encryptionInformation", "bypassEmptyTsReplacement": break
            default: throw argument.unknownField()
            }
        }
        self.isOrdered = isOrdered
        guard hasDocuments else { throw .missingField("insert.documents") }
        try checkWriteBatchSize(raw.count)
        documents = raw
    }
}

extension CommandTable {
    @Sendable static func insert(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try InsertArguments(request)
        var errors = WriteErrors(isOrdered: arguments.isOrdered)
        var documents: [Document] = []
        var positions: [Int] = []
        for (index, document) in arguments.documents.enumerated() where !errors.mustStop {
            do throws(CommandError) {
                documents.append(try StoredDocument.prepare(document, context.server))
                positions.append(index)
            } catch {
                errors.add(error, at: index)
            }
        }
        let refused = try await store(documents, arguments, context)
        for (index, error) in refused { errors.add(error, at: positions[index]) }
        let stored =
            documents.count
            - (arguments.isOrdered && !refused.isEmpty ? documents.count - refused[0].index : refused.count)
        context.server.counters.countInserts(arguments.documents.count)
        _ = context.server.clock.tick()
        return CommandReply { builder in
            builder.append("n", int32: Int32(stored))
            errors.write(into: &builder)
            request.shared.writeUnsatisfiedConcern(into: &builder)
        }
    }

    private static func store(
        _ documents: [Document], _ arguments: InsertArguments, _ context: CommandContext
    ) async throws(CommandError) -> [(index: Int, error: CommandError)] {
        guard !documents.isEmpty else { return [] }
        let engine = context.engine
        return try await engine.withCollectionCreated(arguments.namespace) { collection async throws(StorageError) in
            guard documents.count == 1 else {
                return try await engine.insert(documents, into: collection, isOrdered: arguments.isOrdered)
            }
            do throws(StorageError) {
                try await engine.insert(documents[0], into: collection)
                return []
            } catch {
                guard case .command(let refusal) = error else { throw error }
                return [(0, refusal)]
            }
        }
    }
}
