internal import BSON
internal import CommandModel

/// A compiled `$graphLookup`: the documents of another collection that can be reached from each document.
//
// Safety: immutable after init; the pointers in it point into the arena it owns.
package final class GraphLookup: @unchecked Sendable {
    private let arena: ProgramArena
    let collection: String
    /// Under which a table of the whole collection is kept; nil where it is not the whole.
    let tableName: String?
    /// The view's stages, and the restriction.
    let source: Pipeline
    /// Whether documents are not found by keys of the collection, since a view's stages make others of them.
    let hasView: Bool
    let start: CompiledExpression
    /// Where a document names those that follow it, and where these are named.
    let from: MatchPath
    let join: ForeignJoin
    let asPath: ArenaList<RawKey>
    let depthMax: Int64
    /// Nil when nobody asks for it.
    let depthPath: ArenaList<RawKey>?

    init(compiling value: RawValue, _ compiler: PipelineCompiler) throws(CommandError) {
        guard let document = value.document else {
            throw CommandError(
                .failedToParse,
                "the $graphLookup stage specification must be an object, but found \(value.type.alias)")
        }
        let arguments = try GraphLookupArguments(document)
        guard let start = arguments.start, let name = arguments.collection, let fromField = arguments.fromField,
            let toField = arguments.toField, let asField = arguments.asField
        else {
            throw CommandError(
                ErrorCode(40105),
                "$graphLookup requires 'from', 'as', 'startWith', 'connectFromField', and 'connectToField'")
        }
        let arena = ProgramArena()
        self.start = try CompiledExpression(compiling: start, in: compiler.environment)
        from = MatchPath(arena.copy(fromField), in: arena)
        join = try ForeignJoin(local: nil, foreign: toField, compiler.collator)
        asPath = arena.list(arena.copy(asField).components)
        depthPath = arguments.depthField.map { arena.list(arena.copy($0).components) }
        depthMax = arguments.depthMax
        let pipeline = SubPipeline(compiler.source(name), nil, try compiler.nested(in: .lookup))
        collection = pipeline.source?.collection ?? name
        tableName = arguments.restriction == nil ? name + "\0" + toField : nil
        var source = try pipeline.compileSource()
        // Conditions of a view and one more: in which order they are asked is all the same.
        hasView = source.stages.contains { if case .match = $0 { false } else { true } }
        if let restriction = arguments.restriction {
            source.stages.append(
                .match(
                    try restriction.withRaw { raw throws(CommandError) in
                        try compiler.match(RawValue(type: .document, bytes: raw.bytes), isFirst: false)
                    }))
        }
        self.source = source.optimized()
        self.arena = arena
    }
}

/// The fields of a `$graphLookup`.
private struct GraphLookupArguments {
    private(set) var start: RawValue?
    private(set) var collection: String?
    private(set) var fromField: String?
    private(set) var toField: String?
    private(set) var asField: String?
    private(set) var depthField: String?
    private(set) var depthMax = Int64.max
    private(set) var restriction: Document?

    init(_ document: RawDocument) throws(CommandError) {
        for field in document {
            switch field.key {
            case "startWith": start = field.value
            case "maxDepth": depthMax = try Self.depth(field.value)
            case "restrictSearchWithMatch":
                guard let filter = field.value.document else {
                    throw CommandError(
                        ErrorCode(40185), "$graphLookup argument 'restrictSearchWithMatch' must be an object")
                }
                restriction = Document(copying: filter)
            default: try take(field)
            }
        }
    }

    private mutating func take(_ field: RawElement) throws(CommandError) {
        let key = field.key
        let names: [StaticString] = ["from", "as", "connectFromField", "connectToField", "depthField"]
        guard names.contains(where: { key == $0 }) else {
            throw CommandError(ErrorCode(40104), "Unknown argument to $graphLookup: \(key.string)")
        }
        guard let text = field.value.string else {
            throw CommandError(
                key == "from" ? .failedToParse : ErrorCode(40103),
                "expected string as argument for \(key.string), found: \(field.value.type.alias)")
        }
        guard !(key == "from") else {
            try PipelineCompiler.checkCollection(text)
            collection = text
            return
        }
        let arena = ProgramArena()
        try PipelineCompiler.checkPath(arena.copy(text))
        switch key {
        case "as": asField = text
        case "connectFromField": fromField = text
        case "connectToField": toField = text
        default: depthField = text
        }
    }

    private static func depth(_ value: RawValue) throws(CommandError) -> Int64 {
        guard let number = value.number else {
            throw CommandError(ErrorCode(40100), "maxDepth must be numeric, found type: \(value.type.alias)")
        }
        guard let depth = number.asInt64Exact else {
            throw CommandError(ErrorCode(40102), "maxDepth could not be represented as a long long")
        }
        guard depth >= 0 else {
            throw CommandError(ErrorCode(40101), "maxDepth requires a nonnegative argument, found: \(depth)")
        }
        return depth
    }
}
