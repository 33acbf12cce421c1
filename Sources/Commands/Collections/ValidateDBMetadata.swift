internal import BSON
internal import CommandModel

// https://www.mongodb.com/docs/manual/reference/command/validateDBMetadata/

extension CommandTable {
    /// Whether the catalog holds anything that an API version does not know. Every collection and index that can be
    /// made so far is part of version 1, so there is nothing to find.
    @Sendable static func validateDBMetadata(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var hasParameters = false
        try request.forEachArgument(of: "validateDBMetadata") { argument throws(CommandError) in
            switch argument.key {
            case "apiParameters":
                guard !argument.isOmitted else { return }
                try argument.checkAPIParameters()
                hasParameters = true
            case "db":
                if let name = try argument.ifPresent(Argument.string) { try checkDatabaseFilter(name) }
            case "collection":
                if let name = try argument.ifPresent(Argument.string) { try checkCollectionFilter(name) }
            default: throw argument.unknownField()
            }
        }
        guard hasParameters else { throw .missingField("validateDBMetadata.apiParameters") }
        return CommandReply { builder in
            builder.beginArray("apiVersionErrors")
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
    fileprivate func checkAPIParameters() throws(CommandError) {
        var version: String?
        try forEachField(named: "validateDBMetadata.apiParameters") { parameter throws(CommandError) in
            switch parameter.key {
            case "version": version = try parameter.ifPresent(Argument.string)
            case "strict", "deprecationErrors": _ = try parameter.bool()
            default: throw parameter.unknownField()
            }
        }
        guard let version else { throw .missingField("validateDBMetadata.apiParameters.version") }
        guard version == "1" else {
            throw CommandError(.apiVersionError, "API version must be \"1\"")
        }
    }
}
