internal import BSON
internal import CommandModel
internal import Synchronization

/// The pipeline that a stage runs over another collection, behind the stages of the view that the collection may be.
struct SubPipeline: Sendable {
    /// Nil when the pipeline begins with `$documents`.
    let source: ForeignSource?
    /// The array of stages.
    private let stages: Document
    private let compiler: PipelineCompiler

    init(_ source: ForeignSource?, _ stages: RawDocument?, _ compiler: PipelineCompiler) {
        self.source = source
        self.stages = stages.map(Document.init(copying:)) ?? .empty
        self.compiler = compiler
    }

    var isEmpty: Bool { stages.isEmpty }
    var environment: ExpressionEnvironment { compiler.environment }

    func withStages<R>(_ body: (RawDocument) -> R) -> R { stages.withRaw(body) }

    func compile() throws(CommandError) -> CompiledPipeline {
        let compiled = try stages.withRaw { raw throws(CommandError) in try compiler.compileInner(raw) }
        try note(compiled)
        return compiled
    }

    /// What the server must tell of the collection before the pipeline runs.
    private func note(_ compiled: CompiledPipeline) throws(CommandError) {
        guard let server = compiled.server, let source else { return }
        guard source.pipeline.isEmpty else { throw .notFirst(server.name) }
        compiler.facts.insert(ForeignFact(collection: source.collection, source: server))
    }

    /// - Parameters:
    ///   - variables: their values become constants; nil for one that has none.
    ///   - range: of stages; nil for all.
    func compile(
        _ variables: [(name: String, value: Value?)], _ range: Range<Int>? = nil
    ) throws(CommandError) -> CompiledPipeline {
        var inner = compiler
        inner.budget = PipelineBudget()
        for (name, value) in variables { inner.environment.bind(name, value) }
        guard let range else {
            let compiled = try stages.withRaw { raw throws(CommandError) in try inner.compileInner(raw) }
            try note(compiled)
            return compiled
        }
        let part = stages.withRaw { raw in
            Document { builder in
                for (index, stage) in raw.dropFirst(range.lowerBound).prefix(range.count).enumerated() {
                    builder.append(index: index, stage.value)
                }
            }
        }
        return try part.withRaw { raw throws(CommandError) in try inner.compileInner(raw) }
    }

    /// What stands for the collection itself.
    func compileSource() throws(CommandError) -> Pipeline {
        guard let source, !source.pipeline.isEmpty else { return Pipeline() }
        var inner = compiler
        inner.parent = .command
        inner.environment.removeVariables()
        let stages = Document { builder in
            for (index, stage) in source.pipeline.enumerated() { builder.append(index: index, .document(stage)) }
        }
        return try stages.withRaw { raw throws(CommandError) in try inner.compileInner(raw).pipeline }
    }

    /// How many stages there are, and how many of them at the front name none of the variables.
    ///
    /// - Parameter start: which stage to begin with.
    func constantPrefix(_ names: [String], from start: Int = 0) -> (prefix: Int, count: Int) {
        stages.withRaw { raw in
            (raw.dropFirst(start).prefix { !$0.value.names(anyOf: names) }.count, raw.elementCount - start)
        }
    }

    /// The name of the first stage.
    var firstStage: String? {
        stages.withRaw { $0.firstElement?.value.document?.firstKey?.string }
    }

    /// Whether the first stage brings the documents.
    var bringsDocuments: Bool { firstStage == "$documents" }
}

extension RawValue {
    /// Whether a string in it may be that of a variable. The depth of a document is bounded.
    func names(anyOf variables: [String]) -> Bool {
        if let container { return container.contains { $0.value.names(anyOf: variables) } }
        guard let text = string, text.hasPrefix("$$") else { return false }
        let name = text.dropFirst(2).prefix { $0 != "." }
        return variables.contains { $0 == name }
    }
}

/// How many pipelines may stand within stages of one command. Views multiply them: each may name others more than once.
final class PipelineBudget: Sendable {
    private static let pipelinesMax = 1_000

    private let count = Atomic<Int>(0)

    func take() throws(CommandError) {
        guard count.add(1, ordering: .relaxed).newValue <= Self.pipelinesMax else {
            throw CommandError(
                ErrorCode(232, "MaxSubPipelineDepthExceeded"),
                "more than \(Self.pipelinesMax) pipelines, those of views included, stand within stages")
        }
    }
}

/// What the pipelines within the stages of one command want to know of collections.
final class ForeignFacts: Sendable {
    private let facts = Mutex<Set<ForeignFact>>([])

    var all: Set<ForeignFact> { facts.withLock { $0 } }

    func insert(_ fact: ForeignFact) { _ = facts.withLock { $0.insert(fact) } }
}

extension PipelineCompiler {
    /// As deep as pipelines may stand in stages of pipelines.
    ///
    /// Source: https://www.mongodb.com/docs/manual/core/aggregation-pipeline-limits/
    static let nestingMax = 20

    /// In whose pipeline a stage stands.
    enum Parent: Sendable {
        case command, lookup, unionWith, facet
    }

    /// The compiler of a pipeline within a stage.
    func nested(in parent: Parent) throws(CommandError) -> PipelineCompiler {
        try budget.take()
        var inner = self
        inner.isInFacet = isInFacet || parent == .facet
        inner.parent = parent
        if parent != .facet { inner.environment.textScore = .none }
        inner.outputDatabase = nil
        inner.nesting += 1
        guard inner.nesting <= Self.nestingMax else {
            throw CommandError(
                ErrorCode(232, "MaxSubPipelineDepthExceeded"),
                "Maximum number of nested sub-pipelines exceeded. Limit is \(Self.nestingMax)")
        }
        return inner
    }

    /// A pipeline over another collection.
    fileprivate func compileInner(_ raw: RawDocument) throws(CommandError) -> CompiledPipeline {
        let compiled = try compile(raw)
        try compiled.server?.checkInner()
        if case .geoNear(let near)? = compiled.pipeline.stages.first, !near.namesField {
            throw CommandError(
                .indexNotFound, "$geoNear requires a 2d or 2dsphere index, or the field's name as 'key'")
        }
        return compiled
    }

    func source(_ name: String) -> ForeignSource { views[name] ?? ForeignSource(collection: name, pipeline: []) }

    /// Refuses what may not stand where it stands.
    func checkPlace(_ stage: RawKey) throws(CommandError) {
        let name = stage.string
        switch parent {
        case .command: break
        case .facet where name == "$listSessions":
            throw CommandError(.invalidNamespace, "$listSessions must be run against config.system.sessions")
        case .facet: break
        case .lookup, .unionWith: try checkForeign(name)
        }
        if isInFacet, Self.notInFacets.contains(name) {
            throw CommandError(ErrorCode(40600), "\(name) is not allowed to be used within a $facet stage")
        }
    }

    private func checkForeign(_ name: String) throws(CommandError) {
        switch name {
        case "$out", "$merge":
            guard parent == .lookup else {
                throw CommandError(
                    ErrorCode(31441), "\(name) is not allowed within a $unionWith's sub-pipeline")
            }
            throw CommandError(ErrorCode(51047), "\(name) is not allowed within a $lookup's sub-pipeline")
        case "$changeStream":
            throw CommandError(ErrorCode(51047), "$changeStream is not allowed within a sub-pipeline")
        case "$currentOp", "$listSessions", "$listLocalSessions":
            throw CommandError(.invalidNamespace, "\(name) reads no collection and cannot stand in a sub-pipeline")
        default: return
        }
    }

    private static let notInFacets: Set = [
        "$facet", "$out", "$merge", "$geoNear", "$collStats", "$indexStats", "$planCacheStats", "$changeStream",
        "$currentOp", "$listSessions", "$listLocalSessions", "$documents", "$search", "$searchMeta", "$vectorSearch",
        "$listClusterCatalog", "$listSearchIndexes", "$listSampledQueries", "$querySettings", "$queryStats",
        "$listCatalog", "$searchBeta",
        "$changeStreamSplitLargeEvent", "$rankFusion", "$scoreFusion",
    ]
}
