internal import BSON
internal import CommandModel

/// `$text` of a filter that knows the text index of its collection: which documents match, and how well.
///
/// A document is asked by its own texts, so that a write may ask its newest version without a look at the index. Who
/// has found it by its terms (``trustsTerms``) need not have them looked for again.
final class TextCondition: Sendable {
    let search: TextSearch
    /// Nil as long as nobody knows the collection: no document matches.
    let index: IndexDefinition?
    let query: TextQuery?
    let trustsTerms: Bool

    init(_ search: TextSearch, index: IndexDefinition?, trustsTerms: Bool) throws(CommandError) {
        self.search = search
        self.index = index
        self.trustsTerms = trustsTerms
        query = try index?.text.map { text throws(CommandError) in try TextQuery(search, text) }
    }

    /// What cannot be indexed does not match.
    func matches(_ document: RawDocument) -> Bool {
        guard let query, let specification = index?.text else { return false }
        if trustsTerms { return query.isOfTermsOnly || holds(document, query, specification) }
        guard (try? index?.partialFilter?.matches(document)) ?? true else { return false }
        return score(of: document) != nil && (query.isOfTermsOnly || holds(document, query, specification))
    }

    /// The sum over the terms that are there; nil without any.
    func score(of document: RawDocument) -> Double? {
        guard let query, let specification = index?.text, !query.terms.isEmpty else { return nil }
        var scorer = TextScorer(specification)
        guard let scores = try? scorer.score(document, only: query.terms), !scores.isEmpty else {
            return nil
        }
        return TextScore.sum(Array(scores.values))
    }

    /// What the terms of an index do not tell: phrases, and all that is negated or sensitive.
    private func holds(_ document: RawDocument, _ query: TextQuery, _ specification: TextSpecification) -> Bool {
        var check = TextCheck(query)
        do throws(CommandError) {
            try specification.forEachText(of: document, &check) { text, check throws(CommandError) in
                check.look(at: text)
            }
        } catch { return false }
        return check.isPassed
    }
}

/// One walk over the texts of a document.
private struct TextCheck {
    private let query: TextQuery
    private var analyzer: TextAnalyzer
    private let looksAtWords: Bool
    private var hasTerm: Bool
    private var isRefused = false
    /// Of the phrases.
    private var found: [Bool]

    init(_ query: TextQuery) {
        self.query = query
        analyzer = TextAnalyzer(query.sensitivity)
        hasTerm = query.sensitivity == query.keySensitivity
        looksAtWords = !hasTerm || !query.negatedTerms.isEmpty
        found = query.phrases.map { _ in false }
    }

    var isPassed: Bool { hasTerm && !isRefused && !found.contains(false) }

    /// - Returns: whether the other texts may decide.
    mutating func look(at text: IndexedText) -> Bool {
        if looksAtWords { lookAtWords(of: text) }
        guard !isRefused else { return false }
        guard !query.phrases.isEmpty || !query.negatedPhrases.isEmpty else { return true }
        let folded = analyzer.folded(text.bytes)
        isRefused = query.negatedPhrases.contains { $0.isIn(folded) }
        for (index, phrase) in query.phrases.enumerated() where !found[index] { found[index] = phrase.isIn(folded) }
        return !isRefused
    }

    private mutating func lookAtWords(of text: IndexedText) {
        var tokens = TextTokens(text.bytes, in: text.language)
        while let range = tokens.next() {
            guard analyzer.analyze(UnsafeRawBufferPointer(rebasing: text.bytes[range]), text.language) else { continue }
            if query.negatedTerms.contains(analyzer.term) {
                isRefused = true
                return
            }
            if !hasTerm { hasTerm = query.exactTerms.contains(analyzer.term) }
        }
    }
}
