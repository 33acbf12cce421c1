internal import BSON
internal import CommandModel

/// What of a document a text index holds: which fields, how much each counts, in which language they are.
struct TextSpecification: Sendable {
    struct Path: Sendable {
        let name: [UInt8]
        let steps: [SortStep]
        let weight: Double
    }

    let paths: [Path]
    /// Those of ``paths``.
    let names: Set<[UInt8]>
    /// Of the fields that ``paths`` does not name; nil when those are not in the index.
    let wildcardWeight: Double?
    let language: TextLanguage
    /// `textIndexVersion`.
    let version: Int32
    /// The field by which a document, or one within it, names its language.
    let languageField: [UInt8]

    /// - Parameter specification: of an index, complete.
    /// - Throws: CannotCreateIndex (67) for one that cannot be understood.
    init(_ specification: RawDocument) throws(CommandError) {
        guard let weights = specification["weights"]?.document,
            let language = TextLanguage(named: specification["default_language"]?.string ?? "english")
        else { throw CommandError(.cannotCreateIndex, "a text index of the catalog has no weights or no language") }
        var paths: [Path] = []
        var wildcardWeight: Double?
        for element in weights {
            let weight = element.value.number?.asDouble ?? 1
            if element.key == "$**" {
                wildcardWeight = weight
            } else {
                let steps = element.key.string.split(separator: ".", omittingEmptySubsequences: false).map(
                    SortStep.init)
                paths.append(Path(name: Array(element.key.bytes), steps: steps, weight: weight))
            }
        }
        (self.paths, self.wildcardWeight, self.language) = (paths, wildcardWeight, language)
        names = Set(paths.map(\.name))
        version = specification["textIndexVersion"]?.int32 ?? 3
        languageField = Array((specification["language_override"]?.string ?? "language").utf8)
    }

    /// What tells terms apart: before version 3 diacritics did.
    var sensitivity: TextAnalyzer.Sensitivity { TextAnalyzer.Sensitivity(toDiacritics: version < 3) }

    /// The language that a document names for what is in it.
    ///
    /// - Throws: what MongoDB refuses to index: a language that is no string (17261), or that nobody knows (17262).
    func language(
        of document: RawDocument, _ outer: TextLanguage
    ) throws(CommandError) -> TextLanguage {
        guard let value = document[languageField] else { return outer }
        guard value.type == .string, let name = value.string else {
            throw CommandError(
                ErrorCode(17261), "found language override field in document with non-string type")
        }
        guard let language = TextLanguage(named: name) else {
            throw CommandError(ErrorCode(17262), "language override unsupported: \(name.prefix(100))")
        }
        return language
    }
}

extension RawDocument {
    fileprivate subscript(name: [UInt8]) -> RawValue? { self[SortStep(name: name, index: -1)] }
}
