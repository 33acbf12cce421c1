internal import BSON
internal import CommandModel

extension Argument {
    /// `idIndex` of `create`: there is one index on `_id` it can describe.
    func checkIDIndex() throws(CommandError) {
        var hasKey = false
        var hasName = false
        try forEachField(named: "create.idIndex") { option throws(CommandError) in
            switch option.key {
            case "key":
                hasKey = true
                try Self.checkIDKey(option.document())
            case "name":
                hasName = true
                guard try !option.string().isEmpty else {
                    throw CommandError(.cannotCreateIndex, "The index name cannot be empty")
                }
            case "v": try option.checkIndexVersion()
            case "ns": _ = try option.string()
            case "collation":
                guard try option.validateCollation() else {
                    throw CommandError(
                        .badValue, "The _id index must have the same collation as the collection")
                }
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

    private static func checkIDKey(_ key: Document) throws(CommandError) {
        guard key.withRaw({ $0.elementCount == 1 && $0["_id"]?.number?.asDouble == 1 }) else {
            throw CommandError(.badValue, "The field 'key' for an _id index must be {_id: 1}")
        }
    }

    private func checkIndexVersion() throws(CommandError) {
        guard let number = value.number else { throw wrongType(expected: "long, int, decimal, double") }
        guard let version = number.asInt64Exact else {
            throw CommandError(.badValue, "Index version must be representable as a 32-bit integer")
        }
        guard version == 1 || version == 2 else {
            throw CommandError(.cannotCreateIndex, "Invalid index specification: version \(version) is not supported")
        }
    }
}
