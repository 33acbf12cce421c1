internal import BSON
internal import CommandModel

// `viewOn` and `pipeline`, the same in `create` and `collMod`.

extension Argument {
    /// The name of the collection that a view reads.
    func viewSource() throws(CommandError) -> String {
        let source = try string()
        guard !source.isEmpty else {
            throw CommandError(.badValue, "'viewOn' cannot be empty")
        }
        return source
    }

    /// What a view's pipeline must not hold at its top; what its stages mean is checked where a pipeline is compiled.
    func checkViewPipeline() throws(CommandError) {
        var count = 0
        for stage in try array() where stage.value.type != .null {
            guard let document = stage.value.document else {
                throw CommandError.wrongType("\(name).\(stage.key.string)", stage.value, expected: "object")
            }
            count += 1
            try Self.checkViewStage(document)
        }
        guard count <= 1_000 else {
            throw CommandError(ErrorCode(7_749_501), "Pipeline length must be no longer than 1000 stages")
        }
    }

    private static func checkViewStage(_ stage: RawDocument) throws(CommandError) {
        guard stage.elementCount == 1, let field = stage.firstElement else {
            throw CommandError(
                ErrorCode(40_323), "A pipeline stage specification object must contain exactly one field.")
        }
        switch field.key {
        case "$out", "$merge":
            throw CommandError(.optionNotSupportedOnView, "\(field.key.string) is not allowed in a view's pipeline")
        case "$currentOp", "$listSessions", "$listLocalSessions", "$documents":
            throw CommandError(
                .invalidNamespace, "\(field.key.string) reads no collection, so no view can begin with it")
        default: return
        }
    }
}
