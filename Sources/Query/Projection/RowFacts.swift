package import BSON

/// What a query knows of a document beside its fields: what `$meta` shows.
package struct RowFacts {
    package var recordID: Int64
    /// The sort of the query, whose values are the sort key.
    package var sort: SortPattern?
    /// Whether the document was found through the index on `_id`, the only one there is.
    package var usesIDIndex: Bool

    package init(recordID: Int64, sort: SortPattern?, usesIDIndex: Bool) {
        self.recordID = recordID
        self.sort = sort
        self.usesIDIndex = usesIDIndex
    }
}

/// What `$meta` shows of it.
enum Metadata: Sendable {
    case recordID, sortKey, indexKey

    func write(_ row: RawDocument, _ facts: RowFacts, _ key: RawKey, into builder: inout DocumentBuilder) {
        switch self {
        case .recordID: builder.append(key, Value.int64(facts.recordID))
        case .sortKey:
            builder.beginArray(key)
            for (index, value) in (facts.sort?.values(of: row) ?? []).enumerated() {
                builder.append(index: index, value)
            }
            builder.end()
        case .indexKey:
            guard facts.usesIDIndex, let id = row["_id"] else { return }
            builder.beginDocument(key)
            builder.append("_id", id)
            builder.end()
        }
    }
}
