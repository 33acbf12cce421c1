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

    /// Where the pipeline begins by counting the documents with each value of a field: by which index.
    func fieldCounting(in collection: Collection) -> (counting: Group.FieldCounting, index: SecondaryIndex)? {
        guard case .group(let group)? = rest.stages.first, let counting = group.fieldCounting, query.readsEverything,
            let index = collection.indexCounting(counting.path, counting.collator)
        else { return nil }
        return (counting, index)
    }
}

extension AggregateSource {
    /// What the stages behind the first one make of documents that this one would give.
    fileprivate func run(
        behindFirst documents: [Document], in collection: Collection, reading foreign: ForeignCollections
    ) -> QueryRun {
        let stages = Array(rest.stages.dropFirst())
        return QueryRun(
            over: documents, in: collection.namespace, through: stages.isEmpty ? nil : Pipeline(stages),
            reading: foreign, patience: query.patience)
    }
}

extension DocumentStore {
    /// What a pipeline yields on a collection. Where it only counts, the storage engine does that, by SQL if it can.
    ///
    /// - Parameter foreign: the other collections that the pipeline reads.
    func run(
        _ source: AggregateSource, on collection: Collection, reading foreign: ForeignCollections
    ) async throws(StorageError) -> QueryRun {
        if let (counting, index) = source.fieldCounting(in: collection),
            let documents = try await count(counting, by: index, source.query, in: collection)
        {
            return source.run(behindFirst: documents, in: collection, reading: foreign)
        }
        guard let counting = source.counting else {
            return QueryRun(
                source.query, on: collection, through: source.rest.stages.isEmpty ? nil : source.rest, reading: foreign)
        }
        let documents = counting.documents(count: try await count(source.query, in: collection))
        return source.run(behindFirst: documents, in: collection, reading: foreign)
    }
}
