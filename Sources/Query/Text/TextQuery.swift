internal import CommandModel

/// What a text search looks for: words of which one must be there, and words and phrases that must or must not be.
///
/// # Syntax
///
/// Words in quotation marks are a phrase, which must be there as it is written; its words count among the others as
/// well. A minus sign before a word or a phrase, and behind white space, negates it; between two words it is a
/// delimiter, so that what is negated reaches to the next white space.
struct TextQuery: Sendable {
    /// As the keys of an index have them.
    private(set) var terms: Set<[UInt8]> = []
    /// As the search has them, where it minds case or diacritics.
    private(set) var exactTerms: Set<[UInt8]> = []
    private(set) var negatedTerms: Set<[UInt8]> = []
    /// Folded as the search allows.
    private(set) var phrases: [TextPhrase] = []
    private(set) var negatedPhrases: [TextPhrase] = []
    let language: TextLanguage
    /// That of the search; that of the index where it minds more.
    let sensitivity: TextAnalyzer.Sensitivity
    let keySensitivity: TextAnalyzer.Sensitivity

    /// Each is an interval of keys.
    private static let termsMax = 10_000

    init(_ search: TextSearch, _ index: TextSpecification) throws(CommandError) {
        language = search.language ?? index.language
        keySensitivity = index.sensitivity
        sensitivity = TextAnalyzer.Sensitivity(
            toCase: search.sensitivity.toCase,
            toDiacritics: search.sensitivity.toDiacritics || keySensitivity.toDiacritics)
        var text = search.search
        text.makeContiguousUTF8()
        let bytes = Array(text.utf8)
        var parser = TextQueryParser(language, sensitivity, keys: keySensitivity)
        bytes.withUnsafeBytes { parser.parse($0) }
        (terms, exactTerms, negatedTerms) = (parser.terms, parser.exactTerms, parser.negatedTerms)
        (phrases, negatedPhrases) = (parser.phrases, parser.negatedPhrases)
        guard terms.count + negatedTerms.count + phrases.count + negatedPhrases.count <= Self.termsMax else {
            throw CommandError(.badValue, "$text looks for more than \(Self.termsMax) words and phrases")
        }
    }

    /// Whether a document that has one of the ``terms`` is what is looked for, without a look at its texts.
    var isOfTermsOnly: Bool {
        negatedTerms.isEmpty && phrases.isEmpty && negatedPhrases.isEmpty && sensitivity == keySensitivity
    }
}

private struct TextQueryParser {
    var terms: Set<[UInt8]> = []
    var exactTerms: Set<[UInt8]> = []
    var negatedTerms: Set<[UInt8]> = []
    var phrases: [TextPhrase] = []
    var negatedPhrases: [TextPhrase] = []
    private let language: TextLanguage
    private var analyzer: TextAnalyzer
    private var exact: TextAnalyzer

    init(_ language: TextLanguage, _ sensitivity: TextAnalyzer.Sensitivity, keys: TextAnalyzer.Sensitivity) {
        self.language = language
        analyzer = TextAnalyzer(keys)
        exact = TextAnalyzer(sensitivity)
    }

    mutating func parse(_ text: UnsafeRawBufferPointer) {
        var isNegated = false
        var isBehindSpace = true
        var wordStart = 0
        var offset = 0
        while offset < text.count {
            let byte = text[offset]
            switch byte {
            case UInt8(ascii: "\""):
                addWords(text, wordStart..<offset, isNegated)
                let rest = text[(offset + 1)...]
                if let end = rest.firstIndex(of: UInt8(ascii: "\"")) {
                    addPhrase(text, offset + 1..<end, isNegated)
                    offset = end
                }
                (wordStart, isBehindSpace) = (offset + 1, false)
            case UInt8(ascii: "-") where isBehindSpace:
                addWords(text, wordStart..<offset, isNegated)
                (isNegated, isBehindSpace, wordStart) = (true, false, offset + 1)
            case 0, 9, 10, 11, 12, 13, UInt8(ascii: " "):
                addWords(text, wordStart..<offset, isNegated)
                (isNegated, isBehindSpace, wordStart) = (false, true, offset + 1)
            default: isBehindSpace = false
            }
            offset += 1
        }
        addWords(text, wordStart..<text.count, isNegated)
    }

    private mutating func addPhrase(_ text: UnsafeRawBufferPointer, _ range: Range<Int>, _ isNegated: Bool) {
        let phrase = UnsafeRawBufferPointer(rebasing: text[range])
        guard !phrase.isEmpty else { return }
        let folded = TextPhrase(exact.folded(phrase))
        if isNegated { return negatedPhrases.append(folded) }
        phrases.append(folded)
        addWords(text, range, false)
    }

    private mutating func addWords(_ text: UnsafeRawBufferPointer, _ range: Range<Int>, _ isNegated: Bool) {
        guard !range.isEmpty else { return }
        let part = UnsafeRawBufferPointer(rebasing: text[range])
        var tokens = TextTokens(part, in: language)
        while let range = tokens.next() {
            let word = UnsafeRawBufferPointer(rebasing: part[range])
            guard exact.analyze(word, language) else { continue }
            if isNegated {
                negatedTerms.insert(exact.term)
            } else if analyzer.analyze(word, language) {
                exactTerms.insert(exact.term)
                terms.insert(analyzer.term)
            }
        }
    }
}
