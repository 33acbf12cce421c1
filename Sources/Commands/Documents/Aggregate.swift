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

    var stages: [Document] {
        pipeline.withRaw { pipeline in
            pipeline.compactMap { $0.value.document.map(Document.init(copying:)) }
        }
    }

    /// - Parameter sources: the other collections that the pipeline names.
    func compile(
        _ environment: ExpressionEnvironment, _ sources: PipelineSources
    ) throws(CommandError) -> CompiledPipeline {
        let compiler = PipelineCompiler(
            in: try environment.defining(variables), views: sources.views, writingFrom: namespace.database)
        var compiled = try compiler.compile(pipeline)
        compiled.pipeline = compiled.pipeline.optimized()
        return compiled
    }

    /// The pipeline behind the stages of the view that it reads.
    func compile(
        _ environment: ExpressionEnvironment, on view: ViewTarget
    ) throws(CommandError) -> CompiledPipeline {
        let stages = try view.pipeline(environment)
        var compiled = try PipelineCompiler(
            in: try environment.collated(by: view.collator).defining(variables), views: view.sources.views,
            writingFrom: namespace.database
        ).compile(pipeline)
        try compiled.pipeline.checkGeoNear(behind: stages)
        try compiled.pipeline.checkText(behind: stages)
        compiled.pipeline.stages.insert(contentsOf: stages.stages, at: 0)
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
        var sources = try await sources(of: arguments, context)
        let early = environment.collated(by: arguments.collation.early)
        let compiled = try arguments.compile(early, sources)
        try arguments.checkSource(compiled)
        try compiled.server?.check(arguments, request)
        if arguments.explains { return try await explain(arguments, compiled, sources, request, context) }
        try context.checkRejection(of: request)
        let facts = try await sources.gather(compiled.facts, request, context)
        var documents = compiled.documents
        if let server = compiled.server {
            let facts = ServerFacts(request: request, context: context, namespace: arguments.namespace)
            documents = try await facts.documents(of: server)
        }
        if let documents {
            return try await read(documents, through: compiled, arguments, early, sources, request, context)
        }
        try await context.engine.checkUUID(arguments.uuid, of: arguments.namespace)
        let first = sources
        var isRetry = false
        let found = try await context.documents.withCollection(arguments.namespace) {
            collection async throws(StorageError) -> CommandReply in
            try arguments.hint.check(in: collection)
            if collection.view != nil { return try await readView(arguments, environment, request, context) }
            var again: PipelineSources?
            if isRetry {
                again = try await Self.sources(of: arguments, context.documents)
                again?.foreign.facts = facts
            }
            let present = again ?? first
            var (source, output) = try source(
                of: arguments, isRetry ? nil : compiled, on: collection, environment, present, request, context)
            isRetry = true
            if output?.target == collection.namespace {
                source.query.ridMax = try await context.engine.newestRID(of: collection)
            }
            let (read, written) = (source, output)
            return try await present.reading(context) { () async throws(StorageError) in
                try await firstBatch(
                    of: try await context.documents.run(read, on: collection, reading: present.foreign), written,
                    arguments, request, context)
            }
        }
        if let found { return found }
        if case .geoNear? = compiled.pipeline.stages.first {
            throw CommandError(.namespaceNotFound, "$geoNear needs a collection: \(arguments.namespace)")
        }
        return try await read([], through: compiled, arguments, early, sources, request, context)
    }

    /// The other collections that a pipeline names.
    static func sources(
        of arguments: AggregateArguments, _ context: CommandContext
    ) async throws(CommandError) -> PipelineSources {
        try await context.documents.mapped { () async throws(StorageError) in
            try await sources(of: arguments, context.documents)
        }
    }

    private static func sources(
        of arguments: AggregateArguments, _ documents: DocumentStore
    ) async throws(StorageError) -> PipelineSources {
        try await PipelineSources(of: arguments.stages, in: arguments.namespace.database, documents)
    }

    /// What a pipeline reads of its collection, and the rest.
    ///
    /// - Parameter compiled: by the collation of the command; nil when it was compiled for what is no more.
    static func source(
        of arguments: AggregateArguments, _ compiled: CompiledPipeline?, on collection: Collection,
        _ environment: ExpressionEnvironment, _ sources: PipelineSources, _ request: CommandRequest,
        _ context: CommandContext
    ) throws(StorageError) -> (AggregateSource, PipelineOutput?) {
        try StorageError.of { () throws(CommandError) in
            let collator = arguments.collation.collator(default: collection.collator)
            try sources.check(collator)
            let isSettled = collator?.collation == arguments.collation.early?.collation
            var settled =
                if isSettled, let compiled {
                    compiled
                } else {
                    try arguments.compile(environment.collated(by: collator), sources)
                }
            try settled.pipeline.locateGeoNear(in: collection, arguments.hint)
            return (
                try AggregateSource(of: settled.pipeline, arguments, environment, request, context), settled.output
            )
        }
    }

    /// The same of a view.
    static func source(
        of arguments: AggregateArguments, on view: ViewTarget, _ environment: ExpressionEnvironment,
        _ request: CommandRequest, _ context: CommandContext
    ) throws(StorageError) -> (AggregateSource, PipelineOutput?) {
        try StorageError.of { () throws(CommandError) in
            var compiled = try arguments.compile(environment, on: view)
            try compiled.pipeline.locateGeoNear(in: view.collection, arguments.hint)
            return (
                try AggregateSource(of: compiled.pipeline, arguments, environment, request, context), compiled.output
            )
        }
    }

    private static func readView(
        _ arguments: AggregateArguments, _ environment: ExpressionEnvironment, _ request: CommandRequest,
        _ context: CommandContext
    ) async throws(StorageError) -> CommandReply {
        let view = try await ViewTarget(arguments.namespace, with: arguments.stages, arguments.collation, context)
        try arguments.hint.check(in: view)
        return try await view.reading(context) { () async throws(StorageError) in
            let (source, output) = try source(of: arguments, on: view, environment, request, context)
            return try await firstBatch(of: try await view.run(source, context), output, arguments, request, context)
        }
    }

    /// Runs a pipeline over documents that are known, or over none: again when one of the other collections was not
    /// what the catalog had kept.
    private static func read(
        _ documents: [Document], through compiled: CompiledPipeline, _ arguments: AggregateArguments,
        _ environment: ExpressionEnvironment, _ sources: PipelineSources, _ request: CommandRequest,
        _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try sources.check(environment.collator)
        var (compiled, sources) = (compiled, sources)
        return try await context.documents.mapped { () async throws(StorageError) in
            for _ in 1..<StorageEngine.staleRetriesMax {
                do throws(StorageError) {
                    return try await firstBatch(
                        over: documents, through: compiled, arguments, environment, sources, request, context)
                } catch {
                    guard error.isStaleCollection, context.documents.transaction == nil else { throw error }
                }
                sources = try await Self.sources(of: arguments, context.documents)
                let present = sources
                compiled = try StorageError.of { () throws(CommandError) in
                    try arguments.compile(environment, present)
                }
            }
            return try await firstBatch(
                over: documents, through: compiled, arguments, environment, sources, request, context)
        }
    }

    private static func firstBatch(
        over documents: [Document], through compiled: CompiledPipeline, _ arguments: AggregateArguments,
        _ environment: ExpressionEnvironment, _ sources: PipelineSources, _ request: CommandRequest,
        _ context: CommandContext
    ) async throws(StorageError) -> CommandReply {
        try await sources.reading(context) { () async throws(StorageError) in
            let run = QueryRun(
                over: documents, in: arguments.namespace, through: compiled.pipeline, reading: sources.foreign,
                patience: environment.patience)
            return try await firstBatch(of: run, compiled.output, arguments, request, context)
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
                command: "aggregate", isImmortal: false, maxTimeMilliseconds: request.shared.maxTimeMilliseconds,
                owner: request.owner)
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
