package import BSON
package import CommandModel

/// A compiled stage of a pipeline.
package enum Stage: Sendable {
    case match(Filter)
    case limit(Int64)
    case skip(Int64)
    /// `$project`, `$addFields`, `$unset`.
    case projection(Projection)
    /// `$replaceRoot`, `$replaceWith`.
    case replaceRoot(CompiledExpression)
    case unwind(Unwind)
    case group(Group)
    /// - Parameter limit: how many documents are wanted of the sorted ones; nil for all.
    case sort(SortPattern, limit: Int?)
    case sample(Int64)
    case windowFields(WindowFields)
    case redact(Redact)
    case bucketAuto(BucketAuto)
    case densify(Densify)
    case geoNear(GeoNear)
    case lookup(Lookup, LookupUse)
    case unionWith(UnionWith)
    case graphLookup(GraphLookup)
    case facet(Facet)

    package func makeRun(_ limits: StageLimits) -> any StageRun {
        switch self {
        case .match(let filter): MatchRun(filter)
        case .limit(let count): LimitRun(count)
        case .skip(let count): SkipRun(count)
        case .projection(let projection): ProjectionRun(projection)
        case .replaceRoot(let root): ReplaceRootRun(root)
        case .unwind(let unwind): UnwindRun(unwind)
        case .group(let group): GroupRun(group, limits)
        case .sort(let pattern, let limit): SortRun(.pattern(pattern), limit: limit, limits)
        case .sample(let size): SortRun(.random, limit: Int(size), limits)
        case .bucketAuto(let stage): BucketAutoRun(stage, limits)
        case .densify(let densify): DensifyRun(densify, limits)
        case .redact(let redact): RedactRun(redact)
        case .windowFields(let fields): WindowFieldsRun(fields, limits)
        case .geoNear(let near): GeoNearRun(near, limits)
        case .lookup(let lookup, let use): LookupRun(lookup, use, limits)
        case .unionWith(let union): UnionWithRun(union, limits)
        case .graphLookup(let graph): GraphLookupRun(graph, limits)
        case .facet(let facet): FacetRun(facet, limits)
        }
    }
}

/// A compiled pipeline, without its source.
package struct Pipeline: Sendable {
    package var stages: [Stage]
    /// Whether its stages expect the text score of each document in it (``TextScore``).
    package var carriesTextScore = false

    package init(_ stages: [Stage] = []) {
        self.stages = stages
    }

    /// Whether nothing but stages that let everything through stand in it, which do not count.
    var isEmptyMatch: Bool {
        stages.allSatisfy { stage in
            guard case .match(let filter) = stage else { return false }
            return filter.matchesEverything
        }
    }
}

/// What a pipeline reads, and its stages.
package struct CompiledPipeline: Sendable {
    /// The documents of `$documents`; nil when a collection is read.
    package var documents: [Document]?
    /// Of what it tells, when the documents are facts of the server.
    package var server: ServerSource?
    package var pipeline = Pipeline()
    /// Where what comes out is written; nil when the client gets it.
    package var output: PipelineOutput?
    /// What the server must tell of collections for the pipelines within the stages.
    package var facts: Set<ForeignFact> = []
    /// What is asked of the documents that come out.
    var needs = FieldNeeds.whole
    /// What is left of documents that go through no stages; nil for all of them.
    var narrowing: Narrowing?
}

extension CompiledPipeline {
    /// What is left of the documents that it reads, when the stages of `rest` are still before them; nil for all.
    ///
    /// - Parameter areKept: whether they are sorted before they go through the stages.
    package func narrowing(for rest: Pipeline, areKept: Bool) -> Narrowing? {
        if let narrowing { return rest.stages.isEmpty ? narrowing : nil }
        guard areKept || rest.rewrites || !needs.isWhole else { return nil }
        let needs = rest.needs(for: needs)
        return needs.isWhole ? nil : Narrowing(needs)
    }
}

/// Reads the stages of a pipeline. Each stage's syntax stands with the stage.
package struct PipelineCompiler: Sendable {
    var environment: ExpressionEnvironment
    /// What the names of views stand for.
    let views: [String: ForeignSource]
    /// Of a command whose pipeline may end with `$out` or `$merge`; nil for all others.
    var outputDatabase: String?
    /// Pipelines around this one.
    var nesting = 0
    var parent = Parent.command
    /// Whether one of them is that of a `$facet`.
    var isInFacet = false
    var budget = PipelineBudget()
    let facts = ForeignFacts()

    package init(
        in environment: ExpressionEnvironment, views: [String: ForeignSource] = [:],
        writingFrom outputDatabase: String? = nil
    ) {
        self.environment = environment
        self.views = views
        self.outputDatabase = outputDatabase
    }

    var collator: Collator? { environment.collator }

    /// As many stages as a pipeline may have.
    ///
    /// Source: https://www.mongodb.com/docs/manual/core/aggregation-pipeline-limits/
    static let stagesMax = 1000

    package func compile(_ pipeline: RawDocument) throws(CommandError) -> CompiledPipeline {
        let count = pipeline.elementCount
        guard count <= Self.stagesMax else {
            throw CommandError(
                ErrorCode(7_749_501), "Pipeline length must be no longer than \(Self.stagesMax) stages.")
        }
        var compiled = CompiledPipeline()
        var compiler = self
        var index = 0
        for element in pipeline {
            let stage = try Self.specification(element.value)
            try checkPlace(stage.key)
            guard index == 0 || !Self.isSource(stage.key) else { throw CommandError.notFirst(stage.key.string) }
            try UnsupportedSource.check(stage, isFirst: index == 0)
            if let server = try ServerSource(compiling: stage) {
                compiled.server = server
            } else if stage.key == "$geoNear" {
                guard index == 0 || compiled.pipeline.isEmptyMatch else {
                    throw CommandError(ErrorCode(40603), "$geoNear is only valid as the first stage in a pipeline")
                }
                compiled.pipeline.stages = [.geoNear(try GeoNear(compiling: stage.value, in: environment, collator))]
            } else if stage.key == "$documents" {
                compiled.documents = try documents(stage.value)
            } else if PipelineOutput.isOutput(stage.key) {
                compiled.output = try output(stage, isLast: index == count - 1)
            } else {
                // The documents of a facet come from other stages.
                compiled.pipeline.stages += try compiler.compile(stage, isFirst: index == 0 && parent != .facet)
                compiler.followTextScore(stage.key, isFirst: index == 0, &compiled.pipeline, of: pipeline)
            }
            index += 1
        }
        if compiler.environment.textScore == .carried { compiled.pipeline.stages.append(.projection(.hidingTextScore)) }
        if nesting == 0 { compiled.facts = facts.all }
        return compiled
    }

    /// Whether a stage of that name makes documents, and so has none before it.
    private static func isSource(_ name: RawKey) -> Bool {
        switch name {
        case "$documents", "$collStats", "$indexStats", "$planCacheStats", "$currentOp", "$listLocalSessions",
            "$listSessions", "$listClusterCatalog", "$listCatalog", "$querySettings", "$queryStats",
            "$listSampledQueries", "$listSearchIndexes", "$search",
            "$searchMeta", "$vectorSearch", "$changeStream":
            true
        default: false
        }
    }

    /// The one field of a stage.
    package static func specification(_ value: RawValue) throws(CommandError) -> RawElement {
        guard let stage = value.document else {
            throw CommandError(.typeMismatch, "Each element of the 'pipeline' array must be an object")
        }
        guard stage.elementCount == 1, let field = stage.firstElement else {
            throw CommandError(
                ErrorCode(40323), "A pipeline stage specification object must contain exactly one field.")
        }
        return field
    }

    private func compile(_ stage: RawElement, isFirst: Bool) throws(CommandError) -> [Stage] {
        switch stage.key {
        case "$match": [.match(try match(stage.value, isFirst: isFirst))]
        case "$limit": [.limit(try count(stage, minimum: 1, ErrorCode(5_107_201), ErrorCode(15958)))]
        case "$skip": [.skip(try count(stage, minimum: 0, ErrorCode(5_107_200), ErrorCode(5_107_200)))]
        case "$project": [.projection(try project(stage.value))]
        case "$addFields", "$set": [.projection(try addFields(stage))]
        case "$unset": [.projection(try unset(stage.value))]
        case "$replaceRoot": [.replaceRoot(try replaceRoot(stage.value))]
        case "$replaceWith":
            [.replaceRoot(try CompiledExpression(compilingRoot: stage.value, in: environment))]
        case "$unwind": [.unwind(try Unwind(compiling: stage.value))]
        case "$group": [.group(try Group(compiling: stage.value, in: environment))]
        case "$sort": [.sort(try sort(stage.value), limit: nil)]
        case "$sample": [.sample(try sample(stage.value))]
        case "$setWindowFields":
            [.windowFields(try WindowFields(compiling: stage.value, in: environment, collator))]
        case "$redact": [.redact(try Redact(compiling: stage.value, in: environment))]
        case "$bucketAuto": [.bucketAuto(try BucketAuto(compiling: stage.value, in: environment, collator))]
        case "$densify": [.densify(try Densify(compiling: stage.value, collator: collator))]
        case "$fill": try fillStages(stage.value)
        case "$bucket": try bucketStages(stage.value)
        case "$count": try countStages(stage.value)
        case "$sortByCount": try sortByCount(stage.value)
        case "$lookup": [.lookup(try Lookup(compiling: stage.value, self), .array)]
        case "$unionWith": [.unionWith(try UnionWith(compiling: stage.value, self))]
        case "$graphLookup": [.graphLookup(try GraphLookup(compiling: stage.value, self))]
        case "$facet": [.facet(try Facet(compiling: stage.value, self))]
        default:
            throw CommandError(ErrorCode(40324), "Unrecognized pipeline stage name: '\(stage.key.string)'")
        }
    }
}
