internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/renameCollection/

extension CommandTable {
    @Sendable static func renameCollection(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let source = try request.body.withRaw { raw throws(CommandError) -> Namespace in
            guard let first = raw.first(where: { _ in true }) else {
                throw .missingField("renameCollection.renameCollection")
            }
            return try Argument(command: "renameCollection", key: first.key, value: first.value).namespace()
        }
        var target: Namespace?
        var dropTarget = false
        try request.forEachArgument(of: "renameCollection") { argument throws(CommandError) in
            switch argument.key {
            case "to": target = try argument.namespace()
            case "dropTarget": dropTarget = try argument.lenientBool()
            case "stayTemp", "collectionUUID": break
            default: throw argument.unknownField()
            }
        }
        guard let target else { throw .missingField("renameCollection.to") }
        guard source != target else {
            throw CommandError(.illegalOperation, "Can't rename a collection to itself")
        }
        let (catalog, drops) = (context.engine.catalog, dropTarget)
        try await context.engine.mapped { () async throws(StorageError) in
            try await catalog.rename(source, to: target, dropTarget: drops)
        }
        return CommandReply { request.shared.writeUnsatisfiedConcern(into: &$0) }
    }
}

extension Argument {
    /// `database.collection`.
    fileprivate func namespace() throws(CommandError) -> Namespace {
        let full = try string()
        guard let dot = full.firstIndex(of: ".") else {
            throw CommandError(.invalidNamespace, "Invalid namespace specified '\(full)'")
        }
        return try .validated(
            database: String(full[..<dot]), collection: String(full[full.index(after: dot)...]))
    }
}
