internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/renameCollection/

private struct RenameArguments {
    let source: Namespace
    let target: Namespace
    var dropsTarget = false
    /// The target must be this collection.
    var targetUUID: [UInt8]?
    var sourceUUID: [UInt8]?

    init(_ request: CommandRequest) throws(CommandError) {
        source = try request.withCommandValue(of: "renameCollection") { argument throws(CommandError) in
            try argument.requireValue()
            return try argument.renamedNamespace()
        }
        var target: Namespace?
        var (dropsTarget, targetUUID, sourceUUID): (Bool, [UInt8]?, [UInt8]?) = (false, nil, nil)
        try request.forEachArgument(of: "renameCollection") { argument throws(CommandError) in
            switch argument.key {
            case "to": target = try argument.ifPresent(Argument.renamedNamespace)
            case "dropTarget":
                if argument.value.binary != nil {
                    targetUUID = try argument.targetUUID()
                    dropsTarget = true
                } else {
                    dropsTarget = try argument.bool()
                }
            case "stayTemp": _ = try argument.ifPresent(Argument.bool)
            case "collectionUUID": sourceUUID = try argument.ifPresent(Argument.uuid)
            default: throw argument.unknownField()
            }
        }
        guard let target else { throw .missingField("renameCollection.to") }
        self.target = target
        (self.dropsTarget, self.targetUUID, self.sourceUUID) = (dropsTarget, targetUUID, sourceUUID)
        try check()
    }

    private func check() throws(CommandError) {
        guard source != target else {
            throw CommandError(.illegalOperation, "Can't rename a collection to itself")
        }
        for namespace in [source, target] where namespace.collection.utf8.starts(with: "system.".utf8) {
            throw CommandError(.illegalOperation, "Renaming system collections is not allowed: \(namespace)")
        }
        if target.database == "local", target.collection.utf8.starts(with: "oplog.".utf8) {
            throw CommandError(.illegalOperation, "Cannot rename to an oplog: \(target)")
        }
        guard targetUUID == nil || source.database == target.database else {
            throw CommandError(.invalidOptions, "a UUID as 'dropTarget' is not allowed across databases")
        }
    }
}

extension CommandTable {
    @Sendable static func renameCollection(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let arguments = try RenameArguments(request)
        try await context.engine.checkUUID(arguments.sourceUUID, of: arguments.source)
        try await context.engine.checkUUID(arguments.targetUUID, of: arguments.target)
        if let source = try await context.documents.collection(arguments.source),
            source.view != nil || source.timeseries != nil
        {
            throw .notSupportedOnView(arguments.source)
        }
        if let target = try await context.documents.collection(arguments.target),
            target.view != nil || target.timeseries != nil
        {
            throw CommandError(.namespaceExists, "a view or time series already exists: \(arguments.target)")
        }
        let catalog = context.engine.catalog
        try await context.engine.mapped { () async throws(StorageError) in
            try await catalog.rename(arguments.source, to: arguments.target, dropTarget: arguments.dropsTarget)
        }
        return CommandReply { request.shared.writeUnsatisfiedConcern(into: &$0) }
    }
}

extension Argument {
    /// `database.collection`, by the rules for both ends of a renaming: what is no name for a new collection is no
    /// legal operation here.
    fileprivate func renamedNamespace() throws(CommandError) -> Namespace {
        let full = try string()
        guard !full.utf8.contains(UInt8(ascii: "$")) else {
            throw CommandError(.illegalOperation, "a name must not contain '$': \(full)")
        }
        let namespace = try Namespace(validating: full)
        guard full.utf8.count <= Namespace.lengthMax else {
            throw CommandError(
                .illegalOperation, "the name is too long (\(full.utf8.count) of \(Namespace.lengthMax) bytes)")
        }
        return namespace
    }

    /// Of a binary that may as well have been a boolean.
    fileprivate func targetUUID() throws(CommandError) -> [UInt8] {
        guard let (subtype, data) = value.binary, subtype == 4, data.count == 16 else {
            throw CommandError(
                ErrorCode(207, "InvalidUUID"), "uuid must be a 16-byte binary field with UUID (4) subtype")
        }
        return Array(data)
    }
}
