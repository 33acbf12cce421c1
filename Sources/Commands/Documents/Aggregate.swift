internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/aggregate/

struct AggregateArguments {
    /// Of a command that reads no collection (`aggregate: 1`) the pseudo-collection that its cursor is on.
    private(set) var namespace: Namespace
    private(set) var hasCollection: Bool
    private var pipeline: Document?
    private var hasCursor = false
    private var variables: Document?
    var batchSize = FindArguments.defaultBatchSize
    var hint = Hint.none
    var collation = CollationChoice.inherited
    var uuid: [UInt8]?

    init(_ request: CommandRequest) throws(CommandError) {
        (namespace, hasCollection) = try Self.target(request)
        var taken = self
        try request.forEachArgument(of: "aggregate") { argument throws(CommandError) in try taken.take(argument) }
        self = taken
        guard pipeline != nil else { throw .missingField("aggregate.pipeline") }
        guard hasCursor else {
            throw CommandError(
                .failedToParse, "The 'cursor' option is required, except for aggregate with the explain argument")
        }
    }

    private static func target(_ request: CommandRequest) throws(CommandError) -> (Namespace, Bool) {
        guard request.body.withRaw({ $0.firstElement?.value.number?.asInt64Exact }) == 1 else {
            return (try request.namespace(), true)
        }
        return (Namespace(database: request.database, collection: "$cmd.aggregate"), false)
    }

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "pipeline": if !argument.isOmitted { pipeline = Document(copying: try argument.array()) }
        case "cursor":
            guard let size = try argument.ifPresent(Argument.cursorBatchSize) else { return }
            hasCursor = true
            if let size { batchSize = size }
        case "explain", "fromMongos", "needsMerge": try argument.refuseIfSet("aggregate")
        case "allowDiskUse", "bypassDocumentValidation", "includeQueryStatsMetrics":
            _ = try argument.ifPresent(Argument.lenientBool)
        case "hint": hint = try argument.hint()
        case "collation": collation = try argument.collationChoice()
        case "let": variables = try argument.ifPresent(Argument.document)
        case "collectionUUID": uuid = try argument.ifPresent(Argument.uuid)
        default: throw argument.unknownField()
        }
    }

    func compile(_ context: CommandContext, _ collator: Collator?) throws(CommandError) -> CompiledPipeline {
        let compiler = PipelineCompiler(in: try context.environment(with: variables), collator)
        return try (pipeline ?? .empty).withRaw { raw throws(CommandError) in try compiler.compile(raw) }
    }
}

extension CommandTable {
    @Sendable static func aggregate(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try AggregateArguments(request)
        let compile = { (collator: Collator?) throws(CommandError) -> CompiledPipeline in
            try arguments.compile(context, collator)
        }
        let compiled = try compile(arguments.collation.early)
        guard arguments.hasCollection, compiled.documents == nil else {
            let run = QueryRun(over: compiled.documents ?? [], in: arguments.namespace, through: compiled.pipeline)
            return try await context.engine.mapped { () async throws(StorageError) in
                try await firstBatch(of: run, arguments, request, context)
            }
        }
        try await context.engine.checkUUID(arguments.uuid, of: arguments.namespace)
        let found = try await context.documents.withCollection(arguments.namespace) {
            collection async throws(StorageError) -> CommandReply in
            try arguments.hint.check()
            let settled = try arguments.collation.settled(compiled, in: collection, compile)
            let (query, pipeline) = sourceQuery(of: settled.pipeline, request)
            return try await firstBatch(
                of: QueryRun(query, on: collection, through: pipeline), arguments, request, context)
        }
        if let found { return found }
        return try await context.engine.mapped { () async throws(StorageError) in
            try await firstBatch(
                of: QueryRun(over: [], in: arguments.namespace, through: compiled.pipeline), arguments, request, context
            )
        }
    }

    /// The part of a pipeline that a query can do while it reads, and the rest.
    private static func sourceQuery(of pipeline: Pipeline, _ request: CommandRequest) -> (FindQuery, Pipeline) {
        var query = FindQuery(filter: .everything)
        query.preference = request.shared.routing
        var rest = pipeline
        if case .match(let filter)? = rest.stages.first {
            query.filter = filter
            rest.stages.removeFirst()
        }
        return (query, rest)
    }

    private static func firstBatch(
        of run: QueryRun, _ arguments: AggregateArguments, _ request: CommandRequest, _ context: CommandContext
    ) async throws(StorageError) -> CommandReply {
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
    var environment: ExpressionEnvironment {
        ExpressionEnvironment(now: ClusterClock.wallMilliseconds(), clusterTime: server.clock.current())
    }

    /// - Parameter variables: the command's `let`.
    func environment(with variables: Document?) throws(CommandError) -> ExpressionEnvironment {
        var environment = environment
        if let variables { try environment.define(variables) }
        return environment
    }
}
