internal import CStemmer

/// Snowball's stemmer of one language. It has memory of its own: one user at a time.
final class WordStemmer {
    /// Longer ones are no words, and stay as they are: some of Snowball's rules look back over the whole of a word.
    private static let wordBytesMax = 256

    private let handle: OpaquePointer

    /// Nil for a language without rules.
    init?(_ language: TextLanguage) {
        guard language != .none, let handle = sb_stemmer_new(language.rawValue, "UTF_8") else { return nil }
        self.handle = handle
    }

    deinit { sb_stemmer_delete(handle) }

    /// Puts the stem in the place of the word.
    func stem(_ word: inout [UInt8]) {
        guard word.count <= Self.wordBytesMax, let stem = sb_stemmer_stem(handle, word, Int32(word.count)) else {
            return
        }
        let count = Int(sb_stemmer_length(handle))
        guard count >= 0 else { return }
        word.removeAll(keepingCapacity: true)
        word.append(contentsOf: UnsafeBufferPointer(start: stem, count: count))
    }
}
