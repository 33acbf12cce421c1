internal import BSON
internal import CommandModel

enum CursorBatchName {
    case first
    case next
}

extension CommandTable {
    /// `{cursor: {firstBatch: […], id: …, ns: …}}` with what `fill` writes into the array.
    static func cursorReply(
        _ name: CursorBatchName, _ namespace: Namespace, id: Int64, snapshot time: UInt64? = nil,
        _ fill: (inout DocumentBuilder) -> Void
    ) -> CommandReply {
        var reply = CommandReply()
        beginCursorReply(&reply.builder, name)
        fill(&reply.builder)
        return closeCursorReply(reply.builder, namespace, id: id, snapshot: time)
    }

    static func beginCursorReply(_ builder: inout DocumentBuilder, _ name: CursorBatchName) {
        builder.beginDocument("cursor")
        builder.beginArray(name == .first ? "firstBatch" : "nextBatch")
    }

    /// Closes the array and the cursor document.
    ///
    /// - Parameter time: of the snapshot that was read.
    static func closeCursorReply(
        _ builder: DocumentBuilder, _ namespace: Namespace, id: Int64, snapshot time: UInt64? = nil
    ) -> CommandReply {
        var reply = CommandReply(builder: builder)
        reply.builder.end()
        reply.builder.append("id", int64: id)
        reply.builder.append("ns", string: namespace.description)
        if let time { reply.builder.append("atClusterTime", timestamp: time) }
        reply.builder.end()
        return reply
    }
}
