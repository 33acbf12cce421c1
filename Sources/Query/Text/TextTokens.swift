/// The words of a text, one after the other, as ranges of its bytes.
struct TextTokens {
    private let text: UnsafeRawBufferPointer
    private let joinsByApostrophe: Bool
    private var offset: Int

    private static let apostrophe: UInt32 = 0x27

    init(_ text: UnsafeRawBufferPointer, in language: TextLanguage) {
        self.text = text
        offset = 0
        joinsByApostrophe = language.joinsByApostrophe
    }

    mutating func next() -> Range<Int>? {
        while let start = skipDelimiters() {
            // Behind the last character that is no apostrophe.
            var end = start
            while offset < text.count {
                let here = offset
                let scalar = TextScalars.decode(text, &offset)
                if scalar == Self.apostrophe, joinsByApostrophe { continue }
                if TextScalars.isDelimiter(scalar) {
                    offset = here
                    break
                }
                end = offset
            }
            if end > start { return start..<end }
        }
        return nil
    }

    /// - Returns: where the next word begins.
    private mutating func skipDelimiters() -> Int? {
        while offset < text.count {
            let here = offset
            if !TextScalars.isDelimiter(TextScalars.decode(text, &offset)) {
                offset = here
                return here
            }
        }
        return nil
    }
}
