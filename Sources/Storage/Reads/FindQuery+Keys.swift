internal import CommandModel
package import Query

// By which keys the documents of a query are found.
extension FindQuery {
    /// The same query with its choice made.
    package func choosingKeys(in collection: Collection) -> FindQuery {
        guard collection.hasIndexes, keys == nil, mayUseSecondaryKeys(of: collection) else { return self }
        let indexes = collection.readyIndexes.filter { index in
            !index.definition.isHidden && (hint.map { $0.means(index.definition) } ?? true)
        }
        var best: (index: SecondaryIndex, bounds: IndexBounds)?
        for index in indexes {
            let candidate = IndexCandidate(definition: index.definition, facts: index.facts, entries: 0)
            guard let bounds = IndexPlanner([candidate]).bounds(of: filter, in: candidate) else { continue }
            if bounds.isFull, hint == nil { continue }
            if let best, best.bounds.equalityFields >= bounds.equalityFields { continue }
            best = (index, bounds)
        }
        guard let best else { return self }
        var query = self
        query.keys = KeyScan(best.index, best.bounds.intervals, isExact: best.bounds.isExact)
        return query
    }

    private func mayUseSecondaryKeys(of collection: Collection) -> Bool {
        if isTailable || bounds != nil || filter.near != nil || isNatural { return false }
        guard hint == nil, case .points = KeyConstraint(of: filter, in: collection).shape else { return true }
        return false
    }

    private var isNatural: Bool {
        if naturalDescending || wantsNaturalOrder { return true }
        if case .natural? = sort?.order { return true }
        return false
    }
}
