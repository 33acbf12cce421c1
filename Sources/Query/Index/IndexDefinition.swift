package import BSON
package import CommandModel

/// A secondary index, compiled from its specification: what its keys are made of.
///
/// # Keys
///
/// A secondary index is a table of keys. A document has none, one or many keys in it (``keys(of:)``); each is a byte
/// string whose order is the index's order, so that equality and ranges of a query are byte ranges (``KeyInterval``)
/// and a sort by the index is `ORDER BY key`. See `BSON/KeyEncoding.swift` for how a value becomes bytes; the fields of
/// a compound index are simply concatenated.
package struct IndexDefinition: Sendable {
    package struct Field: Sendable, Equatable {
        package enum Kind: Sendable, Equatable {
            case ascending
            case descending
            case hashed
            /// `2dsphere`.
            case sphere
            /// `2d`.
            case plane
            /// The place of the terms of all texts.
            case text
            /// A path that ends with `$**`; ``Field/path`` is what stands before it, empty for all fields. The values
            /// are ascending, whatever the pattern says.
            case wildcard
        }

        package let path: String
        package let kind: Kind
        /// The components of ``path``.
        let steps: [SortStep]

        package init(path: String, kind: Kind) {
            self.path = path
            self.kind = kind
            steps = path.isEmpty ? [] : path.split(separator: ".", omittingEmptySubsequences: false).map(SortStep.init)
        }
    }

    /// Of a key pattern.
    package static let fieldsMax = 32

    package let name: String
    /// As `listIndexes` shows it.
    package let specification: Document
    package let keyPattern: Document
    package let fields: [Field]
    package let isUnique: Bool
    /// It may become unique: what is not unique yet may stay, and nothing more may come.
    package let preparesUnique: Bool
    package let isSparse: Bool
    package let isHidden: Bool
    package let expireAfterSeconds: Double?
    /// Documents that do not match it have no keys.
    package let partialFilter: Filter?
    /// Strings in the keys are under it; nil for their bytes.
    package let collator: Collator?
    /// Of a wildcard index.
    package let wildcardScope: WildcardScope?
    /// Of a text index.
    let text: TextSpecification?

    /// - Parameter specification: as `createIndexes` has checked and completed it: `v`, `key`, `name` and the options.
    /// - Throws: what is wrong with a specification that this server does not understand.
    package init(_ specification: Document) throws(CommandError) {
        self = try specification.withRaw { raw throws(CommandError) in try IndexDefinition(raw, specification) }
    }

    private init(_ raw: RawDocument, _ specification: Document) throws(CommandError) {
        guard let name = raw["name"]?.string, let pattern = raw["key"]?.document else {
            throw CommandError(.cannotCreateIndex, "an index of the catalog has no name or no key pattern")
        }
        self.name = name
        self.specification = specification
        keyPattern = Document(copying: pattern)
        fields = try Self.fields(of: pattern)
        wildcardScope = fields.first { $0.kind == .wildcard }.map {
            WildcardScope(path: $0.path, projection: raw["wildcardProjection"]?.document)
        }
        text = fields.contains { $0.kind == .text } ? try TextSpecification(raw) : nil
        isUnique = raw["unique"]?.bool ?? false
        preparesUnique = raw["prepareUnique"]?.bool ?? false
        isSparse = raw["sparse"]?.bool ?? false
        isHidden = raw["hidden"]?.bool ?? false
        expireAfterSeconds = raw["expireAfterSeconds"]?.number?.asDouble
        let collator = try raw["collation"].flatMap { value throws(CommandError) -> Collator? in
            try Argument(command: "createIndexes", key: RawKey("collation"), value: value).collator()
        }
        self.collator = collator
        partialFilter = try raw["partialFilterExpression"]?.document.map { filter throws(CommandError) in
            try Filter(compiling: filter, collator: collator)
        }
    }

    /// It finds the documents of `$text`.
    package var isText: Bool { text != nil }

    /// The fields at the top of a document that its keys are made of; nil when they may be any.
    package var topLevelFields: [[UInt8]]? {
        guard partialFilter == nil, wildcardScope == nil, text?.wildcardWeight == nil else { return nil }
        let paths = fields.filter { $0.kind != .text }.map { Array($0.path.utf8) } + (text?.paths.map(\.name) ?? [])
        return paths.map { Array($0.prefix { $0 != UInt8(ascii: ".") }) } + (text.map { [$0.languageField] } ?? [])
    }

    /// One field of an index as an index by itself that holds every document.
    init(_ whole: IndexDefinition, only position: Int) {
        name = whole.name
        specification = whole.specification
        keyPattern = whole.keyPattern
        fields = [whole.fields[position]]
        (isUnique, preparesUnique, isSparse, isHidden) = (false, false, false, whole.isHidden)
        expireAfterSeconds = nil
        partialFilter = nil
        collator = whole.collator
        wildcardScope = nil
        text = nil
    }

    private static func fields(of pattern: RawDocument) throws(CommandError) -> [Field] {
        var fields: [Field] = []
        for element in pattern {
            // Stands for where in a document's text a term was found, which is no field.
            if element.key == "_ftsx", fields.last?.kind == .text { continue }
            guard fields.count < fieldsMax else {
                throw CommandError(.cannotCreateIndex, "an index has more than \(fieldsMax) fields")
            }
            fields.append(try field(element.key.string, element.value))
        }
        return fields
    }

    private static func field(_ path: String, _ value: RawValue) throws(CommandError) -> Field {
        if path == "$**" { return Field(path: "", kind: .wildcard) }
        if path.hasSuffix(".$**") { return Field(path: String(path.dropLast(4)), kind: .wildcard) }
        switch value.string {
        case "hashed": return Field(path: path, kind: .hashed)
        case "2dsphere": return Field(path: path, kind: .sphere)
        case "2d": return Field(path: path, kind: .plane)
        case "text": return Field(path: path, kind: .text)
        case let name?: throw CommandError(.cannotCreateIndex, "Unknown index plugin '\(name)'")
        case nil:
            return Field(path: path, kind: (value.number?.asDouble ?? 1) < 0 ? .descending : .ascending)
        }
    }
}
