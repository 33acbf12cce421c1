internal import BSON
internal import CommandModel
internal import NIOCore
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/update/

/// One element of `updates`.
struct UpdateStatement {
    var filter = Document.empty
    var update: Value?
    var isMulti = false
    var isUpsert = false
    var arrayFilters: [Document] = []
    var sort: Document?
    var hint = Hint.none
    var collation = CollationChoice.inherited
    /// `c`.
    var constants: Document?
    /// `let` of the command.
    var variables: Document?
    var keepsEmptyTimestamps = false

    init() {}

    init(_ document: Document) throws(CommandError) {
        var filter: Document?
        try document.withRaw { raw throws(CommandError) in
            for field in raw {
                let argument = Argument(command: "update.updates", key: field.key, value: field.value)
                if field.key == "q" {
                    filter = try argument.ifPresent(Argument.document)
                } else {
                    try take(argument)
                }
            }
        }
        guard let filter else { throw .missingField("update.updates.q") }
        self.filter = filter
        guard update != nil else { throw .missingField("update.updates.u") }
    }

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "u": update = try argument.updateArgument()
        case "c": constants = try argument.ifPresent(Argument.document)
        case "multi": isMulti = try argument.ifPresent(Argument.lenientBool) ?? false
        case "upsert": isUpsert = try argument.ifPresent(Argument.lenientBool) ?? false
        case "arrayFilters": arrayFilters = try argument.ifPresent(Argument.documents) ?? []
        case "sort": sort = try argument.ifPresent(Argument.document)
        case "hint": hint = try argument.hint()
        case "collation": collation = try argument.collationChoice()
        case "upsertSupplied": try argument.refuseIfSet("update")
        case "sampleId": _ = try argument.ifPresent(Argument.uuid)
        // Both say nothing about what to do: there are no shards, and no such statistics are kept.
        case "allowShardKeyUpdatesWithoutFullShardKeyInQuery", "includeQueryStatsMetrics":
            _ = try argument.ifPresent(Argument.lenientBool)
        default: throw argument.unknownField()
        }
    }

    func operation(
        on namespace: Namespace, _ server: ServerState, _ environment: ExpressionEnvironment
    ) throws(CommandError) -> (DocumentOperation, SortPattern?) {
        guard let update else { throw .missingField("update.updates.u") }
        let environment = try environment.redefining(variables)
        try UpdateModification.check(update, arrayFilters: arrayFilters, hasConstants: constants != nil)
        let program = try UpdateProgram(
            compiling: update, arrayFilters: arrayFilters, multi: isMulti, isUpsert: isUpsert,
            keepsEmptyTimestamps: keepsEmptyTimestamps, constants: constants, environment: environment)
        let filter = try Filter(compiling: filter, environment: environment, allowing: .query)
        let operation = DocumentOperation(
            on: namespace, filter: filter,
            action: .update(program),
            upsertID: isUpsert ? server.newObjectID() : nil)
        let sort = try sort.map { document throws(CommandError) in
            try SortPattern(
                compiling: document, collator: environment.collator, hasTextScore: filter.searchesText)
        }
        return (operation, sort)
    }
}

extension CommandTable {
    @Sendable static func update(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        let arguments = try writeStatements("update", "updates", request)
        var statements: [UpdateStatement] = []
        for document in arguments.list {
            var statement = try UpdateStatement(document)
            statement.keepsEmptyTimestamps = arguments.keepsEmptyTimestamps
            statement.variables = arguments.variables
            statements.append(statement)
        }
        if statements.contains(where: \.isMulti) { try context.refuseRetryOfMany("multi=true") }

        try await context.engine.checkUUID(arguments.uuid, of: namespace)
        let deadline = context.deadline(of: request)
        let context = context.bypassingValidation(arguments.bypassesValidation)
        let environment = try context.environment(of: request).defining(arguments.variables)
        var errors = WriteErrors(isOrdered: arguments.isOrdered)
        var matched: Int64 = 0
        var modified: Int64 = 0
        var upserted: [(index: Int, id: Value)] = []
        for (index, statement) in statements.enumerated() where !errors.mustStop {
            context.server.counters.countUpdate()
            do throws(CommandError) {
                let number = request.shared.statementNumber(at: index)
                let tally = try await run(statement, number, on: namespace, deadline, environment, context)
                matched += tally.matched
                modified += tally.modified
                if let id = tally.upsertedID {
                    upserted.append((index, id))
                    matched += 1
                }
            } catch {
                try errors.add(error, at: index)
            }
        }
        _ = context.server.clock.tick()
        if request.shared.isUnacknowledged { return CommandReply() }
        var reply = CommandReply { builder in
            builder.append("n", int32: Int32(truncatingIfNeeded: matched))
            writeUpserted(upserted, into: &builder)
            builder.append("nModified", int32: Int32(truncatingIfNeeded: modified))
            errors.write(into: &builder)
            request.shared.writeUnsatisfiedConcern(into: &builder)
        }
        reply.hasWriteErrors = !errors.list.isEmpty
        reply.append(repeatedOf: context.documents)
        return reply
    }

    static func run(
        _ statement: UpdateStatement, _ number: Int32, on namespace: Namespace, _ deadline: Deadline,
        _ environment: ExpressionEnvironment, _ context: CommandContext
    ) async throws(CommandError) -> WriteTally {
        let documents = context.documents
        if let known = context.engine.catalog.cached(namespace) { try statement.check(against: known) }
        let compiled = try statement.operation(
            on: namespace, context.server, environment.collated(by: statement.collation.early))
        guard !(statement.isMulti && statement.sort != nil) else {
            throw CommandError(.failedToParse, "Cannot specify sort with multi=true")
        }
        let hinted = try statement.hint.order()
        let body = { @Sendable (collection: Collection) async throws(StorageError) -> WriteTally in
            try statement.hint.check(in: collection)
            do throws(CommandError) { try statement.check(against: collection) } catch { throw .command(error) }
            let (operation, sort) = try statement.collation.settled(compiled, in: collection) {
                collator throws(CommandError) in
                try statement.operation(on: namespace, context.server, environment.collated(by: collator))
            }
            let hintedOperation = operation.hinted(statement.hint.index)
            if statement.isMulti {
                return try await documents.modifyMany(
                    hintedOperation, statement: number, in: collection, deadline: deadline)
            }
            return try await documents.modifyOne(
                hintedOperation, statement: number, in: collection, sort: sort ?? hinted, deadline: deadline)
        }
        if statement.isUpsert { return try await documents.withCollectionCreated(namespace, body) }
        return try await documents.withCollection(namespace, for: .writing, body) ?? WriteTally()
    }

    private static func writeUpserted(
        _ upserted: [(index: Int, id: Value)], into builder: inout DocumentBuilder
    ) {
        guard !upserted.isEmpty else { return }
        builder.beginArray("upserted")
        for (position, entry) in upserted.enumerated() {
            builder.beginDocument(index: position)
            builder.append("index", int32: Int32(entry.index))
            builder.append("_id", entry.id)
            builder.end()
        }
        builder.end()
    }
}
