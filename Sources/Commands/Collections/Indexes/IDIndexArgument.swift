internal import BSON
internal import CommandModel
internal import Query

/// `idIndex` of `create`: there is one index on `_id` it can describe.
struct IDIndexArgument {
    private var collation = CollationChoice.inherited

    init(_ argument: Argument) throws(CommandError) {
        var hasKey = false
        var hasName = false
        try argument.forEachField(named: "create.idIndex") { option throws(CommandError) in
            switch option.key {
            case "key":
                hasKey = true
                try Self.checkIDKey(option.document())
            case "name":
                hasName = true
                guard try !option.string().isEmpty else {
                    throw CommandError(.cannotCreateIndex, "The index name cannot be empty")
                }
            case "v": _ = try option.indexVersion()
            case "ns": _ = try option.string()
            case "collation": collation = try option.collator().map { .chosen($0) } ?? .simple
            default:
                throw CommandError(
                    .invalidIndexSpecificationOption,
                    "The field '\(option.key.string)' is not valid for an _id index specification")
            }
        }
        guard hasKey, hasName else {
            throw CommandError(.failedToParse, "The 'key' and the 'name' of an index specification are required")
        }
    }

    /// - Parameter collator: of the collection.
    func check(against collator: Collator?) throws(CommandError) {
        guard collation.collator(default: collator)?.collation == collator?.collation else {
            throw CommandError(.badValue, "The _id index must have the same collation as the collection")
        }
    }

    private static func checkIDKey(_ key: Document) throws(CommandError) {
        guard key.withRaw({ $0.elementCount == 1 && $0["_id"]?.number?.asDouble == 1 }) else {
            throw CommandError(.badValue, "The field 'key' for an _id index must be {_id: 1}")
        }
    }
}
