internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/aggregate/

struct AggregateArguments {
    /// Of a command that reads no collection (`aggregate: 1`) the pseudo-collection that its cursor is on.
    private(set) var namespace: Namespace
    private(set) var hasCollection: Bool
    private(set) var pipeline = Document.empty
    private(set) var explains = false
    private(set) var allowsDiskUse = true
    private(set) var bypassesValidation = false
    private var hasPipeline = false
    private var hasCursor = false
    private var variables: Document?
    var batchSize = FindArguments.defaultBatchSize
    var hint = Hint.none
    var collation = CollationChoice.inherited
    var uuid: [UInt8]?

    /// - Parameter isExplained: whether an `explain` is around it.
    init(_ request: CommandRequest, isExplained: Bool = false) throws(CommandError) {
        (namespace, hasCollection) = try Self.target(request)
        var taken = self
        try request.forEachArgument(of: "aggregate") { argument throws(CommandError) in try taken.take(argument) }
        self = taken
        guard hasPipeline else { throw .missingField("aggregate.pipeline") }
        guard hasCursor || explains || isExplained else {
            throw CommandError(
                .failedToParse, "The 'cursor' option is required, except for aggregate with the explain argument")
        }
        try checkRules(request)
    }

    private static func target(_ request: CommandRequest) throws(CommandError) -> (Namespace, Bool) {
        guard let number = request.body.withRaw({ $0.firstElement?.value.number }) else {
            return (try request.namespace(), true)
        }
        guard number.asDouble == 1 else {
            throw CommandError(
                .badValue, "Invalid command format: the 'aggregate' field must specify a collection name or 1")
        }
        return (Namespace(database: request.database, collection: "$cmd.aggregate"), false)
    }

    // Unlike elsewhere a null is no way to leave these out.
    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "pipeline":
            pipeline = Document(copying: try argument.array())
            hasPipeline = true
        case "cursor":
            if let size = try argument.cursorBatchSize() { batchSize = size }
            hasCursor = true
        case "explain": explains = try argument.bool()
        case "allowDiskUse": allowsDiskUse = try argument.bool()
        case "hint": hint = try argument.hint()
        case "collation": collation = try argument.collationChoice()
        case "let": variables = try argument.ifPresent(Argument.document)
        case "collectionUUID": uuid = try argument.ifPresent(Argument.uuid)
        case "bypassDocumentValidation":
            bypassesValidation = try argument.ifPresent(Argument.lenientBool) ?? false
        case "includeQueryStatsMetrics":
            _ = try argument.ifPresent(Argument.lenientBool)
        case "fromMongos", "needsMerge": try argument.refuseIfSet("aggregate")
        default: throw argument.unknownField()
        }
    }

    func compile(_ environment: ExpressionEnvironment) throws(CommandError) -> CompiledPipeline {
        let compiler = PipelineCompiler(
            in: try environment.defining(variables), writingFrom: namespace.database)
        var compiled = try pipeline.withRaw { raw throws(CommandError) in try compiler.compile(raw) }
        compiled.pipeline = compiled.pipeline.optimized()
        return compiled
    }
}

extension CommandTable {
    @Sendable static func aggregate(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try AggregateArguments(request)
        let environment = context.environment(of: request)
        let compile = { (collator: Collator?) throws(CommandError) -> CompiledPipeline in
            try arguments.compile(environment.collated(by: collator))
        }
        let compiled = try compile(arguments.collation.early)
        try compiled.server?.check(arguments, request)
        if arguments.explains { return try await explain(arguments, compiled, request, context) }
        var documents = compiled.documents
        if let server = compiled.server {
            let facts = ServerFacts(request: request, context: context, namespace: arguments.namespace)
            documents = try await facts.documents(of: server)
        }
        if let documents {
            let run = QueryRun(
                over: documents, in: arguments.namespace, through: compiled.pipeline,
                patience: environment.patience)
            return try await context.engine.mapped { () async throws(StorageError) in
                try await firstBatch(of: run, compiled.output, arguments, request, context)
            }
        }
        try await context.engine.checkUUID(arguments.uuid, of: arguments.namespace)
        let found = try await context.documents.withCollection(arguments.namespace) {
            collection async throws(StorageError) -> CommandReply in
            try arguments.hint.check(in: collection)
            let settled = try arguments.collation.settled(compiled, in: collection, compile)
            try settled.pipeline.checkGeoNearIndex()
            var source = try source(of: settled.pipeline, arguments, environment, request, context)
            if settled.output?.target == collection.namespace {
                source.query.ridMax = try await context.engine.newestRID(of: collection)
            }
            return try await firstBatch(
                of: try await context.documents.run(source, on: collection), settled.output, arguments, request,
                context)
        }
        if let found { return found }
        if case .geoNear? = compiled.pipeline.stages.first {
            throw CommandError(.namespaceNotFound, "$geoNear needs a collection: \(arguments.namespace)")
        }
        return try await context.engine.mapped { () async throws(StorageError) in
            try await firstBatch(
                of: QueryRun(
                    over: [], in: arguments.namespace, through: compiled.pipeline, patience: environment.patience),
                compiled.output, arguments, request, context)
        }
    }

    private static func source(
        of pipeline: Pipeline, _ arguments: AggregateArguments, _ environment: ExpressionEnvironment,
        _ request: CommandRequest, _ context: CommandContext
    ) throws(StorageError) -> AggregateSource {
        do throws(CommandError) {
            return try AggregateSource(of: pipeline, arguments, environment, request, context)
        } catch {
            throw .command(error)
        }
    }

    private static func firstBatch(
        of run: QueryRun, _ output: PipelineOutput?, _ arguments: AggregateArguments, _ request: CommandRequest,
        _ context: CommandContext
    ) async throws(StorageError) -> CommandReply {
        if let output { return try await AggregateOutput(output, arguments, request, context).write(run) }
        var reply = CommandReply()
        beginCursorReply(&reply.builder, .first)
        let (batch, run) = try await context.documents.fill(
            ReplyBatch(into: reply.builder, documentsMax: arguments.batchSize), from: run,
            deadline: context.deadline(of: request))
        var id: Int64 = 0
        if !run.isExhausted {
            let cursor = Cursor(
                namespace: arguments.namespace, run: run, sessionID: request.shared.sessionID,
                transactionNumber: request.shared.isInTransaction ? request.shared.transactionNumber : nil,
                snapshot: context.snapshotTime == nil ? nil : context.documents.transaction,
                command: "aggregate", isImmortal: false, maxTimeMilliseconds: request.shared.maxTimeMilliseconds)
            do throws(CommandError) { id = try context.engine.cursors.open(cursor) } catch { throw .command(error) }
        }
        return closeCursorReply(batch.builder, arguments.namespace, id: id, snapshot: context.snapshotTime)
    }
}

extension CommandContext {
    /// What the expressions of this command may name.
    func environment(of request: CommandRequest) -> ExpressionEnvironment {
        var environment = ExpressionEnvironment(
            now: ClusterClock.wallMilliseconds(), clusterTime: server.clock.current())
        environment.patience = patience(of: request)
        return environment
    }

    /// The same for commands in which nobody may name the time.
    func timelessEnvironment(of request: CommandRequest) -> ExpressionEnvironment {
        var environment = ExpressionEnvironment.none
        environment.patience = patience(of: request)
        return environment
    }

    private func patience(of request: CommandRequest) -> Patience {
        let deadline = deadline(of: request)
        return Patience { deadline.failure }
    }
}

extension ExpressionEnvironment {
    /// - Parameter variables: the command's `let`, in which strings compare as elsewhere in the environment.
    func defining(_ variables: Document?) throws(CommandError) -> ExpressionEnvironment {
        var environment = self
        if let variables { try environment.define(variables) }
        return environment
    }
}
