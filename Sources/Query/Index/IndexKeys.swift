package import NIOCore

/// The keys of one document in one index.
package struct IndexKeys: Sendable, Equatable {
    /// Ascending, and different from each other.
    package var keys: [ByteBuffer]
    package var facts: IndexFacts

    package init(_ keys: [ByteBuffer] = [], facts: IndexFacts = IndexFacts()) {
        self.keys = keys
        self.facts = facts
    }
}

/// What the keys of an index have in common, as far as plans depend on it. Facts only grow: the catalog holds those of
/// all documents that were ever in the index, and a document that brings a new one is stored after the catalog knows.
package struct IndexFacts: Sendable, Equatable {
    /// Bit n: a document has several keys, or an array, along the path of field n.
    package var multikeyFields: UInt32
    /// There are keys that are cut: the order of those that begin alike is not that of their values.
    package var hasCutKeys: Bool

    package init(multikeyFields: UInt32 = 0, hasCutKeys: Bool = false) {
        self.multikeyFields = multikeyFields
        self.hasCutKeys = hasCutKeys
    }

    package var isMultikey: Bool { multikeyFields != 0 }

    package func isMultikey(field: Int) -> Bool { multikeyFields & (1 << UInt32(field)) != 0 }

    package func union(_ other: IndexFacts) -> IndexFacts {
        IndexFacts(
            multikeyFields: multikeyFields | other.multikeyFields, hasCutKeys: hasCutKeys || other.hasCutKeys)
    }

    package func covers(_ other: IndexFacts) -> Bool { union(other) == self }
}

/// Keys from `lower` on and below `upper`, bytewise.
package struct KeyInterval: Sendable, Equatable {
    package var lower: [UInt8]
    package var upper: [UInt8]

    package init(lower: [UInt8], upper: [UInt8]) {
        self.lower = lower
        self.upper = upper
    }
}
