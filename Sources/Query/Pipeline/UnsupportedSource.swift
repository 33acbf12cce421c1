internal import BSON
internal import CommandModel

/// First stages that are known and refused, each where and as MongoDB refuses it without what the stage needs.
enum UnsupportedSource {
    /// - Parameter isFirst: whether the stage is the first one.
    static func check(_ stage: RawElement, isFirst: Bool) throws(CommandError) {
        switch stage.key {
        case "$search", "$searchMeta", "$vectorSearch":
            guard isFirst else { throw CommandError.notFirst(stage.key.string) }
            throw CommandError(
                ErrorCode(31082, "SearchNotEnabled"),
                "\(stage.key.string) needs a search index, and there is no search service")
        case "$rankFusion", "$scoreFusion":
            guard isFirst else {
                throw CommandError(
                    ErrorCode(10_170_100), "\(stage.key.string) is only valid as the first stage in a pipeline")
            }
            throw CommandError(.notImplemented, "\(stage.key.string) is not supported yet")
        case "$changeStream":
            guard stage.value.document != nil else {
                throw CommandError(ErrorCode(6_188_500), "$changeStream must be an object")
            }
            guard isFirst else { throw CommandError.notFirst("$changeStream") }
            throw changeStreams
        case "$changeStreamSplitLargeEvent": throw changeStreams
        default: return
        }
    }

    private static let changeStreams = CommandError(ErrorCode(40573), "change streams are not supported yet")
}

extension CommandError {
    static func notFirst(_ stage: String) -> CommandError {
        CommandError(ErrorCode(40602), "\(stage) is only valid as the first stage in a pipeline")
    }
}
