internal import BSON
package import CommandModel

extension NearCondition {
    /// Whether an index is one of the kind that MongoDB answers it by.
    package func isServed(by definition: IndexDefinition) -> Bool {
        !definition.isHidden
            && definition.fields.contains { field in
                switch (field.kind, indexKinds) {
                case (.plane, .plane), (.plane, .either), (.sphere, .sphere), (.sphere, .either):
                    isAbout(IndexPath(field.path))
                default: false
                }
            }
    }

    /// - Throws: 16433 for a center outside of what a flat index divides.
    package func check(against definition: IndexDefinition) throws(CommandError) {
        guard let grid = definition.planeGrid, !grid.contains(center) else { return }
        throw CommandError(
            ErrorCode(16433), "point not in interval of [ \(grid.min), \(grid.max) ]: (\(center.x), \(center.y))")
    }
}

// Geographic indexes whose first field is the geometry.
extension IndexPlanner {
    /// - Parameter isHinted: all that the index has will do.
    /// - Returns: nil when the filter asks nothing that the index can tell.
    func geographicScan(
        _ position: Int, _ candidate: IndexCandidate, _ query: PlannedQuery, _ conjuncts: [IndexPredicate],
        isHinted: Bool
    ) -> PlannedScan? {
        let intervals = Self.intervals(of: candidate.definition, for: query.filter, conjuncts)
        guard let intervals = intervals ?? (isHinted ? [.everything] : nil) else { return nil }
        let bounds = IndexBounds(intervals: intervals)
        let (keys, isMeasured) = keys(in: bounds, candidate, guess: bounds.isFull ? 1 : Self.partOfRegion)
        return PlannedScan(
            position: position, bounds: bounds, isReversed: false, providesSort: false, keys: keys,
            isMeasured: isMeasured, fieldCount: candidate.definition.fields.count)
    }

    /// A guess at how much of everything lies in a region that somebody asks for.
    private static let partOfRegion = 0.1

    private static func intervals(
        of definition: IndexDefinition, for filter: Filter, _ conjuncts: [IndexPredicate]
    ) -> [KeyInterval]? {
        guard let field = definition.fields.first, field.kind == .sphere || field.kind == .plane else { return nil }
        let path = IndexPath(field.path)
        for case .test(let condition) in conjuncts where condition.path == path && !condition.isNegated {
            guard case .geometry(let predicate) = condition.test else { continue }
            let intervals = predicate._withUnsafeGuaranteedRef { $0.intervals(of: field.kind, in: definition) }
            if let intervals { return intervals }
        }
        guard let near = filter.near, near.isAbout(path) else { return nil }
        return near.intervals(of: field.kind, in: definition)
    }
}
