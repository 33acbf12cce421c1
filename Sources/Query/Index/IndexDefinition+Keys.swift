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

    /// The values of the key `key` of the document, by the fields of the key pattern: what an error shows of a key that
    /// is there already. Empty when the document has no such key.
    package func keyValue(of document: RawDocument, for key: ByteBuffer) -> Document {
        var maker = IndexKeyMaker(self)
        guard let values = try? maker.values(of: document, for: key) else { return .empty }
        return keyPattern.withRaw { pattern in
            Document { builder in
                for (field, value) in zip(pattern, values) { builder.append(field.key, value) }
            }
        }
    }
}
