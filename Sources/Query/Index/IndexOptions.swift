internal import BSON
internal import CommandModel

/// The fields of a specification, each checked by itself.
struct IndexOptions {
    private(set) var key = Document.empty
    var name = ""
    private(set) var version: Int32 = 2
    private(set) var background: Bool?
    private(set) var isUnique = false
    private(set) var isHidden = false
    private(set) var preparesUnique = false
    private(set) var isClustered = false
    private(set) var isSparse: Bool?
    private(set) var partialFilter: Document?
    private(set) var expireAfterSeconds: Int32?
    private(set) var storageEngine: Document?
    var weights: Value?
    var defaultLanguage: String?
    var languageOverride: String?
    var textVersion: Int32?
    var sphereVersion: Int32?
    private(set) var finestLevel: Int32?
    private(set) var coarsestLevel: Int32?
    private(set) var bits: Value?
    private(set) var min: Double?
    private(set) var max: Double?
    private(set) var bucketSize: Double?
    private(set) var collation = CollationChoice.inherited
    private(set) var wildcardProjection: Document?
    /// All that was given, in its order.
    private(set) var names: [String] = []

    init(_ specification: RawDocument, ignoresUnknown: Bool) throws(CommandError) {
        for field in specification {
            let option = Argument(command: "createIndexes.indexes", key: field.key, value: field.value)
            guard try take(option) else {
                if ignoresUnknown { continue }
                throw CommandError(
                    .invalidIndexSpecificationOption,
                    "The field '\(option.key.string.prefix(100))' is not valid for an index specification. "
                        + "Specification: \(ShellText.of(specification))")
            }
            names.append(option.key.string)
        }
        for required in ["key", "name"] where !names.contains(required) {
            throw CommandError(
                .failedToParse, "The '\(required)' field is a required property of an index specification")
        }
    }

    /// - Returns: whether there is such an option.
    private mutating func take(_ option: Argument) throws(CommandError) -> Bool {
        switch option.key {
        case "key": key = try option.document()
        case "name": name = try option.indexName()
        case "v": version = try option.indexVersion()
        // A namespace was part of specifications once; duplicates are no longer dropped.
        case "ns": _ = try option.string()
        case "dropDups": _ = try option.lenientBool()
        case "background": background = try option.lenientBool()
        case "unique": isUnique = try option.lenientBool()
        case "sparse": isSparse = try option.lenientBool()
        case "hidden": isHidden = try option.bool()
        case "prepareUnique": preparesUnique = try option.lenientBool()
        case "clustered": isClustered = try option.lenientBool()
        case "partialFilterExpression": partialFilter = try option.document()
        case "expireAfterSeconds": expireAfterSeconds = try option.expiry()
        case "collation": collation = try option.indexCollation()
        case "storageEngine": storageEngine = try option.checkedStorageEngine()
        case "wildcardProjection": wildcardProjection = try option.document()
        default: return try takeSpecial(option)
        }
        return true
    }

    /// Of text and geometry.
    private mutating func takeSpecial(_ option: Argument) throws(CommandError) -> Bool {
        switch option.key {
        case "weights": weights = try option.textWeights()
        case "default_language": defaultLanguage = try option.string()
        case "language_override": languageOverride = try option.string()
        case "textIndexVersion": textVersion = try option.pluginVersion("text")
        case "2dsphereIndexVersion": sphereVersion = try option.pluginVersion("2dsphere")
        case "finestIndexedLevel": finestLevel = Int32(clamping: try option.integer())
        case "coarsestIndexedLevel": coarsestLevel = Int32(clamping: try option.integer())
        case "bits": bits = try option.planeBits()
        case "min": min = try option.double()
        case "max": max = try option.double()
        case "bucketSize": bucketSize = try option.double()
        default: return false
        }
        return true
    }
}

// Writing them.
extension IndexOptions {
    /// What is false is not kept, but for `background` and `sparse`.
    func document(key: Document, collator: Collator?) -> Document {
        Document { builder in
            builder.append("v", int32: version)
            builder.append("key", document: key)
            builder.append("name", string: name)
            if let background { builder.append("background", bool: background) }
            if isUnique { builder.append("unique", bool: true) }
            if isHidden { builder.append("hidden", bool: true) }
            if let partialFilter { builder.append("partialFilterExpression", document: partialFilter) }
            if let isSparse { builder.append("sparse", bool: isSparse) }
            if let expireAfterSeconds { builder.append("expireAfterSeconds", int32: expireAfterSeconds) }
            if let storageEngine { builder.append("storageEngine", document: storageEngine) }
            writeText(into: &builder)
            writeGeometry(into: &builder)
            if let collator { builder.append("collation", document: collator.collation.document) }
            if let wildcardProjection { builder.append("wildcardProjection", document: wildcardProjection) }
            if preparesUnique { builder.append("prepareUnique", bool: true) }
            if isClustered { builder.append("clustered", bool: true) }
        }
    }

    private func writeText(into builder: inout DocumentBuilder) {
        if let weights { builder.append("weights", weights) }
        if let defaultLanguage { builder.append("default_language", string: defaultLanguage) }
        if let languageOverride { builder.append("language_override", string: languageOverride) }
        if let textVersion { builder.append("textIndexVersion", int32: textVersion) }
    }

    private func writeGeometry(into builder: inout DocumentBuilder) {
        if let sphereVersion { builder.append("2dsphereIndexVersion", int32: sphereVersion) }
        if let finestLevel { builder.append("finestIndexedLevel", int32: finestLevel) }
        if let coarsestLevel { builder.append("coarsestIndexedLevel", int32: coarsestLevel) }
        if let bits { builder.append("bits", bits) }
        if let min { builder.append("min", double: min) }
        if let max { builder.append("max", double: max) }
        if let bucketSize { builder.append("bucketSize", double: bucketSize) }
    }
}
