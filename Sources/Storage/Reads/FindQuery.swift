package import BSON
package import CommandModel
package import Query

/// A compiled `find`: what to read, what to keep of it, in which order.
package struct FindQuery: Sendable {
    package var filter: Filter
    package var projection: Projection?
    package var sort: SortPattern?
    package var skip = 0
    /// nil means all.
    package var limit: Int?
    package var deadline = Deadline.never
    /// That of all expressions of the query and its pipeline.
    package var patience: Patience?
    package var preference = ReadRouting.Preference.bySize
    /// `$natural` in the sort or the hint.
    package var naturalDescending = false
    /// `$natural` was asked for, in whichever direction.
    package var wantsNaturalOrder = false
    /// The index to use.
    package var hint: IndexHint?
    /// What was set for queries of the shape of the command.
    package var settings: QuerySettings?
    /// The projection of a `find`, as the client wrote it: a part of the query's shape.
    package var projectionSpecification: Document?
    /// `min` and `max` on that index; either may be missing.
    package var keyRange: (min: Document?, max: Document?)?
    /// `min` and `max`.
    package var bounds: IDBounds?
    /// How the documents are found.
    package internal(set) var access = Access.undecided
    /// Where a sort goes that memory cannot hold; nil when it must not.
    package var spill: (any SpillSpace)?
    /// How much of it a sort holds.
    package var sortBytesMax = Sorter.memoryBytesMax
    package var showsRecordID = false
    /// `returnKey`: the key by which a document was found, in the place of the document.
    package var returnsKey = false
    /// Rows that were inserted later are left out: what is written into the collection while it is read.
    package var ridMax: Int64?

    /// Counts what the query looks at; nil but for `explain`.
    var counters: ScanCounters?

    /// Of the documents with the same value of a field one is enough, where an index gives them so: the first in the
    /// order asked for.
    package var distinct: DistinctDemand?
    /// Only how many documents there are is wanted.
    package var isCount = false
    /// What is left of each document for the pipeline behind the query; nil for all of it.
    package var narrowing: Narrowing?
    /// Whether documents go on with their text score in a field of its own (``TextScore``).
    package var carriesTextScore = false
    /// A cursor that waits for more where others end.
    package var isTailable = false

    package init(filter: Filter) {
        self.filter = filter
    }

    /// In which order the documents come: that asked for, else that of the filter's `$near`.
    package var rowOrder: SortPattern? {
        if let sort, sort.order != .natural(ascending: true) { return sort }
        return filter.near.map(SortPattern.init(nearestFirst:)) ?? sort
    }

    /// Whether all matching documents must be seen before the first can be returned. The order of keys is the order of
    /// `_id` under the collation of the collection only.
    package func isBlockingSort(in collection: Collection) -> Bool {
        if let isSorted = accessProvidesSort, let order = rowOrder?.order, !order.isNatural { return !isSorted }
        return switch rowOrder?.order {
        case .fields?: true
        case .id? where !collection.isKeyedByID: true
        case .id?: rowOrder?.collator?.collation != collection.collator?.collation
        case .natural?, nil: false
        }
    }

    /// How many matching documents are needed, those to skip included; nil means all, or more than can be counted.
    package var matchesNeeded: Int? {
        guard let limit else { return nil }
        let (sum, overflow) = limit.addingReportingOverflow(skip)
        return overflow ? nil : sum
    }

    /// The rows to read from `collection`, narrowed by what the filter says about `_id`.
    package func scanPlan(_ collection: Collection) -> ScanPlan {
        var plan = ScanPlan(collection, order: scanOrder(collection))
        (plan.ridMax, plan.counters) = (ridMax, counters)
        plan.showsRID = showsRecordID || ridMax != nil || projection?.needsFacts == true
        if narrow(&plan) { return plan }
        plan.narrow(by: filter)
        if collection.isKeyedByID, let bounds { plan.narrow(by: bounds) }
        return plan
    }

    /// The same as it is read first: what SQL does of a query.
    package func firstPlan(_ collection: Collection) -> ScanPlan {
        var plan = scanPlan(collection)
        if !isBlockingSort(in: collection) { bound(&plan, skip: skip, wanted: limit ?? .max) }
        return plan
    }

    /// Lets PostgreSQL skip and stop by itself where every row of a plan counts.
    ///
    /// - Parameter wanted: how many rows, beside those to skip.
    func bound(_ plan: inout ScanPlan, skip: Int, wanted: Int) {
        // A row of an index with several keys for a document need not be one of the result.
        let isEveryRow = plan.keys.map { plan.isExact && !$0.index.mayRepeatDocuments }
        guard ridMax == nil, isEveryRow ?? (matchesEverything || plan.isExactInOrder && bounds == nil) else { return }
        // How many rows PostgreSQL passes over it does not tell, where there are fewer: who counts skips by itself.
        let skipsBySQL = skip > 0 && plan.after == nil && plan.keys == nil && !isTailable && counters == nil
        if skipsBySQL { plan.offset = skip }
        let (rows, isMany) = wanted.addingReportingOverflow(skipsBySQL ? 0 : skip)
        guard !isMany, rows < .max else { return }
        plan.rowLimit = rows + (plan.includesPosition ? 1 : 0)
    }

    /// Whether a row belongs to the result.
    @inline(__always)
    func accepts(_ document: RawDocument) throws(StorageError) -> Bool {
        do throws(CommandError) {
            guard try filter.matches(document) else { return false }
        } catch { throw .command(error) }
        return bounds?.contain(document) ?? true
    }

    @inline(__always)
    func accepts(_ row: borrowing Scanner.Row) throws(StorageError) -> Bool {
        if let ridMax, row.rid > ridMax { return false }
        let isAccepted = try accepts(row.document)
        if isAccepted { counters?.match() }
        return isAccepted
    }

    /// - Returns: false when the row does not fit; it belongs to the next batch.
    @inline(__always)
    func append<Sink: RowSink>(_ row: borrowing Scanner.Row, to batch: inout Sink) throws(StorageError) -> Bool {
        do throws(CommandError) {
            guard carriesTextScore else { return try append(row.document, row.rid, to: &batch) }
            let rid = row.rid
            return try TextScore.withDocument(row.document, scoring: textScore(of: row)) {
                document throws(CommandError) in
                try append(document, rid, to: &batch)
            }
        } catch { throw .command(error) }
    }

    @inline(__always)
    func append<Sink: RowSink>(
        _ document: RawDocument, _ rid: Int64, to batch: inout Sink
    ) throws(CommandError) -> Bool {
        guard batch.needsFacts else { return try batch.append(document) }
        let key = needsIndexKey ? indexKey(of: document) : nil
        return try batch.append(document, RowFacts(recordID: rid, sort: sort, indexKey: key))
    }

    /// Whether it is of the whole collection, and in no certain order or way.
    package var readsEverything: Bool {
        matchesEverything && sort == nil && skip == 0 && limit == nil && hint == nil && !wantsNaturalOrder
            && ridMax == nil && keyRange == nil
    }

    /// Whether every row does.
    package var matchesEverything: Bool { filter.matchesEverything && bounds == nil }

    /// Whether the documents are found, or come in the order of, the index on `_id`.
    package var usesIDIndex: Bool {
        if case .id? = sort?.order { return true }
        if case .any = filter.identity.shape { return bounds != nil }
        return true
    }

    private func scanOrder(_ collection: Collection) -> ScanPlan.Order {
        if isBlockingSort(in: collection) { return .unordered }
        return switch rowOrder?.order {
        case .id(let ascending)?: .id(descending: !ascending)
        case .natural(let ascending)?: collection.naturalOrder(descending: !ascending)
        case .fields?, nil: collection.naturalOrder(descending: naturalDescending)
        }
    }
}

extension Collection {
    fileprivate func naturalOrder(descending: Bool) -> ScanPlan.Order {
        isNaturallyOrderedByKey ? .id(descending: descending) : .insertion(descending: descending)
    }
}

/// `min` and `max` on the index of `_id`: across the types, unlike the comparisons of a filter.
package struct IDBounds: Sendable {
    package var lower: Value?
    /// Exclusive.
    package var upper: Value?
    private let order: ValueOrder

    package init(lower: Value?, upper: Value?, order: ValueOrder) {
        self.order = order
        self.lower = lower
        self.upper = upper
    }

    /// Whether anything can lie between.
    package var isAscending: Bool {
        guard let lower, let upper else { return true }
        return lower.withRaw { lower in upper.withRaw { order.compare(lower, $0) < 0 } }
    }

    func contain(_ document: RawDocument) -> Bool {
        guard let id = document["_id"] else { return false }
        if let lower, lower.withRaw({ order.compare(id, $0) < 0 }) { return false }
        if let upper, upper.withRaw({ order.compare(id, $0) >= 0 }) { return false }
        return true
    }

    fileprivate func key(of value: Value, in collection: Collection, isInclusive: Bool) -> ScanPlan.Bound? {
        KeyConstraint.bound(value, isInclusive: isInclusive, under: order.collator, in: collection)
    }
}

extension ScanPlan {
    /// The rows are checked anyway.
    package mutating func narrow(by bounds: IDBounds) {
        if let value = bounds.lower, let bound = bounds.key(of: value, in: collection, isInclusive: true) {
            if lower.map({ compare($0.key, bound.key) < 0 }) ?? true { lower = bound }
        }
        if let value = bounds.upper, let bound = bounds.key(of: value, in: collection, isInclusive: false) {
            if upper.map({ compare($0.key, bound.key) >= 0 }) ?? true { upper = bound }
        }
    }

    /// Narrows by what the filter says about `_id`. The filter decides anyway.
    package mutating func narrow(by filter: Filter) {
        let constraint = KeyConstraint(of: filter, in: collection)
        isExact = constraint.isExact
        switch constraint.shape {
        case .any: break
        case .points(let keys): points = keys
        case .range(let low, let high): (lower, upper) = (low, high)
        }
    }
}

extension FindQuery {
    /// What the stages of a pipeline behind the query may use.
    var stageLimits: StageLimits {
        var limits = StageLimits()
        limits.memoryBytesMax = sortBytesMax
        limits.spill = spill
        limits.patience = patience
        return limits
    }
}

extension SortPattern.Order {
    fileprivate var isNatural: Bool {
        if case .natural = self { return true }
        return false
    }
}
