internal import BSON
internal import CommandModel

/// A compiled `$unionWith`: the documents of another collection behind those that come.
package struct UnionWith: Sendable {
    let collection: String?
    var compiled: CompiledPipeline

    init(compiling value: RawValue, _ compiler: PipelineCompiler) throws(CommandError) {
        let (name, stages) = try Self.arguments(value)
        let pipeline = SubPipeline(name.map(compiler.source), stages, try compiler.nested(in: .unionWith))
        guard name != nil || pipeline.bringsDocuments else {
            throw CommandError(
                .failedToParse, "$unionWith stage without a collection must begin its pipeline with $documents")
        }
        var compiled = try pipeline.compile()
        collection = compiled.documents == nil ? pipeline.source?.collection : nil
        if collection != nil {
            compiled.pipeline.stages = try pipeline.compileSource().stages + compiled.pipeline.stages
        }
        compiled.pipeline = compiled.pipeline.optimized()
        self.compiled = compiled
    }

    private static func arguments(_ value: RawValue) throws(CommandError) -> (String?, RawDocument?) {
        if let name = value.string {
            try PipelineCompiler.checkCollection(name)
            return (name, nil)
        }
        guard let document = value.document else {
            throw CommandError(
                .failedToParse,
                "the $unionWith stage specification must be an object or string, but found \(value.type.alias)")
        }
        var (name, stages): (String?, RawDocument?) = (nil, nil)
        for field in document {
            let argument = Argument(command: "$unionWith", key: field.key, value: field.value)
            switch field.key {
            case "coll": name = try argument.ifPresent(Argument.string)
            case "pipeline": stages = try argument.ifPresent(Argument.array)
            default: throw argument.unknownField()
            }
        }
        if let name { try PipelineCompiler.checkCollection(name) }
        return (name, stages)
    }
}

/// `$unionWith` while it runs.
final class UnionWithRun: StageRun {
    private let union: UnionWith
    private let limits: StageLimits
    private var stream: (any DocumentStream)?

    init(_ union: UnionWith, _ limits: StageLimits) {
        self.union = union
        self.limits = limits
    }

    var readsCollections: Bool { true }

    func process(_ input: Batch, from position: inout Int, into output: inout Batch) throws(CommandError) {
        input.forEach(from: &position) { document in
            guard !output.isFull else { return false }
            output.append(document)
            return true
        }
    }

    func finish(into output: inout Batch) throws(CommandError) {
        if stream == nil { stream = try limits.open(union.collection, union.compiled) }
        guard let batch = try stream?.next() else { return }
        var position = 0
        batch.forEach(from: &position) { document in
            output.append(document)
            return true
        }
    }
}
