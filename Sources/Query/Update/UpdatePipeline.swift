internal import BSON
internal import CommandModel

/// An update that is a pipeline: stages that make one document of one.
struct UpdatePipeline {
    private let stages: [Stage]

    /// - Parameter constants: values that the stages name as variables.
    init(
        _ pipeline: RawDocument, constants: Document?, in environment: ExpressionEnvironment
    ) throws(CommandError) {
        var environment = environment
        try constants?.withRaw { raw throws(CommandError) in
            for constant in raw {
                let name = try VariableScope.checkedName(constant.key)
                environment.variables.append((name, Value(copying: constant.value)))
            }
        }
        let compiled = try PipelineCompiler(in: environment).compile(pipeline)
        guard compiled.documents == nil, compiled.server == nil,
            compiled.pipeline.stages.allSatisfy(Self.isAllowed)
        else { throw Self.notAllowed }
        stages = compiled.pipeline.stages
    }

    private static func isAllowed(_ stage: Stage) -> Bool {
        switch stage {
        case .projection, .replaceRoot: true
        default: false
        }
    }

    private static let notAllowed = CommandError(
        .invalidOptions, "a stage is not allowed to be used within an update")

    func apply(to document: RawDocument) throws(CommandError) -> Document {
        var result = Document(copying: document)
        for stage in stages { result = try Self.apply(stage, to: result) }
        return result
    }

    private static func apply(_ stage: Stage, to document: Document) throws(CommandError) -> Document {
        try document.withRaw { raw throws(CommandError) in
            switch stage {
            case .projection(let projection):
                var builder = DocumentBuilder()
                try projection.write(raw, into: &builder)
                return builder.finish()
            case .replaceRoot(let root):
                var result = document
                try ReplaceRoot.withRoot(root, of: raw) { result = Document(copying: $0) }
                return result
            default: throw Self.notAllowed
            }
        }
    }
}
