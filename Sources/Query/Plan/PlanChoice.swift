/// A plan and its expected cost, in documents read one after the other.
struct PlanChoice {
    let plan: AccessPlan
    let cost: Double
    /// The whole collection, for want of anything better.
    let readsAll: Bool
    /// How much is read is known rather than guessed.
    let isMeasured: Bool
    /// Decides among equal costs: more fields with one value each first, then what saves sorting, then fewer fields.
    private let equalityFields: Int
    private let providesSort: Bool
    private let fieldCount: Int

    /// A document by its `_id` against one in the order of the table.
    private static let fetchCost = 3.0
    /// A key without its document, sorted.
    private static let keyCost = 0.3
    /// To compare once.
    private static let compareCost = 0.2

    var rank: (Double, Int, Int, Int) { (cost, -equalityFields, providesSort ? 0 : 1, fieldCount) }

    init(_ scan: PlannedScan, _ query: PlannedQuery) {
        let isSorted = scan.providesSort || query.sort == nil
        plan = .index(scan.plan)
        let read = Self.read(scan.keys, of: scan.matches, isSorted, query)
        cost =
            query.request.isCount && scan.bounds.isExact
            ? read * Self.keyCost
            : read * Self.fetchCost + (isSorted ? 0 : Self.sorting(scan.keys))
                + (scan.mergedFields > 0 ? Self.merging(scan, query) : 0)
        readsAll = false
        isMeasured = scan.isMeasured
        equalityFields = scan.bounds.equalityFields
        providesSort = scan.providesSort
        fieldCount = scan.fieldCount
    }

    init(union scans: [PlannedScan], _ query: PlannedQuery) {
        let keys = scans.reduce(0) { $0 + $1.keys }
        plan =
            scans.isEmpty ? .nothing : .union(scans.map(\.unordered))
        cost = keys * Self.fetchCost + (query.sort == nil ? 0 : Self.sorting(keys))
        readsAll = false
        isMeasured = scans.allSatisfy(\.isMeasured)
        equalityFields = 0
        providesSort = false
        fieldCount = scans.reduce(0) { $0 + $1.fieldCount }
    }

    /// - Parameters:
    ///   - rows: of the collection.
    ///   - matches: how many of them match; nil for a guess.
    init(collection rows: Double, matches: Double?, _ query: PlannedQuery) {
        let sortsByID: Bool
        if case .id? = query.sort?.order { sortsByID = true } else { sortsByID = false }
        let isSorted = query.sort == nil || sortsByID
        let part = query.filter.identity.part
        let matches = query.filter.matchesEverything ? rows : matches ?? rows * 0.1
        let read = Self.read(part.map { $0(rows) } ?? rows, of: matches, isSorted, query)
        plan = .collection
        cost = read + (isSorted ? 0 : Self.sorting(matches))
        // The order of keys costs no sort, which is what an index could save.
        readsAll = part == nil && !(sortsByID && query.filter.matchesEverything)
        isMeasured = false
        equalityFields = 0
        providesSort = sortsByID
        fieldCount = 0
    }

    /// The keys that are read to merge them: as many of each walk as are wanted altogether, where all of them count.
    private static func merging(_ scan: PlannedScan, _ query: PlannedQuery) -> Double {
        guard scan.bounds.isExact, let needed = query.request.matchesNeeded else { return scan.keys * keyCost }
        return min(scan.keys, Double(needed) * Double(scan.bounds.intervals.count)) * keyCost
    }

    /// What is read until there is enough.
    private static func read(_ count: Double, of matches: Double, _ isSorted: Bool, _ query: PlannedQuery) -> Double {
        guard isSorted, let needed = query.request.matchesNeeded else { return count }
        return count * min(1, Double(needed) / max(matches, 1))
    }

    private static func sorting(_ count: Double) -> Double {
        var steps = 1.0
        var rest = count
        while rest > 2 {
            rest /= 2
            steps += 1
        }
        return count * steps * compareCost
    }
}

extension IDConstraint {
    /// How many of the rows it leaves; nil for all.
    fileprivate var part: ((Double) -> Double)? {
        switch shape {
        case .any: return nil
        case .points(let values):
            let count = Double(values.count)
            return { _ in count }
        case .range(let lower, let upper):
            let width = lower != nil && upper != nil ? 0.1 : 0.33
            return { $0 * width }
        }
    }
}
