package import BSON
package import CommandModel
internal import NIOCore
internal import Postgres
internal import Query

extension CommandError {
    /// MongoDB's E11000 for the `_id` index, with `keyPattern` and `keyValue`.
    package static func duplicateID(in namespace: Namespace, document: Document) -> CommandError {
        document.withRaw { raw in
            let id = raw["_id"] ?? Value.nullRaw
            return duplicateKey(
                in: namespace, index: "_id_", pattern: Document { $0.append("_id", int32: 1) },
                values: Document { $0.append("_id", id) })
        }
    }

    /// MongoDB's E11000.
    ///
    /// - Parameters:
    ///   - collator: of the index. What stands in the keys for a text is shown, for that is what was there already.
    ///   - values: of the fields of the index, under their names; nil when they are not known.
    static func duplicateKey(
        in namespace: Namespace, index: String, collator: Collator? = nil, pattern: Document, values: Document?
    ) -> CommandError {
        let details = Document { builder in
            builder.append("keyPattern", document: pattern)
            if let values { builder.append("keyValue", document: values) }
        }
        let collation = collator.map { " collation: " + $0.collation.document.withRaw { ShellText.of($0) } } ?? ""
        let shown = values.map { " dup key: " + $0.showing(keysOf: collator).withRaw { ShellText.of($0) } } ?? ""
        return CommandError(
            .duplicateKey, "E11000 duplicate key error collection: \(namespace) index: \(index)\(collation)\(shown)",
            details: details)
    }
}

extension Collection {
    /// The error of a document whose key in a unique secondary index is another document's.
    func duplicateKey(_ key: ByteBuffer?, in index: SecondaryIndex, storing document: Document?) -> CommandError {
        let definition = index.definition
        var values: Document?
        if let key, let document { values = document.withRaw { definition.keyValue(of: $0, for: key) } }
        return .duplicateKey(
            in: namespace, index: definition.name, collator: definition.collator, pattern: definition.keyPattern,
            values: values)
    }

    /// The same from PostgreSQL's words; nil when they say something else.
    func duplicateKey(_ error: PostgresError, storing document: Document?) -> CommandError? {
        guard let (index, key) = violatedIndex(error) else { return nil }
        return duplicateKey(key, in: index, storing: document)
    }

    /// Which index refuses a key, and the key.
    func violatedIndex(_ error: PostgresError) -> (SecondaryIndex, key: ByteBuffer?)? {
        guard error.category == .duplicateKey, case .success(let indexes) = indexes else { return nil }
        guard let index = indexes.first(where: { error.constraint == "keys_\($0.number)_key" }) else { return nil }
        return (index, error.detail.flatMap(Self.key(inDetail:)))
    }

    /// From `Key (key)=(\x01af) already exists.`
    private static func key(inDetail detail: String) -> ByteBuffer? {
        let digits = detail.utf8.drop { $0 != UInt8(ascii: "\\") }.dropFirst(2).prefix { hexDigit($0) != nil }
        guard !digits.isEmpty, digits.count.isMultiple(of: 2) else { return nil }
        var key = ByteBuffer()
        var high: UInt8?
        for digit in digits.compactMap(hexDigit) {
            if let first = high { key.writeInteger(first << 4 | digit) }
            high = high == nil ? digit : nil
        }
        return key
    }

    private static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte &- UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte &- UInt8(ascii: "a") &+ 10
        default: nil
        }
    }
}

extension Document {
    /// The texts as the collator's keys of them.
    fileprivate func showing(keysOf collator: Collator?) -> Document {
        guard let collator else { return self }
        return withRaw { raw in
            Document { builder in
                for field in raw {
                    guard field.value.type == .string, let text = field.value.stringBytes else {
                        builder.append(field)
                        continue
                    }
                    var key: [UInt8] = []
                    collator.appendKey(of: text, to: &key)
                    let shown = key.dropLast().withUnsafeBytes(hexEncoded)
                    builder.append(field.key, Value.string("CollationKey(0x\(shown))"))
                }
            }
        }
    }
}
