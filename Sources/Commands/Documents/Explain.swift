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
        try request.forEachArgument(of: "explain") { argument throws(CommandError) in
            guard argument.key == "verbosity" else { throw argument.unknownField() }
            guard !argument.isOmitted else { return }
            guard ["queryPlanner", "executionStats", "allPlansExecution"].contains(try argument.string()) else {
                throw CommandError(
                    .badValue, "Enumeration value for field 'explain.verbosity' is not a valid value.")
            }
        }
        switch inner.name {
        case "update": return try await explainUpdate(inner, context)
        case "delete": return try await explainDelete(inner, context)
        case "find": return try await explainFind(inner, request, context)
        case "aggregate":
            let arguments = try AggregateArguments(inner, isExplained: true)
            let environment = context.environment(of: inner).collated(by: arguments.collation.early)
            return try await explain(arguments, arguments.compile(environment), inner, context)
        case "count": return try await explain(filter: "query", of: inner, "COUNT", context)
        case "distinct": return try await explain(filter: "query", of: inner, nil, context)
        case "findAndModify", "findandmodify":
            let removes = inner.body.withRaw { $0["remove"]?.bool } == true
            return try await explain(filter: "query", of: inner, removes ? "DELETE" : "UPDATE", context)
        default:
            throw CommandError(.notImplemented, "explain of \(inner.name) is not supported yet")
        }
    }

    /// The command that is explained, in the database of the outer one.
    private static func innerRequest(_ request: CommandRequest) throws(CommandError) -> CommandRequest {
        let body: Document? = request.body.withRaw { raw in
            raw.firstElement?.value.document.map(Document.init(copying:))
        }
        guard let body else { throw CommandError(.typeMismatch, "explain takes a command as an object") }
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
            try arguments.query(environment.collated(by: collator), request, context)
        }
        let compiled = try compile(arguments.collation.early)
        let collection = try await explained(arguments.namespace, context)
        var explanation = Explanation(namespace: arguments.namespace, collection: collection)
        explanation.query = try await context.engine.mapped { () async throws(StorageError) in
            guard let collection else { return compiled }
            return try arguments.collation.settled(compiled, in: collection, compile)
        }
        return reply(explanation, inner.body, context)
    }

    /// Explains an aggregation: one that a query can do altogether in the way of a `find`.
    static func explain(
        _ arguments: AggregateArguments, _ compiled: CompiledPipeline, _ inner: CommandRequest,
        _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try await AggregateOutput.check(compiled.output, context)
        var explanation = Explanation(namespace: arguments.namespace, stages: arguments.stages(behind: 0))
        guard arguments.hasCollection, compiled.documents == nil else {
            return reply(explanation, inner.body, context)
        }
        let collection = try await explained(arguments.namespace, context)
        explanation.collection = collection
        let settled = try await context.engine.mapped { () async throws(StorageError) in
            guard let collection else { return compiled }
            try arguments.hint.check(in: collection)
            return try arguments.collation.settled(compiled, in: collection) { collator throws(CommandError) in
                try arguments.compile(context.environment(of: inner).collated(by: collator))
            }
        }
        let source = try AggregateSource(
            of: settled.pipeline, arguments, context.environment(of: inner), inner, context)
        explanation.query = source.query
        explanation.stages =
            source.rest.stages.isEmpty && settled.output == nil
            ? nil : arguments.stages(behind: arguments.sourceStageCount)
        return reply(explanation, inner.body, context)
    }

    /// Explains how a command finds the documents of its filter.
    private static func explain(
        filter name: StaticString, of inner: CommandRequest, _ action: String?, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try inner.namespace()
        let collection = try await explained(namespace, context)
        let filter = inner.body.withRaw { $0[name]?.document.map(Document.init(copying:)) }
        let environment = context.environment(of: inner).collated(by: collection?.collator)
        var explanation = Explanation(namespace: namespace, collection: collection, action: action)
        explanation.query = FindQuery(
            filter: try Filter(
                compiling: filter ?? .empty, environment: environment, allowsNear: true)
        )
        return reply(explanation, inner.body, context)
    }

    static func explained(
        _ namespace: Namespace, _ context: CommandContext
    ) async throws(CommandError) -> Collection? {
        let collection = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.collection(namespace)
        }
        if let collection, collection.view != nil {
            throw CommandError(.notImplemented, "explain: views are not supported yet")
        }
        return collection
    }

    static func reply(
        _ explanation: Explanation, _ command: Document, _ context: CommandContext
    ) -> CommandReply {
        CommandReply { builder in explanation.write(command, context, into: &builder) }
    }
}

extension AggregateArguments {
    /// The pipeline as the client wrote it, from a stage on.
    fileprivate func stages(behind count: Int) -> [Document] {
        pipeline.withRaw { pipeline in
            pipeline.dropFirst(count).compactMap { $0.value.document.map(Document.init(copying:)) }
        }
    }

    /// How many stages at the front the query does, as they were written.
    fileprivate var sourceStageCount: Int {
        var rank = 0
        var count = 0
        for stage in stages(behind: 0) {
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
