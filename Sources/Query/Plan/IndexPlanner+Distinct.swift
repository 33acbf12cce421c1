internal import BSON

/// The values of one field, each by one of the documents that have it.
package struct DistinctDemand: Sendable {
    package let path: String
    /// Values that it makes no difference between count as one.
    package let collator: Collator?

    package init(path: String, collator: Collator?) {
        self.path = path
        self.collator = collator
    }
}

// Walks from one value of a field to the next one. Each step is a search in the tree of the index, so that the walk
// pays as long as there are fewer values than keys.
extension IndexPlanner {
    /// A step costs as much as reading so many keys one after the other.
    private static let stepCost = 5.0

    /// Where the keys have what is asked for: the field has one value in each document, and all keys in the bounds
    /// belong to documents that match.
    func distinctScan(_ query: PlannedQuery, _ conjuncts: [IndexPredicate]) -> IndexScan? {
        guard let demand = query.request.distinct else { return nil }
        var best: PlannedScan?
        for (position, candidate) in candidates.enumerated() {
            if let hint = query.request.hint, !hint.means(candidate.definition) { continue }
            guard let place = place(of: demand, in: candidate),
                var scan = scan(position, candidate, query, conjuncts, isHinted: false),
                scan.bounds.isExact, scan.bounds.equalityFields >= place, !scan.bounds.intervals.isEmpty,
                query.sort == nil || scan.providesSort && scan.mergedFields == 0
            else { continue }
            scan.distinctFields = place + 1
            if pays(scan, candidate), best.map({ scan.keys < $0.keys }) ?? true { best = scan }
        }
        return best?.plan
    }

    private func place(of demand: DistinctDemand, in candidate: IndexCandidate) -> Int? {
        let definition = candidate.definition
        // Cut keys have no values in them, and what another collation holds for one may be several.
        guard !candidate.facts.hasCutKeys,
            definition.collator == nil || definition.collator?.collation == demand.collator?.collation
        else { return nil }
        return definition.fields.enumerated().first { place, field in
            field.path == demand.path && !candidate.facts.isMultikey(field: place)
                && (field.kind == .ascending || field.kind == .descending)
        }?.offset
    }

    private func pays(_ scan: PlannedScan, _ candidate: IndexCandidate) -> Bool {
        guard scan.distinctFields == scan.fieldCount, let statistics = candidate.statistics else { return true }
        return statistics.distinctKeys * Self.stepCost < statistics.entries
    }
}
