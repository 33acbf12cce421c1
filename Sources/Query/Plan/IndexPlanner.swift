package import CommandModel

/// What a query asks of a plan.
package struct PlanRequest: Sendable {
    package var filter: Filter
    package var sort: SortPattern?
    /// Those that are skipped and those that are returned; nil for all.
    package var matchesNeeded: Int?
    package var hint: IndexHint?
    /// Of the documents with the same value one will do, the first in the order asked for.
    package var distinct: DistinctDemand?
    /// Only how many documents there are is wanted.
    package var isCount = false

    package init(
        _ filter: Filter, sort: SortPattern? = nil, matchesNeeded: Int? = nil, hint: IndexHint? = nil,
        distinct: DistinctDemand? = nil
    ) {
        self.distinct = distinct
        self.filter = filter
        self.sort = sort
        self.matchesNeeded = matchesNeeded
        self.hint = hint
    }
}

/// Chooses how the documents of a query are found. Pure: the same question has the same answer.
///
/// # The choice
///
/// Each index gives at most one scan: the intervals of its keys that the filter needs, walked in the direction that
/// gives the order asked for if there is one. Branches of an `$or` may each have an index of their own. Scans compare
/// by the rows they are expected to read: by ``KeyStatistics`` where there are some, else by guesses like PostgreSQL's
/// without a histogram. As in MongoDB a scan with bounds, or one that saves sorting, goes before reading the whole
/// collection, as long as statistics do not say otherwise.
package struct IndexPlanner: Sendable {
    /// Indexes that are ready, in the order in which they were made.
    package let candidates: [IndexCandidate]
    /// About how many documents there are.
    private let rows: Double
    /// Whether that is more than a guess.
    private let knowsRows: Bool
    /// Whether plans tell bounds as `explain` shows them.
    let describesBounds: Bool

    package init(_ candidates: [IndexCandidate], describesBounds: Bool = false) {
        self.candidates = candidates
        self.describesBounds = describesBounds
        // Statistics lag behind, and a plan may be used for long: nothing is taken for smaller than this.
        rows = candidates.reduce(Self.rowsMin) { max($0, $1.statistics?.documents ?? 0) }
        knowsRows = rows > Self.rowsMin
    }

    /// The keys that a filter needs of one index; nil when the index does not hold all documents that match.
    package func bounds(of filter: Filter, in candidate: IndexCandidate) -> IndexBounds? {
        withExtendedLifetime(filter.program) {
            scan(0, candidate, PlannedQuery(PlanRequest(filter)), filter.indexPredicates, isHinted: false)?.bounds
        }
    }

    /// - Throws: BadValue (2) for a hint of an index that is not there.
    package func plan(_ request: PlanRequest) throws(CommandError) -> AccessPlan {
        let conjuncts = request.filter.indexPredicates
        defer { withExtendedLifetime(request.filter) {} }
        let query = PlannedQuery(request)
        if let condition = request.filter.program.text { return try textPlan(condition, query, conjuncts) }
        if let distinct = distinctScan(query, conjuncts) { return .index(distinct) }
        if let hint = request.hint { return try hinted(hint, query, conjuncts) }
        if case .natural(ascending: false)? = request.sort?.order { return .collection }
        var scans: [PlannedScan] = []
        for (position, candidate) in candidates.enumerated() {
            guard let scan = scan(position, candidate, query, conjuncts, isHinted: false) else { continue }
            if scan.bounds.intervals.isEmpty { return .nothing }
            // A sparse index has fewer documents than the collection.
            if !scan.bounds.isFull || scan.providesSort || candidate.definition.isSparse { scans.append(scan) }
        }
        let matches = scans.filter { $0.isMeasured && !$0.bounds.isFull }.map(\.matches).min()
        var best = PlanChoice(collection: rows, matches: matches, query)
        for scan in scans { best = better(best, PlanChoice(scan, query)) }
        if let union = union(query, conjuncts) { best = better(best, union) }
        return best.plan
    }

    /// The first of two that are equally good.
    private func better(_ left: PlanChoice, _ right: PlanChoice) -> PlanChoice {
        // What a client made an index for is not overruled by guesses.
        if left.readsAll, !right.isMeasured || !knowsRows { return right }
        return right.rank < left.rank ? right : left
    }

    private static let rowsMin = 1_000.0
}

// MARK: Scans

/// A request while it is planned.
struct PlannedQuery {
    let request: PlanRequest
    /// The order in which documents shall come; nil for any.
    let sort: SortPattern?

    init(_ request: PlanRequest) {
        self.request = request
        if let sort = request.sort, !sort.fields.isEmpty, sort.near == nil { self.sort = sort } else { sort = nil }
    }

    var filter: Filter { request.filter }
}

/// A scan of one index, and what it is expected to cost.
struct PlannedScan {
    let position: Int
    let bounds: IndexBounds
    let isReversed: Bool
    let providesSort: Bool
    /// See ``IndexScan/mergedFields``.
    var mergedFields = 0
    /// Keys expected in the bounds.
    let keys: Double
    let isMeasured: Bool
    /// Of the index.
    let fieldCount: Int
    /// See ``IndexScan/distinctFields``.
    var distinctFields = 0

    /// Documents expected to match.
    var matches: Double { keys * (bounds.isExact ? 1 : 0.5) }

    var plan: IndexScan {
        IndexScan(
            position: position, bounds: bounds, isReversed: isReversed, providesSort: providesSort,
            mergedFields: mergedFields, distinctFields: distinctFields, expectedKeys: isMeasured ? keys : nil)
    }

    /// Without an order.
    var unordered: IndexScan {
        IndexScan(
            position: position, bounds: bounds, isReversed: false, providesSort: false,
            expectedKeys: isMeasured ? keys : nil)
    }
}

extension IndexPlanner {
    /// - Parameter isHinted: the client takes the documents that the index has, be they all or not.
    /// - Returns: nil when the index does not hold all documents that match.
    func scan(
        _ position: Int, _ candidate: IndexCandidate, _ query: PlannedQuery, _ conjuncts: [IndexPredicate],
        isHinted: Bool
    ) -> PlannedScan? {
        let definition = candidate.definition
        guard !definition.isHidden else { return nil }
        let implication = FilterImplication(definition, filterCollator: query.filter.collator)
        guard isHinted || implication.holdsMatches(of: conjuncts) else { return nil }
        if definition.wildcardScope != nil { return wildcardScan(position, candidate, query, conjuncts) }
        if definition.isGeographic {
            return geographicScan(position, candidate, query, conjuncts, isHinted: isHinted)
        }
        guard definition.isPlannable else { return nil }
        let builder = BoundsBuilder(
            candidate, filterCollator: query.filter.collator, describes: describesBounds)
        let demands = builder.demands(of: conjuncts, known: implication.impliedMembers(of: conjuncts))
        guard isHinted || !definition.isSparse || demands.provesPresence else { return nil }
        var walk = query.sort.flatMap { builder.walk(for: $0, demands) }
        var bounds = builder.bounds(demands, mergedFields: walk?.mergedFields ?? 0)
        if let merged = walk?.mergedFields, merged > 0, bounds.mergedBytes.isEmpty {
            walk = nil
            bounds = builder.bounds(demands)
        }
        let (keys, isMeasured) = keys(in: bounds, candidate, guess: demands.width)
        return PlannedScan(
            position: position, bounds: bounds, isReversed: walk?.isBackward == true, providesSort: walk != nil,
            mergedFields: walk?.mergedFields ?? 0, keys: keys, isMeasured: isMeasured,
            fieldCount: definition.fields.count)
    }

    private func hinted(
        _ hint: IndexHint, _ query: PlannedQuery, _ conjuncts: [IndexPredicate]
    ) throws(CommandError) -> AccessPlan {
        let position = candidates.firstIndex { !$0.definition.isHidden && hint.means($0.definition) }
        guard let position else {
            throw CommandError(
                .badValue,
                "error processing query: planner returned error :: caused by :: hint provided does not correspond to "
                    + "an existing index")
        }
        guard let scan = scan(position, candidates[position], query, conjuncts, isHinted: true) else {
            if let union = union(query, conjuncts, only: position) { return union.plan }
            throw CommandError(
                .noQueryExecutionPlans,
                "error processing query: planner returned error :: caused by :: hint provided cannot be used for "
                    + "this query")
        }
        return scan.bounds.intervals.isEmpty ? .nothing : .index(scan.plan)
    }

    /// How many keys a scan meets.
    ///
    /// - Parameter part: of all keys, for want of statistics.
    func keys(
        in bounds: IndexBounds, _ candidate: IndexCandidate, guess part: Double
    ) -> (count: Double, isMeasured: Bool) {
        if candidate.definition.isUnique, bounds.isOfWholeKeys { return (Double(bounds.intervals.count), true) }
        if let statistics = candidate.statistics {
            return (max(statistics.keys(in: bounds, fields: candidate.definition.fields.count), 1), true)
        }
        // One is certain of unique keys only.
        return (max(part * rows, 2), false)
    }
}

// MARK: Alternatives

extension IndexPlanner {
    /// As many branches as an `$or` may have to be looked for one by one.
    private static let branchesMax = 100

    /// The first `$or` whose branches all have bounds in some index, each joined with the rest of the filter.
    ///
    /// - Parameter hinted: the one index to use.
    func union(
        _ query: PlannedQuery, _ conjuncts: [IndexPredicate], only hinted: Int? = nil
    ) -> PlanChoice? {
        for (position, conjunct) in conjuncts.enumerated() {
            guard case .any(let branches) = conjunct, branches.count <= Self.branchesMax else { continue }
            var rest = conjuncts
            rest.remove(at: position)
            if let choice = union(query, rest, branches, hinted) { return choice }
        }
        return nil
    }

    private func union(
        _ query: PlannedQuery, _ rest: [IndexPredicate], _ branches: [IndexPredicate], _ hinted: Int?
    ) -> PlanChoice? {
        var scans: [PlannedScan] = []
        for branch in branches {
            let conjuncts = rest + IndexPredicate.conjuncts(of: branch)
            var best: PlannedScan?
            for (position, candidate) in candidates.enumerated() where hinted == nil || hinted == position {
                guard let scan = scan(position, candidate, query, conjuncts, isHinted: false), !scan.bounds.isFull
                else { continue }
                if best.map({ scan.keys < $0.keys }) ?? true { best = scan }
            }
            guard let best else { return nil }
            if !best.bounds.intervals.isEmpty { scans.append(best) }
        }
        return PlanChoice(union: scans, query)
    }

}

extension IndexDefinition {
    fileprivate var isGeographic: Bool { fields.contains { $0.kind == .sphere || $0.kind == .plane } }

    /// Kinds whose keys bounds are made for. Text has rules of its own, as it is used for its operator only.
    fileprivate var isPlannable: Bool {
        fields.allSatisfy { field in
            switch field.kind {
            case .ascending, .descending, .hashed: true
            case .sphere, .plane, .text, .wildcard: false
            }
        }
    }
}
