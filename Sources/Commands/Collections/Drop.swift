internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/drop/

extension CommandTable {
    @Sendable static func drop(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        var uuid: [UInt8]?
        try request.forEachArgument(of: "drop") { argument throws(CommandError) in
            guard argument.key == "collectionUUID" else { throw argument.unknownField() }
            uuid = try argument.ifPresent(Argument.uuid)
        }
        try await context.engine.checkUUID(uuid, of: namespace)
        try context.server.profiler.checkDrop(of: namespace)
        let collection = try await context.documents.collection(namespace)
        let existed = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.drop(namespace)
        }
        return CommandReply { builder in
            // Dropping what is not there is no error since MongoDB 7.0, and says nothing but ok.
            guard existed else { return }
            if let collection, collection.view == nil {
                builder.append("nIndexesWas", int32: Int32(collection.listedIndexes.count))
            }
            builder.append("ns", string: namespace.description)
            request.shared.writeUnsatisfiedConcern(into: &builder)
        }
    }
}
