internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/convertToCapped/ and cloneCollectionAsCapped.

extension CommandTable {
    @Sendable static func convertToCapped(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.literalNamespace()
        let size = try request.newCappedSize()
        try namespace.checkIsOrdinary()
        let options = try await cappedOptions(of: namespace, size, context)
        let isFound = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.convertToCapped(namespace, options: options, size: size)
        }
        guard isFound else { throw CommandError(.namespaceNotFound, "ns does not exist: \(namespace)") }
        return CommandReply { request.shared.writeUnsatisfiedConcern(into: &$0) }
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
        let size = try request.newCappedSize()
        let (from, to) = (
            try Namespace.validated(database: request.database, collection: source),
            try Namespace.validated(database: request.database, collection: target)
        )
        guard !source.utf8.contains(UInt8(ascii: "$")) else {
            throw CommandError(.invalidNamespace, "Invalid source collection name: \(source)")
        }
        try to.validateForCreation()
        try SystemCollections.check(to)
        try from.checkIsOrdinary()
        let options = try await cappedOptions(of: from, size, context)
        if try await context.documents.collection(to)?.view != nil { throw .notSupportedOnView(to) }
        try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.cloneAsCapped(from, to: to, options: options, size: size)
        }
        return CommandReply { request.shared.writeUnsatisfiedConcern(into: &$0) }
    }

    /// The options of a collection with the documents of `namespace` that is capped instead of what it is now. Its keys
    /// stay those of its collation.
    ///
    /// - Throws: NamespaceNotFound (26), CommandNotSupportedOnView (166) where there is no table that could be capped.
    private static func cappedOptions(
        of namespace: Namespace, _ size: Int64, _ context: CommandContext
    ) async throws(CommandError) -> Document {
        guard let collection = try await context.documents.collection(namespace) else {
            throw CommandError(.namespaceNotFound, "ns does not exist: \(namespace)")
        }
        guard collection.view == nil, collection.timeseries == nil else { throw .notSupportedOnView(namespace) }
        return Document { builder in
            CappedLimits(bytes: size).write(into: &builder)
            collection.options.withRaw { raw in
                for option in raw where !Self.isReplacedByCap(option.key) { builder.append(option) }
            }
        }
    }

    private static func isReplacedByCap(_ option: RawKey) -> Bool {
        switch option {
        case "capped", "size", "max", "clusteredIndex", "expireAfterSeconds": true
        default: false
        }
    }
}

extension Namespace {
    /// What the server keeps about views and time series is not to be capped.
    fileprivate func checkIsOrdinary() throws(CommandError) {
        if collection.utf8.starts(with: "system.buckets.".utf8) {
            throw CommandError(.illegalOperation, "\(self) holds the buckets of a time series")
        }
        if collection == "system.views" {
            throw CommandError(.badValue, "\(self) cannot be capped")
        }
    }
}

extension CommandRequest {
    /// The collection that the first field names: a dollar sign means nothing here, and MongoDB leaves room for the
    /// name of a collection in between.
    fileprivate func literalNamespace() throws(CommandError) -> Namespace {
        let name = try withCommandValue(of: "convertToCapped") { argument throws(CommandError) in
            argument.value.string
        }
        let namespace = try name.map { name throws(CommandError) in
            name.utf8.first == UInt8(ascii: "$")
                ? Namespace(database: database, collection: name)
                : try Namespace.validated(database: database, collection: name)
        }
        guard let namespace else { return try self.namespace() }
        guard namespace.description.utf8.count + Self.temporaryNameBytes <= Namespace.lengthMax else {
            throw CommandError(.invalidNamespace, "the name is too long: \(namespace)")
        }
        return namespace
    }

    private static let temporaryNameBytes = 25

    /// These two commands know no unknown fields, and no type errors for the size.
    fileprivate func newCappedSize() throws(CommandError) -> Int64 {
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
        return size
    }
}
