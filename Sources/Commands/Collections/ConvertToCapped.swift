internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/convertToCapped/ and cloneCollectionAsCapped. Capped
// collections are not there yet; a request that would fail anyway fails for its own reason.

extension CommandTable {
    @Sendable static func convertToCapped(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        try request.checkNewCappedSize()
        try await requireCollection(namespace, context)
        throw CommandError(.notImplemented, "convertToCapped: capped collections are not supported yet")
    }

    @Sendable static func cloneCollectionAsCapped(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let source = try request.withCommandValue(of: "cloneCollectionAsCapped") { argument throws(CommandError) in
            try argument.string()
        }
        let target = request.body.withRaw { $0["toCollection"]?.string }
        guard let target else {
            throw CommandError(.typeMismatch, "'toCollection' must be of type String")
        }
        try request.checkNewCappedSize()
        let (from, to) = (
            try Namespace.validated(database: request.database, collection: source),
            try Namespace.validated(database: request.database, collection: target)
        )
        guard !source.utf8.contains(UInt8(ascii: "$")) else {
            throw CommandError(.invalidNamespace, "Invalid source collection name: \(source)")
        }
        try to.validateForCreation()
        try SystemCollections.check(to)
        try await requireCollection(from, context)
        let existing = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.collection(to)
        }
        guard existing == nil else {
            throw CommandError(.namespaceExists, "cloneCollectionAsCapped failed - destination already exists: \(to)")
        }
        throw CommandError(.notImplemented, "cloneCollectionAsCapped: capped collections are not supported yet")
    }
}

extension CommandRequest {
    /// These two commands know no unknown fields, and no type errors for the size.
    fileprivate func checkNewCappedSize() throws(CommandError) {
        let size: Int64? = try body.withRaw { raw throws(CommandError) in
            guard let value = raw["size"], value.number != nil else { return nil }
            return try Argument(command: "size", key: RawKey("size"), value: value).integer()
        }
        guard let size, size > 0 else {
            throw CommandError(.invalidOptions, "Capped collection size must be a number greater than zero")
        }
        guard size <= 1 << 50 else {
            throw CommandError(.badValue, "Capped collection size must be at most \(1 << 50)")
        }
    }
}
