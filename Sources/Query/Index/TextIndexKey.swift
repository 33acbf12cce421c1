internal import BSON
internal import CommandModel

/// The key of a text index, whose fields with text are kept as weights.
struct TextIndexKey {
    private let before: [IndexDefinition.Field]
    private let after: [IndexDefinition.Field]
    /// The paths of text, in their order.
    private let paths: [String]
    /// It came in the form in which it is kept, from a dump or from `listIndexes`.
    private let isStoredForm: Bool

    private static let weightMax = 1_000_000_000
    /// Each is looked for in every document.
    private static let pathsMax = 1_000

    init(_ fields: [IndexDefinition.Field]) throws(CommandError) {
        let places = fields.indices.filter { fields[$0].kind == .text }
        guard let first = places.first, let last = places.last, last - first + 1 == places.count else {
            throw CommandError(.cannotCreateIndex, "'text' fields in index must all be adjacent")
        }
        before = Array(fields[..<first])
        let names = fields[first...last].map(\.path)
        if let name = names.first(where: { $0.hasSuffix(".$**") }) {
            throw CommandError(
                .cannotCreateIndex, "a text index has all fields ('$**') or those that it names, but not '\(name)'")
        }
        isStoredForm = names == ["_fts"]
        var rest = fields[(last + 1)...]
        if isStoredForm {
            guard rest.first?.path == "_ftsx" else {
                throw CommandError(.cannotCreateIndex, "expecting _ftsx after _fts in the key of a text index")
            }
            rest = rest.dropFirst()
        }
        guard !names.contains("_fts") || isStoredForm, !fields.contains(where: { $0.kind.isPlain && $0.path == "_fts" })
        else {
            throw CommandError(.cannotCreateIndex, "the name _fts is reserved in text indexes")
        }
        after = Array(rest)
        paths = isStoredForm ? [] : names
    }

    func stored(_ options: inout IndexOptions) throws(CommandError) -> Document {
        options.weights = .document(try weights(options.weights))
        try Self.complete(&options)
        return Document { builder in
            for field in before { builder.append(name: field.path, field.direction) }
            builder.append("_fts", string: "text")
            builder.append("_ftsx", int32: 1)
            for field in after { builder.append(name: field.path, field.direction) }
        }
    }

    private static func complete(_ options: inout IndexOptions) throws(CommandError) {
        options.defaultLanguage = options.defaultLanguage ?? "english"
        options.languageOverride = options.languageOverride ?? "language"
        options.textVersion = options.textVersion ?? 3
        guard languages.contains((options.defaultLanguage ?? "").lowercased()) else {
            throw CommandError(
                .cannotCreateIndex,
                "unsupported language: \"\(options.defaultLanguage?.prefix(100) ?? "")\" for text index version 3")
        }
        let field = options.languageOverride ?? ""
        guard !field.isEmpty, !field.utf8.contains(UInt8(ascii: ".")), field.utf8.first != UInt8(ascii: "$") else {
            throw CommandError(.cannotCreateIndex, "language_override is not valid: '\(field.prefix(100))'")
        }
    }

    /// The weights of all paths, in the order of their names.
    private func weights(_ given: Value?) throws(CommandError) -> Document {
        var weights: [String: Number] = [:]
        for path in paths { weights[path] = .int32(1) }
        try given?.withRaw { value throws(CommandError) in
            for element in value.document ?? .none {
                if !(element.key == "$**") { try IndexKeyPattern.checkPath(element.key.components) }
                weights[element.key.string] = try Self.weight(element)
            }
        }
        guard weights.count <= Self.pathsMax else {
            throw CommandError(.cannotCreateIndex, "a text index names more than \(Self.pathsMax) fields")
        }
        guard !weights.isEmpty else {
            throw CommandError(.cannotCreateIndex, "a text index that names no field needs 'weights'")
        }
        return Document { builder in
            for (path, weight) in weights.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
                builder.append(name: path, weight.value)
            }
        }
    }

    private static func weight(_ element: RawElement) throws(CommandError) -> Number {
        guard let number = element.value.number else {
            throw CommandError(
                .cannotCreateIndex, "weight for text index needs numeric type: \(element.key.string.prefix(100))")
        }
        let weight = number.asDouble
        guard weight > 0, weight < Double(weightMax) else {
            throw CommandError(
                .cannotCreateIndex,
                "text index weight must be in the exclusive interval (0,\(weightMax)) but found: \(weight)")
        }
        return number
    }

    /// Source: https://www.mongodb.com/docs/manual/reference/text-search-languages/
    private static let languages: Set<String> = [
        "none", "danish", "da", "dutch", "nl", "english", "en", "finnish", "fi", "french", "fr", "german", "de",
        "hungarian", "hu", "italian", "it", "norwegian", "nb", "portuguese", "pt", "romanian", "ro", "russian", "ru",
        "spanish", "es", "swedish", "sv", "turkish", "tr",
    ]
}

extension IndexDefinition.Field {
    fileprivate var direction: Value { .int32(kind == .descending ? -1 : 1) }
}
