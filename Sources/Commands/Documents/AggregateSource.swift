internal import BSON
internal import CommandModel
internal import Query
internal import Storage
internal import Synchronization

/// The part of a pipeline that a query can do while it reads its collection, and the rest.
struct AggregateSource: Sendable {
    var query: FindQuery
    var rest: Pipeline

    init(of pipeline: Pipeline) {
        rest = pipeline
        query = FindQuery(absorbing: &rest)
    }

    /// The query with what the command says beside the pipeline.
    init(
        of pipeline: Pipeline, _ arguments: AggregateArguments, _ environment: ExpressionEnvironment,
        _ request: CommandRequest, _ context: CommandContext
    ) throws(CommandError) {
        self.init(of: pipeline)
        query.settings = context.querySettings(of: request)
        query.preference = request.shared.routing
        query.patience = environment.patience
        query.spill = arguments.allowsDiskUse ? context.engine.spill : nil
        query.sortBytesMax = context.engine.sortBytesMax.load(ordering: .relaxed)
        query.deadline = context.deadline(of: request)
        arguments.hint.apply(to: &query)
        if case .id = arguments.hint, query.sort == nil { query.sort = try arguments.hint.order() }
    }

    /// Where the pipeline does no more than to count: what the count becomes.
    var counting: Group.Counting? {
        guard case .group(let group)? = rest.stages.first, query.sort == nil else { return nil }
        return group.counting
    }
}

extension DocumentStore {
    /// What a pipeline yields on a collection. Where it only counts, the storage engine does that, by SQL if it can.
    ///
    /// - Parameter foreign: the other collections that the pipeline reads.
    func run(
        _ source: AggregateSource, on collection: Collection, reading foreign: ForeignCollections
    ) async throws(StorageError) -> QueryRun {
        guard let counting = source.counting else {
            return QueryRun(
                source.query, on: collection, through: source.rest.stages.isEmpty ? nil : source.rest, reading: foreign)
        }
        let documents = counting.documents(count: try await count(source.query, in: collection))
        let rest = Pipeline(Array(source.rest.stages.dropFirst()))
        return QueryRun(
            over: documents, in: collection.namespace, through: rest.stages.isEmpty ? nil : rest, reading: foreign,
            patience: source.query.patience)
    }
}
