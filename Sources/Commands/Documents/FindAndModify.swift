internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/findAndModify/

struct FindAndModifyArguments {
    var filter = Document.empty
    var update: Value?
    var sort: Document?
    var fields: Document?
    var removes = false
    var returnsNew = false
    var isUpsert = false
    var arrayFilters: [Document] = []
    var hint = Hint.none
    var variables: Document?
    var keepsEmptyTimestamps = false
    var collation = CollationChoice.inherited
    /// The document need not fulfil what the collection demands.
    var bypassesValidation = false

    init(_ request: CommandRequest) throws(CommandError) {
        var taken = FindAndModifyArguments()
        try request.forEachArgument(of: "findAndModify") { argument throws(CommandError) in
            try taken.take(argument)
        }
        self = taken
        try checkConsistency()
    }

    private init() {}

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "query": filter = try argument.ifPresent(Argument.document) ?? .empty
        case "sort": sort = try argument.ifPresent(Argument.document)
        case "fields": fields = try argument.ifPresent(Argument.document)
        case "remove": removes = try argument.ifPresent(Argument.lenientBool) ?? false
        case "new": returnsNew = try argument.ifPresent(Argument.lenientBool) ?? false
        case "upsert": isUpsert = try argument.ifPresent(Argument.lenientBool) ?? false
        case "update": update = try argument.updateArgument()
        case "arrayFilters": arrayFilters = try argument.ifPresent(Argument.documents) ?? []
        case "hint": hint = try argument.hint()
        case "collation": collation = try argument.collationChoice()
        case "let": variables = try argument.ifPresent(Argument.document)
        case "bypassDocumentValidation": bypassesValidation = try argument.ifPresent(Argument.lenientBool) ?? false
        case "encryptionInformation": try argument.refuseUnlessEmpty("findAndModify")
        case "bypassEmptyTsReplacement": keepsEmptyTimestamps = try argument.ifPresent(Argument.lenientBool) ?? false
        case "sampleId": _ = try argument.ifPresent(Argument.uuid)
        default: throw argument.unknownField()
        }
    }

    private func checkConsistency() throws(CommandError) {
        guard removes || update != nil else {
            throw CommandError(.failedToParse, "Either an update or remove=true must be specified")
        }
        guard removes else { return }
        if update != nil {
            throw CommandError(.failedToParse, "Cannot specify both an update and remove=true")
        }
        if isUpsert {
            throw CommandError(.failedToParse, "Cannot specify both upsert=true and remove=true ")
        }
        if returnsNew {
            throw CommandError(
                .failedToParse,
                "Cannot specify both new=true and remove=true; 'remove' always returns the deleted document")
        }
        if !arrayFilters.isEmpty {
            throw CommandError(.failedToParse, "Cannot specify arrayFilters and remove=true")
        }
    }

    /// What is done to which document, and what is shown of it.
    struct Compiled {
        let operation: DocumentOperation
        /// Wrong or right, it is looked at only where there is a collection.
        let sort: Result<SortPattern?, CommandError>
        let projection: Projection?

        /// One document has no order: where the filter is its `_id`, the sort is not even looked at.
        func order(in collection: Collection) throws(StorageError) -> SortPattern? {
            let constraint = KeyConstraint(of: operation.filter, in: collection)
            if constraint.isExact, constraint.onlyKey != nil { return nil }
            do throws(CommandError) { return try sort.get() } catch { throw .command(error) }
        }
    }

    func compiled(
        on namespace: Namespace, _ server: ServerState, _ environment: ExpressionEnvironment
    ) throws(CommandError) -> Compiled {
        let environment = try environment.defining(variables)
        let operation = try operation(on: namespace, server, environment)
        let sort = Result { () throws(CommandError) in try order(environment.collator, operation.filter) }
        let projection = try fields.map { document throws(CommandError) in
            try Projection(compiling: document, filter: operation.filter, environment: environment)
        }
        guard projection?.needsFacts != true else {
            throw CommandError(.notImplemented, "$meta in the fields of findAndModify is not implemented yet")
        }
        return Compiled(operation: operation, sort: sort, projection: projection)
    }

    /// In which order documents come, of which the first is modified.
    private func order(_ collator: Collator?, _ filter: Filter) throws(CommandError) -> SortPattern? {
        guard let sort, !sort.isEmpty else { return try hint.order() }
        return try SortPattern(compiling: sort, collator: collator, hasTextScore: filter.searchesText)
    }

    private func operation(
        on namespace: Namespace, _ server: ServerState, _ environment: ExpressionEnvironment
    ) throws(CommandError) -> DocumentOperation {
        let filter = try Filter(compiling: filter, environment: environment, allowing: .query)
        guard let update, !removes else {
            return DocumentOperation(on: namespace, filter: filter, action: .delete, image: .before)
        }
        try UpdateModification.check(update, arrayFilters: arrayFilters, hasConstants: false)
        let program = try UpdateProgram(
            compiling: update, arrayFilters: arrayFilters, multi: false, isUpsert: isUpsert,
            keepsEmptyTimestamps: keepsEmptyTimestamps, environment: environment)
        return DocumentOperation(
            on: namespace, filter: filter, action: .update(program),
            upsertID: isUpsert ? server.newObjectID() : nil, image: returnsNew ? .after : .before)
    }
}

extension CommandTable {
    @Sendable static func findAndModify(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        let arguments = try FindAndModifyArguments(request)
        let environment = context.environment(of: request)
        let early = try arguments.compiled(
            on: namespace, context.server, environment.collated(by: arguments.collation.early))
        let deadline = context.deadline(of: request)
        let documents = context.bypassingValidation(arguments.bypassesValidation).documents
        let number = request.shared.statementNumber(at: 0)
        let body = { @Sendable (collection: Collection) async throws(StorageError) -> (WriteTally, Projection?) in
            try arguments.hint.check(in: collection)
            do throws(CommandError) { try arguments.check(against: collection) } catch { throw .command(error) }
            let compiled = try arguments.collation.settled(early, in: collection) { collator throws(CommandError) in
                try arguments.compiled(on: namespace, context.server, environment.collated(by: collator))
            }
            let sort = try compiled.order(in: collection)
            let tally = try await documents.modifyOne(
                compiled.operation.hinted(arguments.hint.index), statement: number, in: collection, sort: sort,
                deadline: deadline)
            return (tally, compiled.projection)
        }
        let (tally, projection) =
            arguments.isUpsert
            ? try await documents.withCollectionCreated(namespace, body)
            : try await documents.withCollection(namespace, for: .writing, body) ?? (WriteTally(), nil)
        _ = context.server.clock.tick()
        var reply = try reply(tally, arguments, projection, request)
        if let guarded = context.documents.guarded, !guarded.identity.recordsEverything,
            let number = guarded.repeatedStatements.first
        {
            reply.builder.append("retriedStmtId", int32: number)
        }
        return reply
    }

    private static func reply(
        _ tally: WriteTally, _ arguments: FindAndModifyArguments, _ projection: Projection?,
        _ request: CommandRequest
    ) throws(CommandError) -> CommandReply {
        var reply = CommandReply { builder in
            builder.beginDocument("lastErrorObject")
            builder.append("n", int32: tally.matched > 0 || tally.upsertedID != nil ? 1 : 0)
            if !arguments.removes {
                builder.append("updatedExisting", bool: tally.matched > 0)
                if let id = tally.upsertedID { builder.append("upserted", id) }
            }
            builder.end()
        }
        if let image = tally.image {
            try image.withRaw { raw throws(CommandError) in
                reply.builder.beginDocument("value")
                if let projection {
                    try projection.write(raw, into: &reply.builder)
                } else {
                    for field in raw { reply.builder.append(field) }
                }
                reply.builder.end()
            }
        } else {
            reply.builder.appendNull("value")
        }
        request.shared.writeUnsatisfiedConcern(into: &reply.builder)
        return reply
    }
}
