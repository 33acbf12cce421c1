/// What an index is to be on, as far as its specification must suit it.
package struct IndexTarget: Sendable {
    package enum Kind: Sendable, Equatable {
        case plain
        case capped
        /// Kept in the order of `_id`, which has no other index.
        case clustered
        case timeseries(time: String, meta: String?)
    }

    package let kind: Kind
    /// Of the collection: an index that names none has the same.
    package let collator: Collator?
    /// Fields of a specification that nobody knows are left out, instead of refused.
    package var ignoresUnknownOptions: Bool

    package init(kind: Kind = .plain, collator: Collator? = nil, ignoresUnknownOptions: Bool = false) {
        self.kind = kind
        self.collator = collator
        self.ignoresUnknownOptions = ignoresUnknownOptions
    }
}

extension IndexTarget {
    /// Whether `path` is the field of a time series that names what is measured, or lies within it.
    func isMeta(_ path: String) -> Bool {
        guard case .timeseries(_, let meta?) = kind else { return false }
        return path == meta || path.utf8.starts(with: (meta + ".").utf8)
    }
}
