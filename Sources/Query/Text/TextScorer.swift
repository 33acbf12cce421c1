internal import BSON
internal import CommandModel

/// How much the terms of a document's texts say about it.
///
/// # Score
///
/// In a text of n words (those that are too common not counted) a term that stands there k times scores
///
///     (1 + 1/2 + 1/4 + … k summands) · (1/2 + k/2n)
///
/// times the weight of the field, a tenth more when it is the whole text; a document's score is the sum over its texts
/// and over the terms that are looked for. The formula is MongoDB's, as its results show it.
struct TextScorer {
    private let specification: TextSpecification
    private var analyzer: TextAnalyzer
    private(set) var scores: [[UInt8]: Double] = [:]

    struct Occurrences {
        var count = 0.0
        var frequency = 0.0
        /// What the next one adds to ``frequency``.
        var next = 1.0
    }

    private var occurrences: [[UInt8]: Occurrences] = [:]

    init(_ specification: TextSpecification) {
        self.specification = specification
        analyzer = TextAnalyzer(specification.sensitivity)
    }

    /// The terms of a document and the score of each.
    ///
    /// - Parameter only: the terms that are wanted; nil for all.
    mutating func score(
        _ document: RawDocument, only: Set<[UInt8]>? = nil
    ) throws(CommandError) -> [[UInt8]: Double] {
        let specification = specification
        scores.removeAll(keepingCapacity: true)
        try specification.forEachText(of: document, &self) { text, scorer throws(CommandError) in
            try scorer.add(text, only)
            return true
        }
        return scores
    }

    private mutating func add(_ text: IndexedText, _ only: Set<[UInt8]>?) throws(CommandError) {
        occurrences.removeAll(keepingCapacity: true)
        var words = 0
        var tokens = TextTokens(text.bytes, in: text.language)
        while let range = tokens.next() {
            let word = UnsafeRawBufferPointer(rebasing: text.bytes[range])
            guard analyzer.analyze(word, text.language) else { continue }
            words += 1
            guard only?.contains(analyzer.term) ?? true else { continue }
            occurrences[analyzer.term, default: Occurrences()].add()
        }
        for (term, found) in occurrences {
            let part = 0.5 + 0.5 * found.count / Double(words)
            let isWhole = words == 1 && Self.isWhole(term, text.bytes)
            scores[term, default: 0] += text.weight * found.frequency * part * (isWhole ? 1.1 : 1)
        }
    }

    private static func isWhole(_ term: [UInt8], _ text: UnsafeRawBufferPointer) -> Bool {
        term.count == text.count && zip(term, text).allSatisfy { $0 == $1 | ($1 &- 0x41 < 26 ? 0x20 : 0) }
    }
}

extension TextScorer.Occurrences {
    mutating func add() {
        count += 1
        frequency += next
        next /= 2
    }
}
