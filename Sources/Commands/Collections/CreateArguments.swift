internal import BSON
internal import CommandModel
internal import Query
internal import Storage

/// The arguments of `create`, each checked by itself; `CreateArguments+Rules` checks them against each other.
struct CreateArguments {
    let namespace: Namespace
    var isCapped = false
    var size: Int64?
    var max: Int64?
    var clusteredIndex: ClusteredIndexArgument?
    var timeseries: TimeseriesArgument?
    var viewOn: String?
    /// The array of stages of a view.
    var pipeline: Value?
    var hasValidator = false
    var hasValidationLevel = false
    var hasValidationAction = false
    var idIndex: IDIndexArgument?
    var encryptedFields: EncryptedFieldsArgument?
    /// Of strings that a command says nothing else about, and of the index on `_id`; nil for bytes.
    var collator: Collator?
    var preImages: Bool?
    var expireAfterSeconds: Int64?
    /// What the catalog keeps: the options that stand beside a plain collection, in a fixed order.
    private(set) var kept: [String: Value] = [:]

    init(_ request: CommandRequest) throws(CommandError) {
        namespace = try request.namespace()
        try namespace.validateForCreation()
        try request.forEachArgument(of: "create") { argument throws(CommandError) in
            // A clustered index is the one option whose null is an error.
            if argument.isOmitted, Self.isOptional(argument.key) { return }
            try take(argument)
        }
    }

    private static func isOptional(_ key: RawKey) -> Bool {
        switch key {
        case "capped", "size", "max", "timeseries", "viewOn", "pipeline", "validator", "validationLevel",
            "validationAction", "idIndex", "collation", "storageEngine", "indexOptionDefaults",
            "changeStreamPreAndPostImages", "expireAfterSeconds", "encryptedFields", "autoIndexId", "temp", "flags":
            true
        default: false
        }
    }

    private mutating func take(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "capped": isCapped = try argument.lenientBool()
        case "size": size = try argument.cappedSize()
        case "max": max = try argument.cappedMax()
        case "clusteredIndex": clusteredIndex = try ClusteredIndexArgument(argument)
        case "timeseries": timeseries = try TimeseriesArgument(argument)
        case "viewOn": viewOn = try argument.viewSource()
        case "pipeline": pipeline = try argument.viewPipeline()
        case "idIndex": idIndex = try IDIndexArgument(argument)
        case "encryptedFields": encryptedFields = try EncryptedFieldsArgument(argument, of: namespace)
        case "collation": collator = try argument.collator()
        case "changeStreamPreAndPostImages": preImages = try argument.preImagesEnabled()
        case "expireAfterSeconds": expireAfterSeconds = try argument.integer()
        case "autoIndexId", "temp": _ = try argument.lenientBool()
        case "flags": _ = try argument.integer()
        default: try takeKept(argument)
        }
    }

    private mutating func takeKept(_ argument: Argument) throws(CommandError) {
        switch argument.key {
        case "validator": hasValidator = try argument.checkValidator(of: namespace)
        case "validationLevel":
            try argument.checkValidationLevel()
            hasValidationLevel = true
        case "validationAction":
            try argument.checkValidationAction()
            hasValidationAction = true
        case "storageEngine": try argument.checkStorageEngine()
        case "indexOptionDefaults": try argument.checkIndexOptionDefaults()
        default: throw argument.unknownField()
        }
        if argument.value.document?.isEmpty != true { kept[argument.key.string] = Value(copying: argument.value) }
    }

    /// As `listCollections` shows them. Two collections with the same options have the same bytes.
    var options: Document {
        if let viewOn {
            return Document { builder in
                builder.append("viewOn", string: viewOn)
                builder.append("pipeline", pipeline ?? .array(.empty))
                if let collator { builder.append("collation", document: collator.collation.document) }
            }
        }
        return Document { builder in
            if isCapped {
                CappedLimits(bytes: size ?? 0, documents: max ?? 0).write(into: &builder)
            }
            for name in ["storageEngine", "indexOptionDefaults", "validator", "validationLevel", "validationAction"]
                as [StaticString]
            {
                if let value = kept["\(name)"] { builder.append(name, value) }
            }
            if preImages == true { builder.appendPreImages() }
            if case .specification(let name)? = clusteredIndex { builder.appendClusteredIndex(name: name) }
            timeseries?.write(into: &builder)
            if let expireAfterSeconds { builder.append("expireAfterSeconds", int64: expireAfterSeconds) }
            if let collator { builder.append("collation", document: collator.collation.document) }
            if let encryptedFields { builder.append("encryptedFields", document: encryptedFields.document) }
        }
    }
}

extension Argument {
    /// Bytes of a capped collection.
    func cappedSize() throws(CommandError) -> Int64 {
        let size = try integer()
        guard (1...(1 << 50)).contains(size) else {
            throw CommandError(
                .badValue, "BSON field '\(key.string)' value must be >= 1 and <= \(1 << 50), actual value '\(size)'")
        }
        return size
    }

    /// Documents of a capped collection; zero and less mean any number.
    func cappedMax() throws(CommandError) -> Int64 {
        let max = try integer()
        guard max <= Int64(Int32.max) else {
            throw CommandError(
                .badValue, "max in a capped collection has to be < 2^31 or not set, actual value '\(max)'")
        }
        return max
    }
}
