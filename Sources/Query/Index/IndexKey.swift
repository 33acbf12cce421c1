package import BSON
package import NIOCore

/// Writes the stored form of a key: the encodings of its fields, one after the other, cut where it is too long.
///
/// The encoding of a field that is longer than a key may be is cut by itself before the fields are put together, so
/// that a document with a long field and an array of many elements costs one hash of the long field, not one for each
/// element. Nothing in the order changes: the first ``wholeLengthMax`` bytes of a key are those of the whole one.
///
/// Whoever looks for a key writes it in the same way: ``append(_:kind:collator:)`` for each field, then ``finish()``.
package struct IndexKey {
    /// Key and `id` must fit into one B-tree entry.
    package static let wholeLengthMax = 600
    static let limit = KeyLimit(wholeLengthMax: wholeLengthMax)

    package static func isCut(_ key: ByteBuffer) -> Bool { limit.isCut(key) }

    private var encoder = KeyEncoder()

    package init() {}

    /// The next field's value; nil for one that is not there.
    package mutating func append(_ value: RawValue?, kind: IndexDefinition.Field.Kind, collator: Collator?) {
        let start = encoder.bytes.count
        encoder.append(value, kind: kind, collator: collator)
        Self.limit.apply(to: &encoder.bytes, from: start)
    }

    package consuming func finish() -> ByteBuffer { Self.limit.stored(encoder.bytes) }
}

extension KeyEncoder {
    /// The value as a field of an index that has one value for a path.
    mutating func append(_ value: RawValue?, kind: IndexDefinition.Field.Kind, collator: Collator?) {
        if kind == .hashed {
            append(hash: HashedIndexKey.of(value, collator: collator))
        } else if let value {
            append(value, descending: kind == .descending, collator: collator)
        } else {
            appendMissing(descending: kind == .descending)
        }
    }

    private mutating func append(hash: Int64) {
        withUnsafeBytes(of: hash.littleEndian) { append(RawValue(type: .int64, bytes: $0)) }
    }
}
