/// An index that a query may use: what it is, and what is known of its keys.
package struct IndexCandidate: Sendable {
    package let definition: IndexDefinition
    package let facts: IndexFacts
    /// nil where PostgreSQL has none, or where the collection is small.
    package let statistics: KeyStatistics?

    package init(definition: IndexDefinition, facts: IndexFacts, statistics: KeyStatistics? = nil) {
        self.definition = definition
        self.facts = facts
        self.statistics = statistics
    }
}

/// The keys of an index that a query needs.
package struct IndexBounds: Sendable {
    /// Ascending and disjoint. Every document that matches has a key in one of them.
    package let intervals: [KeyInterval]
    /// The other way round: every document with a key in them matches, so that it need not be asked.
    package let isExact: Bool
    /// Each interval holds no key but its lower bound: equality with all fields.
    package let isOfWholeKeys: Bool
    /// Per field of the index, as `explain` shows them.
    package let fieldBounds: [FieldBounds]
    /// How many fields, from the first one on, have one value each.
    package var equalityFields = 0
    /// How many fields, from the first one on, have values but no ranges.
    package var pointFields = 0
    /// How many bytes of each interval's bounds are those of fields with several values each, where the order of what
    /// comes behind is asked for; see ``IndexScan/mergedFields``.
    package var mergedBytes: [Int] = []

    package init(
        intervals: [KeyInterval], isExact: Bool = false, isOfWholeKeys: Bool = false, fieldBounds: [FieldBounds] = []
    ) {
        self.intervals = intervals
        self.isExact = isExact
        self.isOfWholeKeys = isOfWholeKeys
        self.fieldBounds = fieldBounds
    }

    /// All keys.
    package var isFull: Bool { intervals == [.everything] }
}

/// What a query demands of one field of an index.
package struct FieldBounds: Sendable, Equatable {
    package let path: String
    /// MongoDB's text form: `[1, 5)`, in the order in which the index has them.
    package let intervals: [String]

    package init(path: String, intervals: [String]) {
        self.path = path
        self.intervals = intervals
    }
}

/// How the documents of a query are found.
package enum AccessPlan: Sendable {
    /// By the table of the documents itself, narrowed by what the filter says of `_id`.
    case collection
    case index(IndexScan)
    /// `$or`: the documents of all of these, each once, in no order.
    case union([IndexScan])
    /// `$text`: the documents that have one of its words.
    case text(IndexScan)
    /// `$or` with a `$text`: the documents of all of these, each once.
    case textUnion([IndexScan])
    /// No document can match.
    case nothing
}

/// One walk over the keys of one index.
package struct IndexScan: Sendable {
    /// Of the index, among the candidates.
    package let position: Int
    package let bounds: IndexBounds
    /// Keys come from the last one to the first.
    package let isReversed: Bool
    /// Documents come in the order that the query asked for; of several keys of a document the first one counts.
    package let providesSort: Bool
    /// That order is the one behind so many fields, which have several values each: the walks through these values,
    /// each in the order asked for, are to be merged. 0 for the order of the keys.
    package var mergedFields = 0
    /// Of all keys with the same first values the first one only, by so many fields; 0 for all keys.
    package var distinctFields = 0
    /// About how many keys are in the bounds; nil where there are no statistics.
    package var expectedKeys: Double?
}

extension KeyInterval {
    /// No key is empty, and none begins with FF.
    package static let everything = KeyInterval(lower: [], upper: [0xFF])
}
