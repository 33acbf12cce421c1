internal import BSON
package import CommandModel

// `$text`: its documents are found by the one text index, by equality with the fields before the text and with each of
// its words. No other condition is ever answered by that index.
extension IndexPlanner {
    /// - Parameter filter: bound to the index.
    /// - Throws: NoQueryExecutionPlans (291) when the index does not find all documents that match.
    func textPlan(
        _ condition: TextCondition, _ query: PlannedQuery, _ conjuncts: [IndexPredicate]
    ) throws(CommandError) -> AccessPlan {
        guard let position = candidates.firstIndex(where: { $0.definition.name == condition.index?.name }) else {
            throw .textIndexMissing
        }
        if conjuncts.contains(where: \.isText) {
            guard let scan = textScan(condition, position, conjuncts, query) else { throw .noTextPlan }
            return scan.bounds.intervals.isEmpty ? .nothing : .text(scan)
        }
        for (place, conjunct) in conjuncts.enumerated() {
            guard case .any(let branches) = conjunct, branches.contains(where: \.holdsText) else { continue }
            var rest = conjuncts
            rest.remove(at: place)
            return try textUnion(condition, position, branches, rest, query)
        }
        throw .noTextPlan
    }

    /// `$or`: each branch has an index of its own.
    private func textUnion(
        _ condition: TextCondition, _ position: Int, _ branches: [IndexPredicate], _ rest: [IndexPredicate],
        _ query: PlannedQuery
    ) throws(CommandError) -> AccessPlan {
        var scans: [IndexScan] = []
        for branch in branches {
            let conjuncts = rest + IndexPredicate.conjuncts(of: branch)
            let scan: IndexScan?
            if conjuncts.contains(where: \.isText) {
                scan = textScan(condition, position, conjuncts, query)
            } else {
                scan = branch.holdsText ? nil : best(for: conjuncts, query)
            }
            guard let scan else { throw .noTextPlan }
            if !scan.bounds.intervals.isEmpty { scans.append(scan) }
        }
        return scans.isEmpty ? .nothing : .textUnion(scans)
    }

    private func best(for conjuncts: [IndexPredicate], _ query: PlannedQuery) -> IndexScan? {
        var best: PlannedScan?
        for (position, candidate) in candidates.enumerated() where candidate.definition.text == nil {
            guard let scan = scan(position, candidate, query, conjuncts, isHinted: false), !scan.bounds.isFull else {
                continue
            }
            if best.map({ scan.keys < $0.keys }) ?? true { best = scan }
        }
        return best?.unordered
    }

    private func textScan(
        _ condition: TextCondition, _ position: Int, _ conjuncts: [IndexPredicate], _ query: PlannedQuery
    ) -> IndexScan? {
        let definition = candidates[position].definition
        guard let maker = TextKeyMaker(definition), let text = condition.query else { return nil }
        let implication = FilterImplication(definition, filterCollator: query.filter.collator)
        guard implication.holdsMatches(of: conjuncts) else { return nil }
        var prefix: [RawValue] = []
        for field in definition.fields.prefix(while: { $0.kind != .text }) {
            guard let value = Self.equality(with: field, conjuncts, query) else { return nil }
            prefix.append(value)
        }
        let isExact = text.isOfTermsOnly && conjuncts.count == 1 && definition.partialFilter == nil
        let bounds = IndexBounds(intervals: maker.intervals(of: text.terms, behind: prefix), isExact: isExact)
        return IndexScan(position: position, bounds: bounds, isReversed: false, providesSort: false)
    }

    /// The one value that the query allows.
    private static func equality(
        with field: IndexDefinition.Field, _ conjuncts: [IndexPredicate], _ query: PlannedQuery
    ) -> RawValue? {
        let path = IndexPath(field.path)
        for case .test(let condition) in conjuncts where condition.path == path && !condition.isNegated {
            guard case .equal(let value) = condition.test else { continue }
            return value
        }
        return nil
    }

}

extension IndexPredicate {
    fileprivate var isText: Bool {
        if case .text = self { return true }
        return false
    }

    fileprivate var holdsText: Bool {
        switch self {
        case .text: true
        case .all(let members), .any(let members), .none(let members), .element(_, let members):
            members.contains(where: \.holdsText)
        case .unknown, .never, .test, .comparison: false
        }
    }
}

extension CommandError {
    package static let textIndexMissing = CommandError(.indexNotFound, "text index required for $text query")
    package static let noTextPlan = CommandError(
        .noQueryExecutionPlans,
        "error processing query: planner returned error :: caused by :: failed to use text index to satisfy $text "
            + "query (if text index is compound, are equality predicates given for all prefix fields?)")
}
