internal import BSON
internal import CommandModel

enum CursorBatchName {
    case first
    case next
}

extension CommandTable {
    /// `{cursor: {firstBatch: […], id: …, ns: …}}` with what `fill` writes into the array.
    static func cursorReply(
        _ name: CursorBatchName, _ namespace: Namespace, id: Int64, _ fill: (inout DocumentBuilder) -> Void
    ) -> CommandReply {
        var reply = CommandReply()
        beginCursorReply(&reply.builder, name)
        fill(&reply.builder)
        return closeCursorReply(reply.builder, namespace, id: id)
    }

    static func beginCursorReply(_ builder: inout DocumentBuilder, _ name: CursorBatchName) {
        builder.beginDocument("cursor")
        builder.beginArray(name == .first ? "firstBatch" : "nextBatch")
    }

    /// Closes the array and the cursor document.
    static func closeCursorReply(_ builder: DocumentBuilder, _ namespace: Namespace, id: Int64) -> CommandReply {
        var reply = CommandReply(builder: builder)
        reply.builder.end()
        reply.builder.append("id", int64: id)
        reply.builder.append("ns", string: namespace.description)
        reply.builder.end()
        return reply
    }
}
