internal import BSON
internal import CommandModel
internal import Storage

extension CommandTable {
    /// A cursor over documents that are all known: the first batch, and a cursor for the others when there are any.
    ///
    /// - Parameters:
    ///   - batchSize: nil means as many as fit into a reply.
    ///   - command: names the cursor's namespace, `$cmd.<command>`.
    static func listedCursorReply(
        _ documents: some Swift.Collection<Document>, batchSize: Int?, in namespace: Namespace? = nil,
        _ request: CommandRequest, _ context: CommandContext, command: String
    ) throws(CommandError) -> CommandReply {
        let namespace = namespace ?? Namespace(database: request.database, collection: "$cmd.\(command)")
        var reply = CommandReply()
        beginCursorReply(&reply.builder, .first)
        var batch = ReplyBatch(into: reply.builder, documentsMax: batchSize ?? .max)
        var rest = documents[...]
        while !batch.isFull, let document = rest.first {
            guard try document.withRaw({ raw throws(CommandError) in try batch.append(raw) }) else { break }
            rest = rest.dropFirst()
        }
        var id: Int64 = 0
        if !rest.isEmpty {
            let cursor = Cursor(
                namespace: namespace, run: QueryRun(over: Array(rest), in: namespace),
                sessionID: request.shared.sessionID, command: command, isImmortal: false,
                maxTimeMilliseconds: request.shared.maxTimeMilliseconds, owner: request.owner)
            id = try context.engine.cursors.open(cursor)
        }
        return closeCursorReply(batch.builder, namespace, id: id)
    }
}

extension Argument {
    /// `{batchSize: n}`; nil when the size is left to the server.
    func cursorBatchSize() throws(CommandError) -> Int? {
        guard let cursor = value.document else { throw wrongType(expected: "object") }
        var size: Int?
        for field in cursor {
            let option = Argument(command: "cursor", key: field.key, value: field.value)
            guard field.key == "batchSize" else { throw option.unknownField() }
            size = try option.ifPresent(Argument.batchSize)
        }
        return size
    }

    private func batchSize() throws(CommandError) -> Int {
        let size = try integer()
        guard size >= 0 else {
            throw CommandError(.badValue, "BSON field 'batchSize' value must be >= 0, actual value '\(size)'")
        }
        return Int(size)
    }
}
