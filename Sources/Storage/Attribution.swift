internal import BSON
internal import CommandModel
internal import SQL

// Which command a statement of SQL is sent for. Documents by `_id` are read and written by statements that keep their
// plain text, because those of many clients go out together.
extension Deadline {
    /// nil for what the server does by itself.
    var comment: StatementComment? { request.map(StatementComment.init) }
}

extension StatementComment {
    /// Bytes of a client's comment that are looked at; extended JSON makes them more.
    private static let commentBytesMax = 4 * valueBytesMax

    init(_ request: CommandRequest) {
        let collection = request.body.withRaw { raw in raw.firstElement?.value.string }
        var comment: String?
        var traceParent: String?
        request.shared.comment?.withRaw { value in
            if let text = value.string {
                comment = text
            } else {
                traceParent = value.document?["traceparent"]?.string
                if value.bytes.count <= Self.commentBytesMax { comment = value.extendedJSON(.relaxed) }
            }
        }
        self.init(
            database: request.database, collection: collection, operation: request.name, comment: comment,
            traceParent: traceParent)
    }

    /// For statements that know their collection and nothing of a command.
    init(_ operation: String, _ collection: Collection) {
        let namespace = collection.namespace
        self.init(database: namespace.database, collection: namespace.collection, operation: operation)
    }
}

extension DocumentOperation {
    /// As commands are called.
    var verb: String {
        if case .delete = action { return "delete" }
        return "update"
    }
}
