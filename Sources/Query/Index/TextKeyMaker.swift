internal import BSON
internal import CommandModel
internal import NIOCore

/// Makes the keys of documents in text indexes, and the intervals in which a search finds them.
///
/// # Keys
///
///     the fields before the text | length of the term | term | score
///
/// A document has one key for each of its terms. Queries ask for equality only, with the fields before and the term, so
/// both are kept by a hash where they are long, and the score (the bits of a double, which is not negative, so they are
/// in its order) stands within what is never cut. The fields behind the text only narrow, and the filter does that over
/// the documents: they are not in the keys, but have one value each, as MongoDB demands.
struct TextKeyMaker {
    private static let termLimit = KeyLimit(wholeLengthMax: 128)
    private static let prefixLimit = KeyLimit(wholeLengthMax: 256)

    private let definition: IndexDefinition
    private let text: TextSpecification

    init?(_ definition: IndexDefinition) {
        guard let text = definition.text else { return nil }
        self.definition = definition
        self.text = text
    }

    func keys(of document: RawDocument) throws(CommandError) -> IndexKeys {
        var encoder = KeyEncoder()
        var isBehind = false
        for field in definition.fields {
            guard field.kind != .text else {
                isBehind = true
                continue
            }
            let value = try Self.single(document, field)
            if !isBehind { Self.append(value, field, to: &encoder) }
        }
        let prefix = Self.cut(encoder.bytes)
        var scorer = TextScorer(text)
        let scores = try scorer.score(document)
        guard scores.count <= IndexKeyMaker.keysMax else { throw IndexKeyMaker.tooManyKeys(definition) }
        let keys = scores.map { term, score in Self.key(prefix, term) + Self.bytes(score) }
        // That documents have many keys here goes without saying.
        return IndexKeys(keys.sorted { $0.lexicographicallyPrecedes($1) }.map { ByteBuffer(bytes: $0) })
    }

    // MARK: Searching

    /// - Parameter values: of the fields before the text.
    func intervals(of terms: Set<[UInt8]>, behind values: [RawValue]) -> [KeyInterval] {
        var encoder = KeyEncoder()
        for (field, value) in zip(definition.fields, values) { Self.append(value, field, to: &encoder) }
        let prefix = Self.cut(encoder.bytes)
        return terms.map { term in
            let key = Self.key(prefix, term)
            return KeyInterval(lower: key, upper: key + [0xFF])
        }.sorted { $0.lower.lexicographicallyPrecedes($1.lower) }
    }

    // MARK: Parts

    private static func key(_ prefix: [UInt8], _ term: [UInt8]) -> [UInt8] {
        let term = Array(termLimit.stored(term).readableBytesView)
        return prefix + [UInt8(truncatingIfNeeded: term.count)] + term
    }

    private static func bytes(_ score: Double) -> [UInt8] {
        withUnsafeBytes(of: score.bitPattern.bigEndian, Array.init)
    }

    /// A field that is not there is null.
    private static func append(_ value: RawValue?, _ field: IndexDefinition.Field, to encoder: inout KeyEncoder) {
        let known = value.flatMap { $0.type == .undefined ? nil : $0 } ?? .nothing(.null)
        encoder.append(known, descending: field.kind == .descending)
    }

    private static func cut(_ bytes: [UInt8]) -> [UInt8] { Array(prefixLimit.stored(bytes).readableBytesView) }

    /// The one value of a field beside the text.
    private static func single(
        _ document: RawDocument, _ field: IndexDefinition.Field
    ) throws(CommandError) -> RawValue? {
        var value: RawValue? = RawValue(type: .document, bytes: document.bytes)
        for step in field.steps {
            value = value?.document?[step]
            guard value?.type != .array else {
                throw CommandError(
                    ErrorCode(16675), "cannot have a multi-key as a prefix to a text index: \(field.path)")
            }
        }
        return value
    }
}
