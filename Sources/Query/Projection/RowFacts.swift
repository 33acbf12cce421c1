package import BSON

/// What a query knows of a document beside its fields: what `$meta` shows.
package struct RowFacts {
    package var recordID: Int64
    /// The sort of the query, whose values are the sort key.
    package var sort: SortPattern?
    /// The fields of the key by which the document was found; nil where no index was used.
    package var indexKey: Document?

    package init(recordID: Int64, sort: SortPattern?, indexKey: Document?) {
        self.recordID = recordID
        self.sort = sort
        self.indexKey = indexKey
    }
}

/// What `$meta` shows of it.
enum Metadata: Sendable {
    case recordID, sortKey, indexKey
    /// What may be asked for where nobody knows it.
    case nothing

    func write(_ row: RawDocument, _ facts: RowFacts, _ key: RawKey, into builder: inout DocumentBuilder) {
        switch self {
        case .nothing: return
        case .recordID: builder.append(key, Value.int64(facts.recordID))
        case .sortKey:
            builder.beginArray(key)
            for (index, value) in (facts.sort?.values(of: row) ?? []).enumerated() {
                builder.append(index: index, value)
            }
            builder.end()
        case .indexKey:
            if let indexKey = facts.indexKey { builder.append(key, .document(indexKey)) }
        }
    }
}
