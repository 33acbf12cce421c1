internal import BSON
internal import CommandModel

/// A compiled `$lookup`: the documents of another collection that belong to each document.
//
// Safety: immutable after init; the pointers in it point into the arena it owns.
package final class Lookup: @unchecked Sendable {
    private let arena: ProgramArena
    let asPath: ArenaList<RawKey>
    /// The collection, behind views; nil when the pipeline brings its own documents.
    let collection: String?
    /// What stands for the collection: the stages of its view.
    let source: Pipeline
    /// By `localField` and `foreignField`, or by an equality that the pipeline begins with; nil when all documents that
    /// the pipeline gives belong to each.
    let join: ForeignJoin?
    /// What the documents go through that the join finds.
    let found: Found
    /// Under which a table of the whole collection is kept.
    let tableName: String
    let variables: [(name: String, value: CompiledExpression)]
    let pipeline: SubPipeline
    /// The pipeline, where it has no variables.
    let constantPipeline: CompiledPipeline?
    /// How many stages at the front of the pipeline name none of the variables, and what they are.
    let prefix: (count: Int, of: Int, compiled: CompiledPipeline)

    enum Found: Sendable {
        case nothing
        case pipeline(Pipeline)
        /// One that is compiled for each document, with its variables.
        case variablePipeline
    }

    init(compiling value: RawValue, _ compiler: PipelineCompiler) throws(CommandError) {
        guard let document = value.document else {
            throw CommandError(
                .failedToParse, "the $lookup stage specification must be an object, but found \(value.type.alias)")
        }
        let arguments = try LookupArguments(document)
        let inner = try compiler.nested(in: .lookup)
        pipeline = SubPipeline(arguments.from.map(compiler.source), document["pipeline"]?.array, inner)
        try arguments.check()
        let fieldJoin = try arguments.join(compiler.collator)
        let arena = ProgramArena()
        let path = arena.copy(arguments.asPath)
        try PipelineCompiler.checkPath(path)
        asPath = arena.list(path.components)
        collection = pipeline.bringsDocuments ? nil : pipeline.source?.collection
        source = collection == nil ? Pipeline() : try pipeline.compileSource()
        variables = try compiler.variables(arguments.variables)
        guard collection != nil || fieldJoin == nil || variables.isEmpty else {
            throw CommandError(
                .notImplemented, "$lookup: $documents with both 'let' and 'localField' is not supported yet")
        }
        (constantPipeline, prefix) = try Self.compile(pipeline, variables.map(\.name))
        if let fieldJoin {
            // It would stand behind the join.
            if let server = constantPipeline?.server { throw .notFirst(server.name) }
            join = fieldJoin
            found = collection == nil ? .nothing : Self.found(pipeline, constantPipeline)
        } else if collection != nil, let (equality, rest) = try Self.equality(pipeline, variables) {
            (join, found) = (equality, rest)
        } else {
            (join, found) = (nil, .variablePipeline)
        }
        tableName = join?.tableName(arguments.from ?? "") ?? ""
        self.arena = arena
    }

    private static func found(_ pipeline: SubPipeline, _ constant: CompiledPipeline?) -> Found {
        if pipeline.isEmpty { return .nothing }
        return constant.map { .pipeline($0.pipeline) } ?? .variablePipeline
    }

    /// Nil where the pipeline does not begin with an equality. A variable that holds the value of an expression is left
    /// alone: it might have another one when it is asked again.
    private static func equality(
        _ pipeline: SubPipeline, _ variables: [(name: String, value: CompiledExpression)]
    ) throws(CommandError) -> (ForeignJoin, Found)? {
        let names = variables.map(\.name)
        guard let equality = pipeline.equality(with: names),
            let variable = variables.last(where: { $0.name == equality.variable }),
            case .path = variable.value.program.root
        else { return nil }
        let join = try ForeignJoin(value: variable.value, foreign: equality.path, in: pipeline.environment)
        let (prefix, count) = pipeline.constantPrefix(names, from: 1)
        guard equality.isFirstStage, prefix == count else { return (join, .variablePipeline) }
        guard count > 0 else { return (join, .nothing) }
        return (join, .pipeline(try pipeline.compile([], 1..<(count + 1)).pipeline.optimized()))
    }

    /// The pipeline as far as it depends on no document. What is wrong with the rest is known before there are
    /// documents, too.
    private static func compile(
        _ pipeline: SubPipeline, _ names: [String]
    ) throws(CommandError) -> (CompiledPipeline?, (count: Int, of: Int, compiled: CompiledPipeline)) {
        let (prefix, count) = names.isEmpty ? (0, 0) : pipeline.constantPrefix(names)
        if names.isEmpty || prefix == count {
            var compiled = try pipeline.compile()
            compiled.pipeline = compiled.pipeline.optimized()
            return (compiled, (0, 0, CompiledPipeline()))
        }
        let unknown = names.map { (name: $0, value: Optional(Value.null)) }
        // These two compute what they are told while they are compiled.
        if !["$documents", "$geoNear"].contains(pipeline.firstStage) { _ = try pipeline.compile(unknown) }
        return (nil, (prefix, count, try pipeline.compile(unknown, 0..<prefix)))
    }

    /// Whether the value of a variable is more than what stands in a field.
    var variablesMayFail: Bool {
        variables.contains { variable in
            if case .path = variable.value.program.root { false } else { !variable.value.program.root.isConstant }
        }
    }

    /// The values of the variables for a document.
    func values(for document: RawDocument) throws(CommandError) -> [(name: String, value: Value?)] {
        var values: [(name: String, value: Value?)] = []
        for variable in variables {
            let value = try variable.value.withValue(of: document) { $0.map(Value.init(copying:)) }
            values.append((variable.name, value))
        }
        return values
    }
}

/// The fields of a `$lookup`.
private struct LookupArguments {
    private(set) var from: String?
    private var local: String?
    private var foreign: String?
    private(set) var asPath = ""
    private(set) var variables: Document?
    private var hasPipeline = false

    init(_ document: RawDocument) throws(CommandError) {
        from = try Self.collection(document["from"])
        let first = document["pipeline"]?.array?.firstElement?.value.document?.firstKey
        guard from != nil || first.map({ $0 == "$documents" }) == true else {
            throw CommandError(
                .failedToParse, "must specify 'pipeline' with $documents as its first stage when 'from' is empty")
        }
        guard from == nil || first.map({ $0 == "$documents" }) != true else {
            throw CommandError(.invalidNamespace, "$documents reads no collection, and 'from' names one")
        }
        var seen: Set<String> = []
        var path: String?
        for field in document {
            guard seen.insert(field.key.string).inserted else {
                throw CommandError(.idlDuplicateField, "BSON field '$lookup.\(field.key.string)' is a duplicate field")
            }
            let argument = Argument(command: "$lookup", key: field.key, value: field.value)
            switch field.key {
            case "from": break
            // An empty name is as good as none.
            case "localField": local = try argument.ifPresent(Argument.string).flatMap { $0.isEmpty ? nil : $0 }
            case "foreignField": foreign = try argument.ifPresent(Argument.string).flatMap { $0.isEmpty ? nil : $0 }
            case "as": path = try argument.ifPresent(Argument.string)
            case "let": variables = try argument.ifPresent(Argument.document)
            case "pipeline":
                _ = try argument.array()
                hasPipeline = true
            default: throw argument.unknownField()
            }
        }
        guard let path else { throw .missingField("$lookup.as") }
        asPath = path
    }

    /// The name of the other collection; nil when there is none.
    private static func collection(_ value: RawValue?) throws(CommandError) -> String? {
        guard let value else { return nil }
        if let document = value.document { try checkForeignDatabase(document) }
        guard let name = value.string else {
            throw CommandError(
                .failedToParse, "$lookup argument 'from' must be a string, is type \(value.type.alias)")
        }
        try PipelineCompiler.checkCollection(name)
        return name
    }

    private static func checkForeignDatabase(_ document: RawDocument) throws(CommandError) {
        for field in document {
            let argument = Argument(command: "$lookup.from", key: field.key, value: field.value)
            switch field.key {
            case "db", "coll": _ = try argument.string()
            default: throw argument.unknownField()
            }
        }
        throw CommandError(.failedToParse, "$lookup reads from collections of its own database only")
    }

    /// Whether the fields go together.
    func check() throws(CommandError) {
        guard (local == nil) == (foreign == nil) else {
            throw CommandError(
                .failedToParse, "$lookup requires both or neither of 'localField' and 'foreignField' to be specified")
        }
        guard local != nil || hasPipeline else {
            throw CommandError(
                .failedToParse, "$lookup requires either 'pipeline' or both 'localField' and 'foreignField'")
        }
        guard variables == nil || hasPipeline else {
            throw CommandError(.failedToParse, "$lookup with a 'let' must have a 'pipeline'")
        }
    }

    func join(_ collator: Collator?) throws(CommandError) -> ForeignJoin? {
        guard let local, let foreign else { return nil }
        let arena = ProgramArena()
        for path in [local, foreign] { try PipelineCompiler.checkPath(arena.copy(path)) }
        return try ForeignJoin(local: local, foreign: foreign, collator)
    }
}

extension PipelineCompiler {
    static func checkPath(_ path: RawKey) throws(CommandError) {
        try checkFieldPath(path)
        guard !path.bytes.contains(0) else {
            throw CommandError(ErrorCode(16411), "FieldPath field names may not contain '\\0'.")
        }
    }

    static func checkCollection(_ name: String) throws(CommandError) {
        _ = try Namespace.validated(database: "database", collection: name.hasPrefix("$") ? "a" + name : name)
    }

    /// The expressions of a `let`.
    func variables(_ document: Document?) throws(CommandError) -> [(name: String, value: CompiledExpression)] {
        var variables: [(name: String, value: CompiledExpression)] = []
        try document?.withRaw { raw throws(CommandError) in
            for field in raw {
                let name = try VariableScope.checkedName(field.key)
                variables.append((name, try CompiledExpression(compiling: field.value, in: environment)))
            }
        }
        return variables
    }
}
