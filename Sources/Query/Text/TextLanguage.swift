/// A language whose words a text index knows: which of them say nothing, and which are forms of one another.
///
/// Source: https://www.mongodb.com/docs/manual/reference/text-search-languages/
enum TextLanguage: String, CaseIterable, Sendable {
    /// Words as they are written.
    case none
    case danish, dutch, english, finnish, french, german, hungarian, italian, norwegian, portuguese, romanian, russian
    case spanish, swedish, turkish

    /// - Parameter name: in any case, or the language's code.
    init?(named name: String) {
        guard name.utf8.count <= 16 else { return nil }
        let name = name.lowercased()
        guard let language = TextLanguage(rawValue: name) ?? Self.byCode[name] else { return nil }
        self = language
    }

    private static let byCode: [String: TextLanguage] = [
        "da": .danish, "de": .german, "en": .english, "es": .spanish, "fi": .finnish, "fr": .french, "hu": .hungarian,
        "it": .italian, "nb": .norwegian, "nl": .dutch, "pt": .portuguese, "ro": .romanian, "ru": .russian,
        "sv": .swedish, "tr": .turkish,
    ]

    /// Whether an apostrophe belongs to the word in which it stands, as in `don't`; elsewhere it ends one: `l'eau`.
    var joinsByApostrophe: Bool { self == .english }

    /// Whether `I` is the capital of `ı`.
    var hasDotlessI: Bool { self == .turkish }
}
