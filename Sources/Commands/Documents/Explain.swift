internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/explain/

extension CommandTable {
    @Sendable static func explain(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let inner = try innerRequest(request)
        var context = context
        context.verbosity = .allPlansExecution
        try request.forEachArgument(of: "explain") { argument throws(CommandError) in
            guard argument.key == "verbosity" else { throw argument.unknownField() }
            guard !argument.isOmitted else { return }
            guard let verbosity = ExplainVerbosity(rawValue: try argument.string()) else {
                throw CommandError(
                    .badValue, "Enumeration value for field 'explain.verbosity' is not a valid value.")
            }
            context.verbosity = verbosity
        }
        return try await explain(inner, as: request, context)
    }

    /// - Parameter request: the command that asks.
    static func explain(
        _ inner: CommandRequest, as request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        switch inner.name {
        case "update": return try await explainUpdate(inner, context)
        case "delete": return try await explainDelete(inner, context)
        case "find": return try await explainFind(inner, request, context)
        case "aggregate":
            let arguments = try AggregateArguments(inner, isExplained: true)
            let environment = context.environment(of: inner).collated(by: arguments.collation.early)
            let sources = try await sources(of: arguments, context)
            return try await explain(arguments, arguments.compile(environment, sources), sources, inner, context)
        case "count": return try await explainCount(inner, context)
        case "distinct": return try await explainDistinct(inner, context)
        case "findAndModify", "findandmodify": return try await explainFindAndModify(inner, context)
        default:
            throw CommandError(ErrorCode(20, "IllegalOperation"), "Explaining \(inner.name) is not supported")
        }
    }

    /// The command that is explained, in the database of the outer one.
    static func innerRequest(_ request: CommandRequest) throws(CommandError) -> CommandRequest {
        let body: Document? = request.body.withRaw { raw in
            raw.firstElement?.value.document.map(Document.init(copying:))
        }
        let isNull = request.body.withRaw { $0.firstElement?.value.isNullish ?? true }
        guard let body else {
            throw isNull
                ? .missingField("explain.explain")
                : CommandError(.typeMismatch, "explain takes a command as an object")
        }
        guard !body.isEmpty else { throw CommandError(.commandNotFound, "explain failed due to unknown command: ''") }
        let named = Document { builder in
            body.withRaw { raw in
                for field in raw where !(field.key == "$db") { builder.append(field) }
            }
            builder.append("$db", string: request.database)
        }
        return try CommandRequest(body: named, sequences: [])
    }

    private static func explainFind(
        _ inner: CommandRequest, _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try FindArguments(inner)
        let environment = context.environment(of: request)
        let compile = { (collator: Collator?) throws(CommandError) -> FindQuery in
            var query = try arguments.query(environment.collated(by: collator), .find, request, context)
            query.settings = context.querySettings(of: inner)
            return query
        }
        let compiled = try compile(arguments.collation.early)
        let collection = try await explained(arguments.namespace, context)
        if collection?.view != nil {
            let view = try await viewTarget(arguments.namespace, arguments.collation, context)
            try await check(arguments.hint, in: view, context)
            var query = try arguments.query(environment.collated(by: view.collator), .stage)
            query.settings = context.querySettings(of: inner)
            let asked = query
            let source = try await context.engine.mapped { () async throws(StorageError) in
                let stages = try StorageError.of { () throws(CommandError) in try asked.stages() }
                return try view.source(stages, like: asked, environment, context)
            }
            return try await reply(
                Explanation(of: source, on: view, arguments.namespace, view.stages + inner.queryStages),
                inner.body, context)
        }
        var explanation = Explanation(namespace: arguments.namespace, collection: collection)
        explanation.query = try await context.engine.mapped { () async throws(StorageError) in
            guard let collection else { return compiled }
            try arguments.hint.check(in: collection)
            return try arguments.collation.settled(compiled, in: collection, compile)
        }
        return try await reply(explanation, inner.body, context)
    }

    /// Explains an aggregation: one that a query can do altogether in the way of a `find`.
    static func explain(
        _ arguments: AggregateArguments, _ compiled: CompiledPipeline, _ sources: PipelineSources,
        _ inner: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try await AggregateOutput.check(compiled.output, context)
        var explanation = Explanation(namespace: arguments.namespace, stages: arguments.stages)
        guard arguments.hasCollection, compiled.documents == nil else {
            return try await reply(explanation, inner.body, context)
        }
        let environment = context.environment(of: inner)
        explanation.collection = try await explained(arguments.namespace, context)
        let source: AggregateSource
        if explanation.collection?.view != nil {
            let view = try await viewTarget(arguments.namespace, with: arguments.stages, arguments.collation, context)
            try await check(arguments.hint, in: view, context)
            source = try await context.engine.mapped { () async throws(StorageError) in
                try Self.source(of: arguments, on: view, environment, inner, context).0
            }
            explanation = Explanation(of: source, on: view, arguments.namespace, view.stages + arguments.stages)
            explanation.joins = view.sources.foreign.joins(of: source.rest)
            return try await reply(explanation, inner.body, context)
        } else if let collection = explanation.collection {
            try await context.engine.mapped { () async throws(StorageError) in
                try arguments.hint.check(in: collection)
            }
            source = try await context.engine.mapped { () async throws(StorageError) in
                try Self.source(of: arguments, compiled, on: collection, environment, sources, inner, context).0
            }
        } else {
            source = try AggregateSource(of: compiled.pipeline, arguments, environment, inner, context)
        }
        explanation.query = source.query
        explanation.joins = sources.foreign.joins(of: source.rest)
        explanation.countedIndex = explanation.collection.flatMap {
            source.fieldCounting(in: $0)?.index.definition.name
        }
        explanation.stages =
            source.rest.stages.isEmpty && compiled.output == nil
            ? nil : Array(arguments.stages.dropFirst(arguments.stages.sourceStageCount))
        return try await reply(explanation, inner.body, context)
    }

    static func explained(
        _ namespace: Namespace, _ context: CommandContext
    ) async throws(CommandError) -> Collection? {
        // What is only told may be stale; what is run would fail.
        if context.verbosity != .queryPlanner { context.engine.catalog.forget(namespace) }
        return try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.collection(namespace)
        }
    }

    static func viewTarget(
        _ namespace: Namespace, with stages: [Document] = [], _ collation: CollationChoice, _ context: CommandContext
    ) async throws(CommandError) -> ViewTarget {
        try await context.engine.mapped { () async throws(StorageError) in
            try await ViewTarget(namespace, with: stages, collation, context)
        }
    }

    static func check(_ hint: Hint, in view: ViewTarget, _ context: CommandContext) async throws(CommandError) {
        try await context.engine.mapped { () async throws(StorageError) in try hint.check(in: view) }
    }

    static func reply(
        _ explanation: Explanation, _ command: Document, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let settled = try await explanation.settled(command, context)
        return CommandReply { builder in settled.write(command, context, into: &builder) }
    }
}

extension Explanation {
    /// Of a view, as far as a query does what stands behind it.
    init(of source: AggregateSource, on view: ViewTarget, _ namespace: Namespace, _ stages: [Document]) {
        self.init(namespace: view.collection?.namespace ?? namespace)
        query = source.query
        collection = view.collection
        self.stages = source.rest.stages.isEmpty ? nil : Array(stages.dropFirst(stages.sourceStageCount))
    }
}

extension CommandRequest {
    /// A query as the stages of a pipeline.
    var queryStages: [Document] {
        body.withRaw { body in
            let names: [(field: StaticString, stage: StaticString)] = [
                ("filter", "$match"), ("query", "$match"), ("sort", "$sort"), ("skip", "$skip"), ("limit", "$limit"),
                ("projection", "$project"),
            ]
            return names.compactMap { name in
                body[name.field].map { value in Document { $0.append(name.stage, value) } }
            }
        }
    }
}

extension [Document] {
    /// How many stages at the front the query does, as they were written.
    fileprivate var sourceStageCount: Int {
        var rank = 0
        var count = 0
        for stage in self {
            let next: Int? =
                switch stage.withRaw({ $0.firstElement?.key.string }) {
                case "$match" where rank == 0: 0
                case "$sort" where rank == 0: 1
                case "$skip", "$limit": 2
                default: nil
                }
            guard let next else { break }
            rank = next
            count += 1
        }
        return count
    }
}
