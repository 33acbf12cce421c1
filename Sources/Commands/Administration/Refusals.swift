internal import BSON
internal import CommandModel
internal import Storage

// Commands that make no sense here: their arguments are checked as MongoDB does, and then they are refused.

extension CommandTable {
    /// https://www.mongodb.com/docs/manual/reference/command/applyOps/
    @Sendable static func applyOps(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        try request.withCommandValue(of: "applyOps") { argument throws(CommandError) in
            for entry in try argument.array() {
                guard let operation = entry.value.document else {
                    throw CommandError.wrongType(
                        "\(argument.name).\(entry.key.string)", entry.value, expected: "object")
                }
                guard operation["op"] != nil else { throw CommandError(.noSuchKey, "Missing expected field \"op\"") }
            }
        }
        try request.forEachArgument(of: "applyOps") { argument throws(CommandError) in
            switch argument.key {
            case "alwaysUpsert", "allowAtomic": _ = try argument.ifPresent(Argument.bool)
            case "prepare": throw CommandError(.badValue, "prepare is not a part of the applyOps command")
            case "count": throw argument.wrongType(expected: "int, long, double, decimal")
            default: return
            }
        }
        throw CommandError(
            .commandNotSupported,
            "applyOps is not supported: there is no oplog. Send the writes as insert, update, delete or bulkWrite")
    }

    /// https://www.mongodb.com/docs/manual/reference/command/autoCompact/
    @Sendable static func autoCompact(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let isWanted = try request.withCommandValue(of: "autoCompact") { argument throws(CommandError) in
            try argument.requireValue()
            return try argument.bool()
        }
        try request.forEachArgument(of: "autoCompact") { argument throws(CommandError) in
            switch argument.key {
            case "freeSpaceTargetMB":
                guard let target = try argument.ifPresent(Argument.integer) else { return }
                guard target >= 1, !isWanted || target <= .max >> 20 else {
                    throw CommandError(
                        .badValue,
                        "BSON field 'freeSpaceTargetMB' value \(target) is not within 1 and \(Int64.max >> 20)")
                }
            case "runOnce": _ = try argument.ifPresent(Argument.bool)
            default: throw argument.unknownField()
            }
        }
        throw CommandError(
            .commandNotSupported,
            "autoCompact is not supported: PostgreSQL's autovacuum gives room back in the background, by its own "
                + "settings. compact does it for one collection at once")
    }

    /// https://www.mongodb.com/docs/manual/reference/command/compactStructuredEncryptionData/
    @Sendable static func compactStructuredEncryptionData(
        _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        var namespace: Namespace?
        do throws(CommandError) { namespace = try request.namespace() } catch {
            // What cannot be a collection's name is none.
            if request.collectionName.map({ !$0.hasPrefix("$") }) ?? true { throw error }
        }
        let tokens = try encryptionTokens(request)
        guard let namespace, let collection = try await context.documents.collection(namespace) else {
            throw CommandError(.namespaceNotFound, "the collection does not exist")
        }
        if collection.view != nil { throw .notSupportedOnView(namespace) }
        let paths = collection.encryptedPaths
        guard !paths.isEmpty else {
            throw CommandError(
                ErrorCode(6_346_807), "Target namespace is not an encrypted collection")
        }
        guard paths.allSatisfy(tokens.contains) else {
            throw CommandError(ErrorCode(7_294_900), "a compaction token is missing for an encrypted path")
        }
        throw CommandError(
            .commandNotSupported,
            "compactStructuredEncryptionData is not supported: the metadata that it compacts is not kept here")
    }

    private static func encryptionTokens(_ request: CommandRequest) throws(CommandError) -> Set<String> {
        var tokens: Set<String>?
        try request.forEachArgument(of: "compactStructuredEncryptionData") { argument throws(CommandError) in
            switch argument.key {
            case "compactionTokens":
                tokens = try argument.ifPresent(Argument.document)?.withRaw { raw in Set(raw.map(\.key.string)) }
            case "encryptionInformation", "anchorPaddingFactor": return
            default: throw argument.unknownField()
            }
        }
        guard let tokens else { throw .missingField("compactStructuredEncryptionData.compactionTokens") }
        return tokens
    }
}

extension Collection {
    /// Of fields for Queryable Encryption.
    fileprivate var encryptedPaths: [String] {
        options.withRaw { raw in
            raw["encryptedFields"]?.document?["fields"]?.array?.compactMap { $0.value.document?["path"]?.string } ?? []
        }
    }
}
