import Testing

@testable import Query

@Suite("Words and terms")
struct TextAnalysisTests {
    private func words(_ text: String, _ language: TextLanguage = .none) -> [String] {
        var text = text
        return text.withUTF8 { bytes in
            let raw = UnsafeRawBufferPointer(bytes)
            var tokens = TextTokens(raw, in: language)
            var words: [String] = []
            while let range = tokens.next() { words.append(String(decoding: raw[range], as: UTF8.self)) }
            return words
        }
    }

    private func terms(
        _ text: String, _ language: TextLanguage, _ sensitivity: TextAnalyzer.Sensitivity = .none
    ) -> [String] {
        var analyzer = TextAnalyzer(sensitivity)
        var text = text
        return text.withUTF8 { bytes in
            let raw = UnsafeRawBufferPointer(bytes)
            var tokens = TextTokens(raw, in: language)
            var terms: [String] = []
            while let range = tokens.next() {
                guard analyzer.analyze(UnsafeRawBufferPointer(rebasing: raw[range]), language) else { continue }
                terms.append(String(decoding: analyzer.term, as: UTF8.self))
            }
            return terms
        }
    }

    @Test(
        "white space, punctuation and symbols of syntax end a word, letters of any script do not",
        arguments: [
            ("", []), ("  ", []), ("one", ["one"]), (" one\ttwo\u{0}three ", ["one", "two", "three"]),
            ("hello@world,$price #tag", ["hello", "world", "price", "tag"]),
            ("well-known\u{2014}fact", ["well", "known", "fact"]),
            ("«meilleur» “joueur”", ["meilleur", "joueur"]), ("数据库系统。世界", ["数据库系统", "世界"]),
            ("a_b c\u{301}d", ["a_b", "c\u{301}d"]), ("x\u{a0}y\u{3000}z", ["x", "y", "z"]),
            ("\u{1F600}smile", ["\u{1F600}smile"]),
        ] as [(String, [String])])
    func tokens(_ text: String, _ expected: [String]) {
        #expect(words(text) == expected)
    }

    @Test("an apostrophe joins in English and ends a word elsewhere")
    func apostrophes() {
        #expect(words("don't 'quote' rock'n'roll ''", .english) == ["don't", "quote", "rock'n'roll"])
        #expect(words("l'eau qu'il", .french) == ["l", "eau", "qu", "il"])
        #expect(words("don't") == ["don", "t"])
    }

    @Test(
        "terms are without case, common words, endings and diacritics",
        arguments: [
            ("The RUNNING of blueberries", .english, ["run", "blueberri"]), ("don't it's", .english, []),
            ("the Running", .none, ["the", "running"]),
            ("Café CAFÉ cafe cafe\u{301}", .english, ["cafe", "cafe", "cafe", "cafe"]),
            ("je cours courant", .french, ["cour", "cour"]), ("corriendo correr", .spanish, ["corr", "corr"]),
            ("Сырники и сырник", .russian, ["сырник", "сырник"]), ("ΣΊΣΥΦΟΣ", .none, ["σισυφοσ"]),
            ("IĞDIR ığdır", .turkish, ["ık", "ık"]), ("Ångström ångström", .none, ["angstrom", "angstrom"]),
            ("Häuser", .german, ["haus"]), ("Ł Ø", .none, ["ł", "ø"]),
        ] as [(String, TextLanguage, [String])])
    func analysis(_ text: String, _ language: TextLanguage, _ expected: [String]) {
        #expect(terms(text, language) == expected)
    }

    @Test("who minds case or diacritics keeps them")
    func sensitivity() {
        #expect(terms("Café THE", .english, .init(toCase: true)) == ["Cafe"])
        #expect(terms("Café", .english, .init(toDiacritics: true)) == ["café"])
        #expect(terms("Café", .english, .init(toCase: true, toDiacritics: true)) == ["Café"])
    }

    @Test("languages go by name and by code, in any case; each stems, and all but two leave out common words")
    func languages() {
        #expect(TextLanguage(named: "ENGLISH") == .english && TextLanguage(named: "nb") == .norwegian)
        #expect(TextLanguage(named: "klingon") == nil && TextLanguage(named: "") == nil)
        #expect(TextLanguage(named: String(repeating: "e", count: 1_000_000)) == nil)
        for language in TextLanguage.allCases where language != .none { #expect(WordStemmer(language) != nil) }
        #expect(WordStemmer(.none) == nil)
        let common: [(TextLanguage, String)] = [
            (.danish, "og"), (.dutch, "het"), (.english, "the"), (.finnish, "ja"), (.french, "des"), (.german, "und"),
            (.hungarian, "egy"), (.italian, "della"), (.norwegian, "og"), (.portuguese, "uma"), (.russian, "что"),
            (.spanish, "los"), (.swedish, "och"), (.turkish, "ve"),
        ]
        for (language, word) in common { #expect(StopWords.contains(Array(word.utf8), in: language), "\(word)") }
        #expect(!StopWords.contains(Array("the".utf8), in: .none))
    }

    @Test("a word of any length is taken in time that its length bounds")
    func longWords() {
        let word = String(repeating: "ies", count: 400_000)
        #expect(terms(word, .english) == [word])
    }

    @Test("phrases are found as a naive search finds them")
    func phrases() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        func text(_ length: Int) -> [UInt8] { (0..<length).map { _ in UInt8.random(in: 97...98, using: &random) } }
        for _ in 0..<3_000 {
            let (phrase, text) = (
                text(Int.random(in: 0..<6, using: &random)), text(Int.random(in: 0..<24, using: &random))
            )
            let isThere = phrase.isEmpty || text.indices.contains { text[$0...].starts(with: phrase) }
            #expect(TextPhrase(phrase).isIn(text) == isThere, "seed \(seed): \(phrase) in \(text)")
        }
    }
}
