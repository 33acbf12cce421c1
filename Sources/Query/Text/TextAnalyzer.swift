/// Makes terms of words: what two words must have in common to be taken for one another.
///
/// A word loses its case, is left out when it is too common, is brought to its stem, and loses its diacritics, in this
/// order: rules of stems know the letters with them. It keeps its stemmers and its memory for the next word.
struct TextAnalyzer {
    struct Sensitivity: Sendable, Equatable {
        var toCase = false
        var toDiacritics = false

        /// What the keys of an index are made under.
        static let none = Sensitivity()
    }

    let sensitivity: Sensitivity
    private var stemmers: [TextLanguage: WordStemmer] = [:]
    /// The last term.
    private(set) var term: [UInt8] = []
    private var scratch: [UInt8] = []

    init(_ sensitivity: Sensitivity = .none) {
        self.sensitivity = sensitivity
    }

    /// Sets ``term``.
    ///
    /// - Returns: false for a word that has none.
    mutating func analyze(_ word: UnsafeRawBufferPointer, _ language: TextLanguage) -> Bool {
        TextScalars.foldingCase(word, hasDotlessI: language.hasDotlessI, into: &term)
        if StopWords.contains(term, in: language) { return false }
        if sensitivity.toCase {
            term.removeAll(keepingCapacity: true)
            term.append(contentsOf: word)
        }
        stemmer(of: language)?.stem(&term)
        if !sensitivity.toDiacritics { foldDiacritics() }
        return !term.isEmpty
    }

    /// The text without what this analyzer does not look at, but with all its words, as phrases are looked for.
    mutating func folded(_ text: UnsafeRawBufferPointer) -> [UInt8] {
        if sensitivity.toCase {
            term = Array(text)
        } else {
            TextScalars.foldingCase(text, hasDotlessI: false, into: &term)
        }
        if !sensitivity.toDiacritics { foldDiacritics() }
        return term
    }

    private mutating func foldDiacritics() {
        guard term.contains(where: { $0 >= 0x80 }) else { return }
        term.withUnsafeBytes { TextScalars.foldingDiacritics($0, into: &scratch) }
        swap(&term, &scratch)
    }

    private mutating func stemmer(of language: TextLanguage) -> WordStemmer? {
        if let stemmer = stemmers[language] { return stemmer }
        let stemmer = WordStemmer(language)
        stemmers[language] = stemmer
        return stemmer
    }
}
