internal import BSON
internal import CommandModel
internal import Query
internal import Storage

/// What a pipeline reads beside its own collection: looked up in the catalog before it is compiled, since views are
/// compiled into it.
struct PipelineSources {
    private(set) var views: [String: ForeignSource] = [:]
    var foreign: ForeignCollections
    /// Of the views.
    private var collators: [(view: String, collator: Collator?)] = []

    /// As many names as one pipeline and the views that it reads may hold.
    private static let namesMax = 1_000

    /// - Throws: ViewDepthLimitExceeded (165).
    init(of stages: [Document], in database: String, _ documents: DocumentStore) async throws(StorageError) {
        foreign = ForeignCollections(database: database)
        var (open, seen) = (ViewDefinition.sources(of: stages), Set<String>())
        while let name = open.popFirst() {
            // What is no name is refused by the compiler.
            guard seen.insert(name).inserted, (try? Namespace.validated(database: database, collection: name)) != nil
            else { continue }
            guard seen.count <= Self.namesMax else {
                throw .command(
                    CommandError(.badValue, "a pipeline may name \(Self.namesMax) collections, those of views included")
                )
            }
            let resolved = try await documents.resolve(Namespace(database: database, collection: name))
            if resolved.isView {
                views[name] = ForeignSource(collection: resolved.namespace.collection, pipeline: resolved.pipeline)
                collators.append((name, try resolved.collator))
                open.formUnion(ViewDefinition.sources(of: resolved.pipeline))
            }
            if let collection = resolved.collection {
                foreign.collections[resolved.namespace.collection] = collection
            }
        }
    }

    /// Finds out what pipelines within stages ask of the server.
    mutating func gather(
        _ facts: Set<ForeignFact>, _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> [ForeignFact: [Document]] {
        for fact in facts {
            try fact.source.checkInTransaction(request)
            let namespace = Namespace(database: foreign.database, collection: fact.collection)
            foreign.facts[fact] = try await ServerFacts(request: request, context: context, namespace: namespace)
                .documents(of: fact.source)
        }
        return foreign.facts
    }

    /// - Throws: OptionNotSupportedOnView (167) for a view with another collation than that of the pipeline.
    func check(_ collator: Collator?) throws(CommandError) {
        for view in collators where view.collator?.collation != collator?.collation {
            throw CommandError(
                .optionNotSupportedOnView,
                "the collation of the view \(foreign.database).\(view.view) is not that of the pipeline which reads it")
        }
    }

    /// Runs `body`, which reads them, and forgets what the catalog keeps of them when one has proved to be stale.
    func reading<R>(
        _ context: CommandContext, _ body: () async throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        do throws(StorageError) { return try await body() } catch {
            if error.isStaleCollection {
                for collection in foreign.collections.values { context.engine.catalog.forget(collection.namespace) }
            }
            throw error
        }
    }
}

/// A view that a command reads, with all that stands behind it.
struct ViewTarget {
    /// Nil when there is none behind the view, and so no documents.
    let collection: Collection?
    let collator: Collator?
    let stages: [Document]
    let sources: PipelineSources

    /// - Parameter stages: of the command.
    /// - Throws: OptionNotSupportedOnView (167) for another collation than the view's.
    init(
        _ namespace: Namespace, with commandStages: [Document] = [], _ collation: CollationChoice,
        _ context: CommandContext
    ) async throws(StorageError) {
        let resolved = try await context.documents.resolve(namespace)
        collection = resolved.collection
        collator = try resolved.collator
        stages = resolved.pipeline
        guard collation.collator(default: collator)?.collation == collator?.collation else {
            throw .command(
                CommandError(
                    .optionNotSupportedOnView, "Cannot override the default collation of the view \(namespace)"))
        }
        sources = try await PipelineSources(of: stages + commandStages, in: namespace.database, context.documents)
    }

    /// The stages of the view.
    func pipeline(_ environment: ExpressionEnvironment) throws(CommandError) -> Pipeline {
        let environment = environment.collated(by: collator)
        try sources.check(collator)
        let compiled = try PipelineCompiler(in: environment, views: sources.views).compile(stages.asArray)
        if let server = compiled.server {
            throw CommandError(.notImplemented, "\(server.name) is not supported in the pipeline of a view yet")
        }
        return compiled.pipeline
    }

    /// Runs `body`, which reads the view.
    func reading<R>(
        _ context: CommandContext, _ body: () async throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        do throws(StorageError) { return try await sources.reading(context, body) } catch {
            if error.isStaleCollection, let collection { context.engine.catalog.forget(collection.namespace) }
            throw error
        }
    }
}

extension ResolvedNamespace {
    fileprivate var collator: Collator? {
        get throws(StorageError) {
            guard let collation else { return nil }
            return try collation.withRaw { raw throws(StorageError) in
                let value = RawValue(type: .document, bytes: raw.bytes)
                return try StorageError.of { () throws(CommandError) in
                    try Argument(command: "collation", key: RawKey("collation"), value: value).collator()
                }
            }
        }
    }
}

extension StorageError {
    /// Runs `body`, whose errors are the client's, among what throws Storage's.
    static func of<R>(_ body: () throws(CommandError) -> R) throws(StorageError) -> R {
        do throws(CommandError) { return try body() } catch { throw .command(error) }
    }
}

extension PipelineCompiler {
    func compile(_ pipeline: Document) throws(CommandError) -> CompiledPipeline {
        try pipeline.withRaw { raw throws(CommandError) in try compile(raw) }
    }
}

extension Array where Element == Document {
    /// The documents as elements of an array.
    var asArray: Document {
        Document { builder in
            for (index, document) in enumerated() { builder.append(index: index, .document(document)) }
        }
    }
}
