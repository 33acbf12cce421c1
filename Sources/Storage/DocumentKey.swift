package import BSON
package import NIOCore
package import Query

/// The `id` column of a document: the order-preserving encoding of its `_id`.
///
/// PostgreSQL refuses a B-tree entry over about 2.7 kB, MongoDB has no such limit: a longer encoding is stored as its
/// first ``prefixLength`` bytes and the SHA-256 of the whole. A cut key is longer than any whole one, so the two never
/// collide; two cut keys are equal when their values are; their mutual order is the prefix's, and hash order beyond.
package enum DocumentKey {
    static let wholeLengthMax = 2_000
    static let prefixLength = wholeLengthMax
    private static let limit = KeyLimit(wholeLengthMax: wholeLengthMax)

    /// - Parameter collator: that of the collection.
    package static func encode(_ id: RawValue, collator: Collator?) -> ByteBuffer {
        limit.stored(ValueOrder(collator).key(of: id))
    }

    /// Whether the value of this key was too long to be held whole.
    package static func isCut(_ key: ByteBuffer) -> Bool { limit.isCut(key) }
}

extension Collection {
    /// The key of the document with this `_id`. Strings that the collection's collation makes no difference between
    /// are one key, so that its primary key is as unique as MongoDB's index on `_id` there.
    package func key(of id: RawValue) -> ByteBuffer { DocumentKey.encode(id, collator: collator) }

    package func key(of id: Value) -> ByteBuffer { id.withRaw { key(of: $0) } }

    /// The key of the document's own `_id`; null stands for a missing one, which no stored document has.
    package func key(ofDocument document: RawDocument) -> ByteBuffer {
        guard let id = document["_id"] else { return key(of: .null) }
        return key(of: id)
    }
}
