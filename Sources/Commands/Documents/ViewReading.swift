internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// Queries of views: what they ask for goes behind the stages of the view.
extension ViewTarget {
    /// What a query asks for, behind the stages of the view: as far as a query can do it, and the rest.
    func source(
        _ stages: [Stage], like query: FindQuery, _ environment: ExpressionEnvironment, _ context: CommandContext
    ) throws(StorageError) -> AggregateSource {
        var pipeline = try StorageError.of { () throws(CommandError) in try self.pipeline(environment) }
        pipeline.stages += stages
        var source = AggregateSource(of: pipeline.optimized())
        source.query.settings = query.settings
        source.query.hint = query.hint
        source.query.wantsNaturalOrder = query.wantsNaturalOrder
        if source.query.sort == nil { source.query.naturalDescending = query.naturalDescending }
        source.query.preference = query.preference
        source.query.patience = query.patience ?? environment.patience
        source.query.spill = query.spill
        source.query.sortBytesMax = query.sortBytesMax
        source.query.deadline = query.deadline
        return source
    }

    func run(_ source: AggregateSource, _ context: CommandContext) async throws(StorageError) -> QueryRun {
        guard let collection else {
            var pipeline = source.rest
            pipeline.stages = source.query.asStages + pipeline.stages
            return QueryRun(
                over: [], in: context.nowhere(sources.foreign.database), through: pipeline, reading: sources.foreign,
                patience: source.query.patience)
        }
        return try await context.documents.run(source, on: collection, reading: sources.foreign)
    }

    /// Calls `body` with the documents, from all batches.
    func forEachDocument(
        of source: AggregateSource, _ context: CommandContext,
        _ body: (RawDocument) throws(CommandError) -> Void
    ) async throws(StorageError) {
        var run = try await run(source, context)
        repeat {
            let (batch, next) = try await context.documents.fill(
                ReplyBatch(into: DocumentBuilder(), documentsMax: .max), from: run, deadline: source.query.deadline)
            run = next
            try batch.builder.finish().withRaw { raw throws(StorageError) in
                try StorageError.of { () throws(CommandError) in
                    for element in raw {
                        if let document = element.value.document { try body(document) }
                    }
                }
            }
        } while !run.isExhausted
    }

    /// Counts the documents of the view that a query finds, into the field `n`.
    func countSource(
        _ query: FindQuery, _ environment: ExpressionEnvironment, _ context: CommandContext
    ) throws(StorageError) -> AggregateSource {
        let stages = try StorageError.of { () throws(CommandError) in try query.stages() }
        let counting = try StorageError.of { () throws(CommandError) in
            try PipelineCompiler(in: environment).compile([Self.counting].asArray).pipeline.stages
        }
        return try source(stages + counting, like: query, environment, context)
    }

    static let counting = Document { $0.append("$count", string: "n") }

    /// How many documents of the view a query finds.
    func count(
        _ query: FindQuery, _ environment: ExpressionEnvironment, _ context: CommandContext
    ) async throws(StorageError) -> Int64 {
        let source = try countSource(query, environment, context)
        var count: Int64 = 0
        try await forEachDocument(of: source, context) { count = $0["n"]?.number?.asInt64Exact ?? 0 }
        return count
    }

    /// The distinct values among the documents of the view that a query finds.
    func distinct(
        _ query: FindQuery, into made: DistinctCollector, _ environment: ExpressionEnvironment,
        _ context: CommandContext
    ) async throws(StorageError) -> DistinctCollector {
        let stages = try StorageError.of { () throws(CommandError) in try query.stages() }
        let source = try source(stages, like: query, environment, context)
        if source.rest.stages.isEmpty, let collection {
            return try await context.documents.distinct(source.query, into: made, in: collection)
        }
        var collector = made
        try await forEachDocument(of: source, context) { document throws(CommandError) in try collector.add(document) }
        return collector
    }
}

extension CommandContext {
    /// What a run is named after that reads no collection.
    func nowhere(_ database: String) -> Namespace { Namespace(database: database, collection: "$cmd.aggregate") }
}

extension FindQuery {
    /// The query as stages behind those of a view.
    ///
    /// - Throws: what concerns the rows of a table, which a view does not have.
    func stages() throws(CommandError) -> [Stage] {
        guard !filter.searchesText else { throw .textNotFirst }
        guard bounds == nil, !showsRecordID, !returnsKey, filter.near == nil,
            projection?.needsFacts != true, sort?.order != .natural(ascending: false)
        else {
            throw CommandError(
                ErrorCode(168, "InvalidPipelineOperator"),
                "min, max, returnKey, showRecordId, a $natural sort, $near and $meta are not supported on views")
        }
        return asStages + (projection.map { [.projection($0)] } ?? [])
    }

    /// Filter, sort, skip and limit.
    fileprivate var asStages: [Stage] {
        var stages: [Stage] = filter.matchesEverything ? [] : [.match(filter)]
        if let sort, sort.order != .natural(ascending: true) { stages.append(.sort(sort, limit: matchesNeeded)) }
        if skip > 0 { stages.append(.skip(Int64(skip))) }
        if let limit { stages.append(.limit(Int64(limit))) }
        return stages
    }
}
