internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/listIndexes/

private struct ListIndexesArguments {
    let namespace: Namespace
    var batchSize: Int?
    var uuid: [UInt8]?
    var includesBuildUUIDs = false
    /// Each specification stands in a document that would also tell of its build.
    var includesBuildInfo = false

    init(_ request: CommandRequest) throws(CommandError) {
        namespace = try request.namespace()
        try request.forEachArgument(of: "listIndexes") { argument throws(CommandError) in
            switch argument.key {
            case "cursor": batchSize = try argument.ifPresent(Argument.cursorBatchSize) ?? nil
            case "collectionUUID": uuid = try argument.ifPresent(Argument.uuid)
            case "includeBuildUUIDs": includesBuildUUIDs = try argument.ifPresent(Argument.lenientBool) ?? false
            case "includeIndexBuildInfo": includesBuildInfo = try argument.ifPresent(Argument.lenientBool) ?? false
            default: throw argument.unknownField()
            }
        }
        guard !includesBuildUUIDs || !includesBuildInfo else {
            throw CommandError(
                .invalidOptions, "The includeBuildUUIDs flag and includeBuildIndexInfo flag cannot both be set to true")
        }
    }
}

extension CommandTable {
    @Sendable static func listIndexes(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try ListIndexesArguments(request)
        let namespace = arguments.namespace
        try await context.engine.checkUUID(arguments.uuid, of: namespace)
        // An index may have come or gone through another server since the collection was last looked at.
        if context.documents.transaction == nil { context.engine.catalog.forget(namespace) }
        var indexes = try await listedIndexes(of: namespace, context)
        if arguments.includesBuildInfo {
            // What is listed is complete: an index shows when it has been built.
            indexes = indexes.map { index in Document { $0.append("spec", document: index) } }
        }
        return try listedCursorReply(
            indexes, batchSize: arguments.batchSize, in: namespace, request, context, command: "listIndexes")
    }

    /// - Throws: NamespaceNotFound (26), CommandNotSupportedOnView (166).
    private static func listedIndexes(
        of namespace: Namespace, _ context: CommandContext
    ) async throws(CommandError) -> [Document] {
        if let collection = try await context.documents.collection(namespace) {
            guard collection.view == nil else { throw .notSupportedOnView(namespace) }
            return collection.listedIndexes
        }
        // The measurements of a time series lie in no buckets, so that these have no indexes of their own.
        guard try await context.bucketsOwner(namespace) != nil else {
            throw CommandError(.namespaceNotFound, "ns does not exist: \(namespace)")
        }
        return []
    }
}

extension CommandContext {
    /// The time series whose buckets `namespace` would be.
    func bucketsOwner(_ namespace: Namespace) async throws(CommandError) -> Collection? {
        guard let series = namespace.ofBuckets else { return nil }
        let found = try await documents.collection(series)
        return found?.timeseries == nil ? nil : found
    }
}
