internal import BSON
internal import CommandModel

extension Argument {
    /// What to make of a document: operators or a replacement as an object, a pipeline as an array.
    func updateArgument() throws(CommandError) -> Value {
        guard value.container != nil else {
            throw CommandError(.failedToParse, "Update argument must be either an object or an array")
        }
        return Value(copying: value)
    }
}

/// What must hold for an update before it is compiled.
enum UpdateModification {
    static func check(_ update: Value, arrayFilters: [Document], hasConstants: Bool) throws(CommandError) {
        guard update.type == .array else {
            guard !hasConstants else {
                throw CommandError(ErrorCode(51198), "Constant values may only be specified for pipeline updates")
            }
            return
        }
        guard arrayFilters.isEmpty else {
            throw CommandError(.failedToParse, "arrayFilters may not be specified for pipeline-syle updates")
        }
        try update.withRaw { raw throws(CommandError) in
            guard let pipeline = raw.array else { return }
            for element in pipeline { try checkStage(element.value) }
        }
    }

    private static func checkStage(_ value: RawValue) throws(CommandError) {
        guard let stage = value.document else {
            throw CommandError(.typeMismatch, "Each element of the 'pipeline' array must be an object")
        }
        guard stage.elementCount == 1, let field = stage.firstElement else {
            throw CommandError(
                ErrorCode(40323), "A pipeline stage specification object must contain exactly one field.")
        }
        guard field.key.startsWithDollar else {
            throw CommandError(ErrorCode(40324), "Unrecognized pipeline stage name: '\(field.key.string)'")
        }
        guard allowedStages.contains(field.key.string) else {
            throw CommandError(
                .invalidOptions, "\(field.key.string) is not allowed to be used within an update")
        }
    }

    private static let allowedStages: Set = [
        "$addFields", "$set", "$project", "$unset", "$replaceRoot", "$replaceWith",
    ]
}
