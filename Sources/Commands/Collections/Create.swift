internal import BSON
internal import CommandModel
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/create/

extension CommandTable {
    @Sendable static func create(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let namespace = try request.namespace()
        try namespace.validateForCreation()
        try request.forEachArgument(of: "create") { argument throws(CommandError) in
            switch argument.key {
            case "capped", "autoIndexId", "timeseries", "viewOn", "pipeline", "validator", "clusteredIndex",
                "changeStreamPreAndPostImages", "encryptedFields", "expireAfterSeconds", "size", "max":
                try argument.checkCreationOption()
            case "validationLevel", "validationAction", "indexOptionDefaults", "storageEngine":
                throw argument.notSupportedYet("create")
            case "collation": try argument.checkCollation()
            case "writeConcern", "flags", "temp": break
            default: throw argument.unknownField()
            }
        }
        // An existing collection with the same options is no error since MongoDB 7.0.
        try await context.engine.mapped { () async throws(StorageError) in
            _ = try await context.engine.catalog.collectionOrCreate(namespace)
        }
        return CommandReply()
    }
}

extension Argument {
    /// Options of `create` that mean something else than a plain collection: only their "no" is accepted.
    fileprivate func checkCreationOption() throws(CommandError) {
        switch key {
        case "capped", "autoIndexId":
            let flag = try lenientBool()
            if key == "capped", flag { throw notSupportedYet("create") }
        case "size", "max":
            throw CommandError(.invalidOptions, "the '\(key.string)' option requires capped: true")
        case "validator":
            guard try document().isEmpty else { throw notSupportedYet("create") }
        case "changeStreamPreAndPostImages":
            guard try document().withRaw({ $0["enabled"]?.bool }) != true else { throw notSupportedYet("create") }
        default: throw notSupportedYet("create")
        }
    }

    func notSupportedYet(_ command: StaticString) -> CommandError {
        CommandError(.notImplemented, "\(command): the option '\(key.string)' is not supported yet")
    }
}
