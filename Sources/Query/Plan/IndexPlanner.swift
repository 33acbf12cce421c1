/// Chooses how the documents of a query are found.
package struct IndexPlanner: Sendable {
    /// Indexes that are ready, in the order in which they were made.
    package let candidates: [IndexCandidate]

    /// Whether plans tell bounds as `explain` shows them.
    package let describesBounds: Bool

    package init(_ candidates: [IndexCandidate], describesBounds: Bool = false) {
        self.candidates = candidates
        self.describesBounds = describesBounds
    }

    /// The keys that a filter needs of one index; nil when the index does not hold all documents that match.
    package func bounds(of filter: Filter, in candidate: IndexCandidate) -> IndexBounds? {
        withExtendedLifetime(filter.program) {
            let builder = BoundsBuilder(candidate, filterCollator: filter.collator, describes: describesBounds)
            let demands = builder.demands(of: filter.indexPredicates)
            guard candidate.definition.holdsMatches(of: filter, demands) else { return nil }
            return builder.bounds(demands)
        }
    }
}

extension IndexDefinition {
    func holdsMatches(of filter: Filter, _ demands: BoundsBuilder.Demands) -> Bool {
        guard fields.allSatisfy({ $0.kind == .ascending || $0.kind == .descending }) else { return false }
        if isHidden || partialFilter != nil { return false }
        return !isSparse || demands.provesPresence
    }
}
