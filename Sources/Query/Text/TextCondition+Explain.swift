package import BSON

extension Filter {
    /// What `explain` tells of the filter's `$text`: the index, and what is looked for.
    package var textExplanation: Document {
        guard let text = program.text, let index = text.index, let query = text.query else { return .empty }
        return Document { builder in
            builder.append("indexName", string: index.name)
            builder.beginDocument("parsedTextQuery")
            Self.write("terms", query.terms.map { $0 }, into: &builder)
            Self.write("negatedTerms", query.negatedTerms.map { $0 }, into: &builder)
            Self.write("phrases", query.phrases.map(\.bytes), into: &builder)
            Self.write("negatedPhrases", query.negatedPhrases.map(\.bytes), into: &builder)
            builder.end()
            builder.append("textIndexVersion", int32: index.text?.version ?? 3)
        }
    }

    private static func write(_ name: StaticString, _ words: [[UInt8]], into builder: inout DocumentBuilder) {
        builder.beginArray(name)
        let texts = words.map { String(decoding: $0, as: UTF8.self) }.sorted()
        for (index, word) in texts.enumerated() { builder.append(index: index, string: word) }
        builder.end()
    }
}
