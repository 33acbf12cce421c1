internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/command/validateDBMetadata/

extension CommandTable {
    /// Whether the catalog holds anything that an API version does not know: sparse and text indexes, when it is
    /// strict.
    @Sendable static func validateDBMetadata(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var isStrict: Bool?
        var (database, collection): (String?, String?)
        try request.forEachArgument(of: "validateDBMetadata") { argument throws(CommandError) in
            switch argument.key {
            case "apiParameters":
                guard !argument.isOmitted else { return }
                isStrict = try argument.apiStrictness()
            case "db":
                database = try argument.ifPresent(Argument.string)
                if let database { try checkDatabaseFilter(database) }
            case "collection":
                collection = try argument.ifPresent(Argument.string)
                if let collection { try checkCollectionFilter(collection) }
            default: throw argument.unknownField()
            }
        }
        guard let isStrict else { throw .missingField("validateDBMetadata.apiParameters") }
        let (wantedDatabase, wantedCollection) = (database, collection)
        let errors =
            isStrict
            ? try await context.engine.mapped { () async throws(StorageError) in
                try await context.engine.catalog.unversionedIndexes(wantedDatabase, wantedCollection)
            } : []
        return CommandReply { builder in
            builder.beginArray("apiVersionErrors")
            for (position, error) in errors.enumerated() {
                builder.append(index: position, .document(error))
            }
            builder.end()
        }
    }

    // Filters on names, with rules of their own: a dollar sign is allowed.

    private static func checkCollectionFilter(_ name: String) throws(CommandError) {
        guard !name.isEmpty, name.utf8.first != UInt8(ascii: "."), !name.utf8.contains(0) else {
            throw CommandError(.invalidNamespace, "Invalid collection name: '\(name)'")
        }
    }

    private static func checkDatabaseFilter(_ name: String) throws(CommandError) {
        guard !name.isEmpty else { throw CommandError(ErrorCode(28_539), "db name is empty") }
        let isPath = name.utf8.contains { $0 == UInt8(ascii: ".") || $0 == 0 }
        guard !isPath, name.utf8.count < 64 else {
            throw CommandError(.invalidNamespace, "Invalid database name: '\(name)'")
        }
        for byte in "/\\ \"".utf8 where name.utf8.contains(byte) {
            throw CommandError(ErrorCode(13_280), "invalid db name: \(name)")
        }
    }
}

extension Argument {
    /// Whether nothing else is to be known than the API version.
    fileprivate func apiStrictness() throws(CommandError) -> Bool {
        var version: String?
        var isStrict = false
        try forEachField(named: "validateDBMetadata.apiParameters") { parameter throws(CommandError) in
            switch parameter.key {
            case "version": version = try parameter.ifPresent(Argument.string)
            case "strict": isStrict = try parameter.bool()
            case "deprecationErrors": _ = try parameter.bool()
            default: throw parameter.unknownField()
            }
        }
        guard let version else { throw .missingField("validateDBMetadata.apiParameters.version") }
        guard version == "1" else {
            throw CommandError(.apiVersionError, "API version must be \"1\"")
        }
        return isStrict
    }
}

extension Catalog {
    /// What version 1 of the API says of the indexes that are no part of it.
    fileprivate func unversionedIndexes(
        _ database: String?, _ collection: String?
    ) async throws(StorageError) -> [Document] {
        var errors: [Document] = []
        for name in try await databases().map(\.name) where database == nil || database == name {
            for found in try await collections(in: name).map(\.collection)
            where collection == nil || collection == found.namespace.collection {
                for index in found.readyIndexes where index.definition.isSparse || index.definition.isText {
                    errors.append(Self.apiError(found.namespace, index.definition.name))
                }
            }
        }
        return errors
    }

    private static func apiError(_ namespace: Namespace, _ index: String) -> Document {
        Document { builder in
            builder.append("ns", string: "\(namespace)")
            builder.append("code", int32: ErrorCode.apiStrictError.number)
            builder.append("codeName", string: ErrorCode.apiStrictError.name)
            builder.append("errmsg", string: "The index with name \(index) is not allowed in API version 1.")
        }
    }
}
