extension IndexPlanner {
    /// The plans that `plan` compares, one for each index that is of any use and one for an `$or`: for people to see
    /// what was not chosen. The whole collection is not among them, since it is what remains.
    package func alternatives(_ request: PlanRequest) -> [AccessPlan] {
        let conjuncts = request.filter.indexPredicates
        defer { withExtendedLifetime(request.filter) {} }
        let query = PlannedQuery(request)
        var plans: [AccessPlan] = []
        for (position, candidate) in candidates.enumerated() {
            guard let scan = scan(position, candidate, query, conjuncts, isHinted: false),
                !scan.bounds.intervals.isEmpty,
                !scan.bounds.isFull || scan.providesSort || candidate.definition.isSparse
            else { continue }
            plans.append(.index(scan.plan))
        }
        if let union = union(query, conjuncts)?.plan, case .union = union { plans.append(union) }
        return plans
    }
}
