package import BSON
package import CommandModel
package import NIOCore

extension IndexDefinition {
    /// The keys of the document in the index, and what is special about them.
    ///
    /// - Throws: what MongoDB refuses to index: arrays in more than one field (171), arrays in a hashed index (16766),
    ///   an index into an array whose elements have a field of that name (16746).
    package func keys(of document: RawDocument) throws(CommandError) -> IndexKeys {
        var maker = IndexKeyMaker(self)
        return try maker.keys(of: document)
    }

    /// Whether ``keyValue(of:for:)`` knows what stands in the keys.
    package var showsKeys: Bool {
        fields.allSatisfy { [.ascending, .descending, .hashed].contains($0.kind) }
    }

    /// The values of the key `key` of the document, by the fields of the key pattern: what an error shows of a key that
    /// is there already, and what `returnKey` does. Empty when the document has no such key.
    package func keyValue(of document: RawDocument, for key: ByteBuffer) -> Document {
        var maker = IndexKeyMaker(self)
        guard let values = try? maker.values(of: document, for: key) else { return .empty }
        return keyPattern.withRaw { pattern in
            Document { builder in
                for (place, (field, value)) in zip(pattern, values).enumerated() {
                    let isHashed = fields.indices.contains(place) && fields[place].kind == .hashed
                    builder.append(field.key, isHashed ? .int64(value.hash(collator)) : value)
                }
            }
        }
    }
}

extension Value {
    fileprivate func hash(_ collator: Collator?) -> Int64 {
        withRaw { HashedIndexKey.of($0, collator: collator) }
    }
}
