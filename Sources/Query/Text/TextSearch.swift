internal import BSON
internal import CommandModel

/// The argument of `$text`, as far as it can be understood without an index.
struct TextSearch: Sendable {
    let search: String
    /// Nil for that of the index.
    private(set) var language: TextLanguage?
    private(set) var sensitivity = TextAnalyzer.Sensitivity.none

    init(_ value: RawValue) throws(CommandError) {
        guard let document = value.document else {
            throw CommandError(.badValue, "$text expects an object")
        }
        guard let search = document["$search"] else {
            throw CommandError(.noSuchKey, "Missing expected field \"$search\"")
        }
        self.search = try Self.text("$search", search)
        for element in document {
            switch element.key {
            case "$search": continue
            case "$language": language = try Self.language(element.value)
            case "$caseSensitive": sensitivity.toCase = try Self.flag("$caseSensitive", element.value)
            case "$diacriticSensitive":
                sensitivity.toDiacritics = try Self.flag("$diacriticSensitive", element.value)
            default: throw CommandError(.badValue, "extra fields in $text: \(element.key.string.prefix(100))")
            }
        }
    }

    private static func text(_ name: StaticString, _ value: RawValue) throws(CommandError) -> String {
        guard value.type == .string, let text = value.string else { throw wrongType(name, "string", value) }
        return text
    }

    private static func language(_ value: RawValue) throws(CommandError) -> TextLanguage? {
        let name = try text("$language", value)
        if name.isEmpty { return nil }
        guard let language = TextLanguage(named: name) else {
            throw CommandError(
                .badValue, "unsupported language: \"\(name.prefix(100))\" for text index version 3")
        }
        return language
    }

    private static func flag(_ name: StaticString, _ value: RawValue) throws(CommandError) -> Bool {
        guard let flag = value.bool else { throw wrongType(name, "bool", value) }
        return flag
    }

    private static func wrongType(_ name: StaticString, _ wanted: String, _ value: RawValue) -> CommandError {
        CommandError(
            .typeMismatch, "\"\(name)\" had the wrong type. Expected \(wanted), found \(value.type.alias)")
    }
}
