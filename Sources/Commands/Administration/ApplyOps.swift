internal import Access
internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/applyOps/

/// There is no oplog here, but tools have those of others: the writes in them take the way of all writes.
struct ApplyOpsArguments {
    private(set) var entries: [OplogEntry] = []
    /// Each for itself, those before a failure stay.
    private(set) var isAtomic = true

    init(_ request: CommandRequest) throws(CommandError) {
        try request.forEachArgument(of: "applyOps") { argument throws(CommandError) in
            switch argument.key {
            case "alwaysUpsert":
                guard try argument.ifPresent(Argument.bool) != true else {
                    throw CommandError(ErrorCode(6_711_601), "alwaysUpsert is not supported any more")
                }
            case "preCondition":
                throw CommandError(ErrorCode(6_711_600), "preCondition is not supported any more")
            case "allowAtomic": isAtomic = argument.value.bool ?? true
            case "bypassDocumentValidation":
                guard try argument.ifPresent(Argument.lenientBool) != true else {
                    throw CommandError(.commandNotSupported, "applyOps takes no bypassDocumentValidation")
                }
            case "prepare": throw CommandError(.badValue, "prepare is not a part of the applyOps command")
            case "partialTxn":
                throw CommandError(ErrorCode(31056), "partialTxn is not a part of the applyOps command")
            case "count": throw argument.wrongType(expected: "int, long, double, decimal")
            default: return
            }
        }
        entries = try request.withCommandValue(of: "applyOps") { argument throws(CommandError) in
            var entries: [OplogEntry] = []
            for entry in try argument.array() {
                guard let document = entry.value.document else {
                    throw CommandError.wrongType(
                        "\(argument.name).\(entry.key.string)", entry.value, expected: "object")
                }
                entries.append(try OplogEntry(document, at: entries.count))
            }
            return entries
        }
        // A command cannot be undone, and one write needs nothing around it.
        isAtomic = isAtomic && entries.count > 1 && entries.allSatisfy { !$0.isCommand }
    }
}

extension CommandTable {
    @Sendable static func applyOps(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try ApplyOpsArguments(request)
        if arguments.isAtomic {
            try await applyAtOnce(arguments.entries, request, context)
        } else {
            for (index, entry) in arguments.entries.enumerated() {
                do throws(CommandError) { try await apply(entry, request, context) } catch {
                    throw error.ofEntry(index, of: arguments.entries.count)
                }
            }
        }
        _ = context.server.clock.tick()
        let applied = arguments.entries.count { !$0.isNothing }
        return CommandReply { builder in
            builder.append("applied", int32: Int32(clamping: applied))
            builder.beginArray("results")
            for index in 0..<applied { builder.append(index: index, .bool(true)) }
            builder.end()
        }
    }

    /// In one transaction, which loses to any other that writes the same documents.
    private static func applyAtOnce(
        _ entries: [OplogEntry], _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) {
        let transaction = try await OpenTransaction.open(on: context.engine.transactions.lanes, isolation: .snapshot)
        var context = context
        context.documents.transaction = transaction
        do throws(CommandError) {
            for entry in entries { try await apply(entry, request, context) }
        } catch {
            await transaction.abort()
            throw error.outsideTransactions
        }
        do throws(StorageError) { try await transaction.commit(recording: []) } catch {
            throw (error.leavesCommitUnknown ? CommandError(error) : CommandError(atCommit: error)).outsideTransactions
        }
    }

    private static func apply(
        _ entry: OplogEntry, _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) {
        let update: Value
        switch entry.action {
        case .nothing: return
        case .command(let body, let database): return try await run(body, in: database, of: request, context)
        case .insert(let document):
            context.server.counters.countInserts(1)
            update = .document(try StoredDocument.prepare(document, context.server, keepsEmptyTimestamps: true))
            try await write(
                entry, .update(try UpdateProgram(compiling: update, isUpsert: true, keepsEmptyTimestamps: true)),
                isUpsert: true, request, context)
        case .update(let program, let isUpsert):
            context.server.counters.countUpdate()
            let tally = try await write(entry, .update(program), isUpsert: isUpsert, request, context)
            guard tally.matched > 0 || tally.upsertedID != nil else {
                throw CommandError(
                    ErrorCode(8, "UnknownError"), "no document of \(entry.namespace) has the _id of the update")
            }
        case .delete:
            context.server.counters.countDelete()
            try await write(entry, .delete, isUpsert: false, request, context)
        }
    }

    @discardableResult
    private static func write(
        _ entry: OplogEntry, _ action: DocumentOperation.Action, isUpsert: Bool, _ request: CommandRequest,
        _ context: CommandContext
    ) async throws(CommandError) -> WriteTally {
        try await context.engine.checkUUID(entry.collectionUUID, of: entry.namespace)
        let filter = Document { $0.append("_id", entry.id) }
        let operation = DocumentOperation(
            on: entry.namespace, filter: try Filter(compiling: filter, environment: .none, allowing: .query),
            action: action, upsertID: isUpsert ? context.server.newObjectID() : nil)
        let (documents, deadline) = (context.documents, context.deadline(of: request))
        let tally = try await documents.withCollection(entry.namespace, for: .writing) {
            collection async throws(StorageError) in
            guard collection.timeseries == nil else { throw .command(.ofTimeseries(entry.namespace)) }
            return try await documents.modifyOne(operation, statement: 0, in: collection, deadline: deadline)
        }
        if let tally { return tally }
        if case .delete = entry.action { return WriteTally() }
        throw CommandError(.namespaceNotFound, "there is no collection \(entry.namespace)")
    }

    private static func run(
        _ body: Document, in database: String, of request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) {
        let named = Document { builder in
            body.withRaw { raw in
                for field in raw where !(field.key == "$db") { builder.append(field) }
            }
            builder.append("$db", string: database)
        }
        let inner = try CommandRequest(body: named, sequences: [])
        guard let entry = CommandTable.standard[inner.name] else {
            throw CommandError(.commandNotFound, "no such command: '\(inner.name)'")
        }
        let allowed = try await Authorizer.check(entry, inner, context)
        let reply = try await entry.handler(allowed, context)
        let (server, ended) = (context.server, EndedCommand(allowed, reply, nanoseconds: 0, from: context.connection))
        server.audit.note(ended, AuditRule.of(inner.name), mayLog: server.limits.mayLog)
    }
}

/// Who may apply what: as who sends the writes one by one. Commands are judged when they are run.
enum ApplyOpsAccess {
    @Sendable static func needed(_ request: CommandRequest) throws(CommandError) -> [Requirement] {
        var needed = [Requirement(.applyOps, on: .cluster)]
        for entry in try ApplyOpsArguments(request).entries {
            switch entry.action {
            case .insert: needed += [Requirement(.insert, entry.namespace), Requirement(.update, entry.namespace)]
            case .update(_, let isUpsert):
                needed.append(Requirement(.update, entry.namespace))
                if isUpsert { needed.append(Requirement(.insert, entry.namespace)) }
            case .delete: needed.append(Requirement(.remove, entry.namespace))
            case .command, .nothing: continue
            }
        }
        return needed
    }
}

extension OplogEntry {
    fileprivate var isCommand: Bool { if case .command = action { true } else { false } }
    fileprivate var isNothing: Bool { if case .nothing = action { true } else { false } }
}

extension CommandError {
    fileprivate static func ofTimeseries(_ namespace: Namespace) -> CommandError {
        CommandError(.commandNotSupported, "\(namespace) is a time series: insert its measurements")
    }

    /// The client knows of no transaction that it could run again.
    fileprivate var outsideTransactions: CommandError { CommandError(code, message, details: details) }

    /// The entries before it have been applied.
    fileprivate func ofEntry(_ index: Int, of count: Int) -> CommandError {
        guard count > 1 else { return self }
        var error = self
        error.message = "applyOps.\(index), all before it are applied: \(message)"
        return error
    }
}
