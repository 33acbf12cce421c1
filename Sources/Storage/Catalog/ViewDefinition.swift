package import BSON
package import CommandModel

/// What a view shows: the documents of another collection, or view, of its database, through a pipeline.
package struct ViewDefinition: Sendable {
    package let source: String
    package let pipeline: [Document]
    package let collation: Document?

    init?(_ options: RawDocument) {
        guard let source = options["viewOn"]?.string else { return nil }
        self.source = source
        pipeline = options["pipeline"]?.array?.compactMap { $0.value.document.map(Document.init(copying:)) } ?? []
        collation = options["collation"]?.document.map(Document.init(copying:))
    }

    /// The collections that it reads, those of its stages included.
    var sources: Set<String> {
        Self.sources(of: pipeline).union([source])
    }

    /// The collections that stages name.
    package static func sources(of stages: [Document]) -> Set<String> {
        var sources: Set<String> = []
        for stage in stages { stage.withRaw { Self.collectSources(of: $0, into: &sources) } }
        return sources
    }

    /// `from` of $lookup and $graphLookup, and what $unionWith names, at any depth. The depth of a document is bounded.
    private static func collectSources(of stage: RawDocument, into sources: inout Set<String>) {
        for field in stage {
            switch field.key {
            case "$lookup", "$graphLookup":
                if let from = field.value.document?["from"]?.string { sources.insert(from) }
            case "$unionWith":
                if let name = field.value.string ?? field.value.document?["coll"]?.string { sources.insert(name) }
            default: break
            }
            if let inner = field.value.container { collectSources(of: inner, into: &sources) }
        }
    }
}

/// What a namespace stands for when it is read: a collection, and the stages that every view on the way puts before
/// those of the reader.
package struct ResolvedNamespace: Sendable {
    package let namespace: Namespace
    /// The collection; nil when there is none, and so no documents.
    package let collection: Collection?
    package let pipeline: [Document]
    /// Of the view that was asked for; nil for the simple one, and for what is no view.
    package let collation: Document?
    package let isView: Bool
}

/// The views of a database by name, with what may not become of them. Pure.
struct ViewGraph {
    /// Views that may stand on each other.
    static let depthMax = 20
    /// Bytes of all pipelines that a reader of a view runs through.
    static let pipelineBytesMax = 16_000_000

    private var views: [String: ViewDefinition]
    private let database: String

    init(_ views: [String: ViewDefinition], in database: String) {
        self.views = views
        self.database = database
    }

    /// Checks the graph with `definition` under `name`, in the place of what stands there.
    ///
    /// - Throws: GraphContainsCycle (5), ViewDepthLimitExceeded (165), ViewPipelineMaxSizeExceeded (195).
    mutating func add(_ name: String, _ definition: ViewDefinition) throws(CommandError) {
        views[name] = definition
        var heights: [String: Int] = [:]
        let below = try height(of: name, from: name, path: 0, &heights)
        guard below + levels(above: name) <= Self.depthMax else { throw depthExceeded(name) }
        try checkSize(name)
    }

    /// Views from `name` down to a collection.
    private func height(
        of name: String, from root: String, path: Int, _ known: inout [String: Int]
    ) throws(CommandError) -> Int {
        guard let view = views[name] else { return 0 }
        if let height = known[name] { return height }
        guard path <= Self.depthMax else { throw depthExceeded(root) }
        var height = 0
        for source in view.sources {
            guard source != root else {
                throw CommandError(
                    ErrorCode(5, "GraphContainsCycle"), "View cycle detected: \(database).\(root)")
            }
            height = max(height, try self.height(of: source, from: root, path: path + 1, &known))
        }
        known[name] = height + 1
        return height + 1
    }

    /// Views that stand on `name`, one above the other.
    private func levels(above name: String) -> Int {
        var level: Set<String> = [name]
        var levels = 0
        while levels <= Self.depthMax {
            level = Set(views.filter { !$0.value.sources.isDisjoint(with: level) }.keys)
            if level.isEmpty { break }
            levels += 1
        }
        return levels
    }

    private func checkSize(_ name: String) throws(CommandError) {
        var bytes = 0
        var next: String? = name
        var steps = 0
        while let name = next, let view = views[name], steps <= Self.depthMax {
            bytes += view.pipeline.reduce(0) { $0 + $1.count }
            next = view.source
            steps += 1
        }
        guard bytes <= Self.pipelineBytesMax else {
            throw CommandError(
                ErrorCode(195, "ViewPipelineMaxSizeExceeded"),
                "the pipelines of view \(database).\(name) make up more than \(Self.pipelineBytesMax) bytes")
        }
    }

    private func depthExceeded(_ name: String) -> CommandError {
        CommandError(
            ErrorCode(165, "ViewDepthLimitExceeded"),
            "View depth limit of \(Self.depthMax) exceeded: \(database).\(name)")
    }
}
