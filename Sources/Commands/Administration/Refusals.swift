internal import BSON
internal import CommandModel
internal import Storage

// Commands that make no sense here: their arguments are checked as MongoDB does, and then they are refused.

extension CommandTable {
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
