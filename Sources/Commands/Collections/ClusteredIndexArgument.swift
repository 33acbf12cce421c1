internal import BSON
internal import CommandModel
internal import Query

/// `clusteredIndex` of `create`.
enum ClusteredIndexArgument {
    /// The old spelling of "no".
    case legacyFalse
    case specification(name: String)

    init(_ argument: Argument) throws(CommandError) {
        if argument.value.document == nil {
            // null is not "none" here, unlike elsewhere.
            guard !argument.isOmitted else { throw argument.wrongType(expected: "object") }
            guard try !argument.lenientBool() else {
                throw CommandError(
                    ErrorCode(5_979_703), "The 'clusteredIndex' field with a boolean is for time series buckets only")
            }
            self = .legacyFalse
            return
        }
        self = .specification(name: try Self.checkedName(argument))
    }

    private static func checkedName(_ argument: Argument) throws(CommandError) -> String {
        var name: String?
        var isUnique: Bool?
        var hasKey = false
        var version: Int64 = 2
        try argument.forEachField(named: "create.clusteredIndex") { option throws(CommandError) in
            switch option.key {
            case "key":
                if let key = try option.ifPresent(Argument.document) {
                    hasKey = true
                    try checkKey(key)
                }
            case "unique": isUnique = try option.ifPresent(Argument.lenientBool)
            case "name": name = try option.ifPresent(Argument.string)
            case "v": version = try option.ifPresent(Argument.integer) ?? 2
            default: throw option.unknownField()
            }
        }
        guard hasKey else { throw .missingField("create.clusteredIndex.key") }
        guard let isUnique else { throw .missingField("create.clusteredIndex.unique") }
        guard isUnique else {
            throw CommandError(ErrorCode(5_979_700), "The clusteredIndex option requires unique: true to be specified")
        }
        guard version == 2 else {
            throw CommandError(ErrorCode(5_979_704), "The clusteredIndex option requires v: 2, found \(version)")
        }
        return name ?? "_id_"
    }

    private static func checkKey(_ key: Document) throws(CommandError) {
        let isID = key.withRaw { $0.elementCount == 1 && $0["_id"]?.number?.asDouble == 1 }
        guard isID else {
            throw CommandError(
                .invalidIndexSpecificationOption, "The clusteredIndex option is only supported for key: {_id: 1}")
        }
    }
}
