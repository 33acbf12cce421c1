internal import BSON

// Wildcard indexes with one field: a query uses them as an index on one of its paths. See ``WildcardPath`` for what the
// keys of a path can answer.
extension IndexPlanner {
    /// The narrowest scan for one path of the filter; nil when no condition can be answered by the keys of its path.
    func wildcardScan(
        _ position: Int, _ candidate: IndexCandidate, _ query: PlannedQuery, _ conjuncts: [IndexPredicate]
    ) -> PlannedScan? {
        guard candidate.definition.fields.count == 1, let scope = candidate.definition.wildcardScope else { return nil }
        let order = KeyOrder(index: candidate.definition.collator, filter: query.filter.collator)
        let isMultikey = candidate.facts.isMultikey
        var best: PlannedScan?
        for path in Self.paths(of: conjuncts) {
            let name = String(decoding: path.bytes, as: UTF8.self)
            guard scope.covers(name), !isMultikey || !path.hasNumber else { continue }
            let field = IndexedField(path: path, isMultikey: isMultikey, order: order)
            for constraint in conjuncts.flatMap({ $0.constraints(on: field) }) {
                guard let bounds = Self.bounds(constraint, at: name, isOnly: conjuncts.count == 1 && !isMultikey)
                else { continue }
                let (keys, isMeasured) = keys(in: bounds, candidate, guess: constraint.width)
                if let best, best.keys <= keys { continue }
                best = PlannedScan(
                    position: position, bounds: bounds, isReversed: false, providesSort: false, keys: keys,
                    isMeasured: isMeasured, fieldCount: candidate.definition.fields.count)
            }
        }
        return best
    }

    /// The paths that single conditions are about.
    private static func paths(of conjuncts: [IndexPredicate]) -> [IndexPath] {
        conjuncts.flatMap { conjunct -> [IndexPath] in
            switch conjunct {
            case .test(let condition): [condition.path]
            case .all(let members), .any(let members), .element(_, let members): paths(of: members)
            default: []
            }
        }
    }

    private static func bounds(_ constraint: FieldConstraint, at path: String, isOnly: Bool) -> IndexBounds? {
        // Nothing stands for a path that is not there.
        guard constraint.provesPresence else { return nil }
        let place = WildcardPath(path)
        if constraint.set.isEverything {
            return IndexBounds(intervals: [place.subtree])
        }
        // Documents and arrays have no keys themselves.
        let containers = IntervalSet([ValueInterval.bracket(of: .document), ValueInterval.bracket(of: .array)])
        guard constraint.set.intersection(containers).isEmpty, !constraint.set.contains(.null) else { return nil }
        var keys = KeyIntervals(behind: place.own)
        keys.append(constraint.set, isDescending: false)
        let intervals = keys.finish()
        var bounds = IndexBounds(
            intervals: intervals, isExact: isOnly && constraint.isExact && !keys.isWidened,
            isOfWholeKeys: keys.isOfPoints && !keys.isWidened)
        bounds.equalityFields = constraint.set.onlyPoint == nil ? 0 : 1
        bounds.pointFields = constraint.set.isOfPoints ? 1 : 0
        return bounds
    }
}
