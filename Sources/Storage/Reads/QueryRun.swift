package import BSON
package import CommandModel
package import NIOCore
package import Postgres
package import Query

/// The state of a query between batches: all that a cursor needs to go on, and no connection.
package struct QueryRun: Sendable {
    package private(set) var query: FindQuery
    package private(set) var collection: Collection
    private var position: ScanPlan.Position?
    /// Which of the plans of the query is being read.
    private var branch = 0
    private var skipRemaining: Int
    /// nil means no limit.
    private var limitRemaining: Int?
    /// From one value to the next, where one document of each will do.
    private var stepsRemaining = KeyScan.stepsMax
    /// What is left of a blocking sort, in order.
    private var sorted: SortedRecords?
    /// Whether the rows are at their end.
    private var isDrained = false
    /// What the rows go through before they are the result; nil for a `find`.
    private let pipeline: Pipeline?
    /// The pipeline's stages, once it runs.
    private var stages: PipelineRun?
    package private(set) var isExhausted = false
    /// The keys of the rows returned, where they cannot be found out from the documents and somebody asks for them.
    private(set) var keys: [ByteBuffer] = []
    private let collectsKeys: Bool
    /// Reads other collections for the pipeline's stages.
    private let reader: PipelineReader?

    /// - Parameter foreign: the other collections that the pipeline reads.
    package init(
        _ query: FindQuery, on collection: Collection, through pipeline: Pipeline? = nil,
        reading foreign: ForeignCollections? = nil, collectsKeys: Bool = false
    ) {
        let reader = foreign.map { PipelineReader($0, for: query) }
        self.init(query, on: collection, through: pipeline, reader: reader, collectsKeys: collectsKeys)
    }

    init(
        _ query: FindQuery, on collection: Collection, through pipeline: Pipeline?, reader: PipelineReader?,
        collectsKeys: Bool = false
    ) {
        self.reader = reader
        self.query = query
        self.collection = collection
        self.pipeline = pipeline
        self.collectsKeys = collectsKeys
        skipRemaining = query.skip
        limitRemaining = query.limit
    }

    /// Reads documents that are all known already, as those of a catalog list.
    package init(
        over documents: [Document], in namespace: Namespace, through pipeline: Pipeline? = nil,
        reading foreign: ForeignCollections? = nil, patience: Patience? = nil
    ) {
        var query = FindQuery(filter: .everything)
        query.patience = patience
        let reader = foreign.map { PipelineReader($0, for: query) }
        self.init(over: documents, in: namespace, through: pipeline, reader: reader, query)
    }

    init(
        over documents: [Document], in namespace: Namespace, through pipeline: Pipeline?, reader: PipelineReader?,
        _ query: FindQuery = FindQuery(filter: .everything)
    ) {
        self.reader = reader
        self.query = query
        self.pipeline = pipeline
        collection = Collection(namespace: namespace, number: 0, uuid: [], options: .empty)
        skipRemaining = 0
        collectsKeys = false
        sorted = SortedRecords(documents.map { Sorter.Entry(key: [], rid: 0, row: $0) })
    }

    var isUndecided: Bool {
        if case .undecided = query.access { return sorted == nil }
        return false
    }

    /// Decides how the documents are found, if nobody has.
    mutating func choose() throws(StorageError) {
        query = try query.choosingAccess(in: collection)
    }

    /// The same over the same documents, whose table has another number now.
    ///
    /// - Throws: QueryPlanKilled (175) when the index is gone by which it was reading.
    func going(on collection: Collection) throws(StorageError) -> QueryRun {
        var run = self
        run.collection = collection
        run.query.access = .undecided
        try run.choose()
        guard sorted != nil || position == nil && branch == 0 || query.canGoOn(by: run.query) else {
            throw .command(
                CommandError(
                    .queryPlanKilled, "the index by which \(collection.namespace) was read is there no more"))
        }
        return run
    }

    /// What the next batch asks for, to expect its size.
    func nextQuery(for batch: ReplyBatch) -> FindQuery {
        var query = query
        guard pipeline == nil else { return query }
        if let wanted = rowsWanted(by: batch) { (query.limit, query.skip) = (wanted, 0) }
        return query
    }

    /// Fills a batch, on a database thread.
    package mutating func fill(
        _ batch: inout ReplyBatch, on connection: Connection, deadline: Deadline
    ) throws(StorageError) {
        guard !isExhausted, !batch.isFull else { return }
        try choose()
        query.patience?.renew { deadline.failure }
        guard let pipeline else {
            try fillRows(&batch, on: connection, deadline: deadline)
            isExhausted = isDrained
            return
        }
        let stages = makeStages(pipeline)
        func fillThrough() throws(StorageError) -> Bool {
            try stages.fill(&batch, deadline: deadline) { sink throws(StorageError) in
                try feed(&sink, on: connection, deadline: deadline)
            }
        }
        isExhausted =
            if let reader {
                try reader.reading(on: connection, deadline) { () throws(StorageError) in try fillThrough() }
            } else {
                try fillThrough()
            }
    }

    /// The next documents for a stage that reads this collection beside its own; nil at the end.
    mutating func nextBatch(on connection: Connection, deadline: Deadline) throws(StorageError) -> Batch? {
        try choose()
        let stages = makeStages(pipeline ?? Pipeline())
        return try stages.next(deadline: deadline) { sink throws(StorageError) in
            try feed(&sink, on: connection, deadline: deadline)
        }
    }

    /// The next rows for the first stage.
    ///
    /// - Returns: whether there are no more.
    private mutating func feed(
        _ sink: inout BatchSink, on connection: Connection, deadline: Deadline
    ) throws(StorageError) -> Bool {
        // What is sorted is narrowed before.
        sink.narrowing = query.isBlockingSort(in: collection) || sorted != nil ? nil : query.narrowing
        try fillRows(&sink, on: connection, deadline: deadline)
        return isDrained
    }

    private mutating func makeStages(_ pipeline: Pipeline) -> PipelineRun {
        if let stages { return stages }
        var limits = query.stageLimits
        limits.reader = reader
        let made = PipelineRun(pipeline, limits)
        stages = made
        return made
    }

    /// The next rows of the query.
    private mutating func fillRows<Sink: RowSink>(
        _ sink: inout Sink, on connection: Connection, deadline: Deadline
    ) throws(StorageError) {
        if limitRemaining == 0 {
            isDrained = !query.isTailable
            return
        }
        guard !isDrained else { return }
        try query.checkNearIndex(in: collection)
        if query.isBlockingSort(in: collection) || sorted != nil {
            try sort(on: connection, deadline: deadline)
            try takeSortedRows(into: &sink, deadline: deadline)
        } else {
            let branches = query.scanPlans(collection)
            try stream(branches[branch], into: &sink, on: connection, deadline: deadline)
            while isDrained, branch + 1 < branches.count, limitRemaining != 0 {
                (branch, position, isDrained) = (branch + 1, nil, false)
                try stream(branches[branch], into: &sink, on: connection, deadline: deadline)
            }
        }
    }

    /// The statement that gives the next batch, where one of few rows is all it takes: see ``ReadWorker``.
    func shortPlan(for batch: ReplyBatch) -> ScanPlan? {
        guard pipeline == nil, !isDrained, limitRemaining != 0, !collection.isCapped, query.filter.near == nil,
            query.counters == nil, sorted == nil, !query.isBlockingSort(in: collection)
        else { return nil }
        let branches = query.scanPlans(collection)
        guard branches.count == 1, let branch = branches.first else { return nil }
        let plan = nextPlan(branch, for: batch)
        return plan.isShort ? plan : nil
    }

    /// Fills a batch with the rows of ``shortPlan(for:)``.
    mutating func take(
        _ rows: StatementResult, of plan: ScanPlan, into batch: inout ReplyBatch, deadline: Deadline
    ) throws(StorageError) {
        guard !isExhausted, !batch.isFull else { return }
        query.patience?.renew { deadline.failure }
        try take(.result(rows), of: plan, into: &batch, deadline)
        isExhausted = isDrained
    }

    /// How many rows of other collections the pipeline may read by scans.
    func foreignRows(_ estimates: RowEstimates) -> Int64 {
        guard let reader, let pipeline else { return 0 }
        return reader.rowsScanned(by: pipeline, estimates)
    }

    /// Whether documents that come later may belong to the result.
    package var mayGrow: Bool { query.isTailable && !isExhausted && limitRemaining != 0 }

    /// Whether the next batch takes PostgreSQL or a disk, and so a thread that may wait: that of a connection.
    package var needsConnection: Bool { pipeline != nil || sorted?.isInMemory != true }

    /// The next batch from what a blocking sort has left.
    package mutating func takeSorted(
        into batch: inout ReplyBatch, deadline: Deadline
    ) throws(StorageError) {
        query.patience?.renew { deadline.failure }
        try takeSortedRows(into: &batch, deadline: deadline)
        isExhausted = isDrained
    }

    private mutating func takeSortedRows<Sink: RowSink>(
        into batch: inout Sink, deadline: Deadline
    ) throws(StorageError) {
        guard var rest = sorted else { return }
        // Taken out while it changes, or it would be copied.
        sorted = .empty
        defer { sorted = rest }
        do throws(CommandError) {
            try skip(in: &rest, deadline)
            while !batch.isFull, limitRemaining != 0, let entry = try rest.peek() {
                let isTaken = try entry.row.withRaw { raw throws(CommandError) in
                    try query.append(raw, entry.rid, to: &batch)
                }
                guard isTaken else { return }
                _ = try rest.next()
                countReturned()
            }
            let next = limitRemaining == 0 ? nil : try rest.peek()
            isDrained = next == nil
            if isDrained { rest = .empty }
        } catch { throw .command(error) }
    }

    private mutating func skip(in rest: inout SortedRecords, _ deadline: Deadline) throws(CommandError) {
        while skipRemaining > 0 {
            if skipRemaining % Scanner.rowsBetweenChecks == 0, let failure = deadline.failure { throw failure }
            skipRemaining = try rest.next() == nil ? 0 : skipRemaining - 1
        }
    }

    private mutating func stream<Sink: RowSink>(
        _ branch: ScanPlan, into batch: inout Sink, on connection: Connection, deadline: Deadline
    ) throws(StorageError) {
        let plan = nextPlan(branch, for: batch)
        try take(.connection(connection), of: plan, into: &batch, deadline)
        guard isDrained, plan.isOfSteps, stepsRemaining <= 0, case .keys(let keys) = query.access else { return }
        // There are more values than was hoped for. What comes again of those that were met changes nothing.
        query.access = .keys(keys.overEveryKey)
        isDrained = false
        try stream(query.scanPlan(collection), into: &batch, on: connection, deadline: deadline)
    }

    /// Takes rows into a batch. What changes with each row is kept beside the run until the end: for each row the run
    /// itself would be copied, with a count of references for each of its parts.
    private mutating func take<Sink: RowSink>(
        _ rows: RowSource, of plan: ScanPlan, into batch: inout Sink, _ deadline: Deadline
    ) throws(StorageError) {
        var (isDone, isSkippedBySQL) = (false, plan.offset != nil)
        var expected = plan.includesPosition ? position : nil
        var (skip, limit, rowsMet) = (skipRemaining, limitRemaining, 0)
        var (last, ids): (Scanner.Mark, [ByteBuffer]) = (Scanner.Mark(), [])
        let (query, collectsKeys, isCapped) = (query, collectsKeys, collection.isCapped)
        defer {
            (skipRemaining, limitRemaining, position) = (skip, limit, last.position ?? position)
            if plan.isOfSteps { stepsRemaining -= rowsMet }
            keys += ids
        }
        let isComplete = try rows.forEachRow(of: plan, deadline) { row throws(StorageError) in
            if let place = expected {
                expected = nil
                try Self.check(row, at: place)
                return true
            }
            rowsMet += 1
            guard try query.accepts(row) else {
                // So that a cursor that waits for more does not see everything again.
                if isCapped { last.note(row) }
                return true
            }
            if skip > 0, !isSkippedBySQL {
                skip -= 1
            } else {
                guard try query.append(row, to: &batch) else { return false }
                if isSkippedBySQL { (skip, isSkippedBySQL) = (0, false) }
                if let rest = limit { limit = rest - 1 }
                if collectsKeys, let id = row.id { ids.append(id) }
                isDone = limit == 0
            }
            // The row after this one may not fit any more, so each one taken is noted at once.
            last.note(row)
            return !isDone && !batch.isFull
        }
        if expected != nil { throw .command(.cappedPositionLost) }
        if query.isTailable {
            // There is nothing to stand on in an empty collection, and so nothing to wait behind.
            isDrained = isComplete && position == nil && last.position == nil
        } else {
            // A limited SELECT that gave all it was asked for says nothing about the rows beyond.
            isDrained = isDone || (isComplete && (plan.rowLimit == nil || !batch.isFull))
        }
    }

    private func nextPlan<Sink: RowSink>(_ branch: ScanPlan, for batch: Sink) -> ScanPlan {
        var plan = branch
        plan.after = position
        plan.isTailable = query.isTailable
        // The keys of an index are not in the order in which documents go.
        plan.includesPosition =
            collection.isCapped && position != nil && plan.keys == nil
            && plan.order == .insertion(descending: false)
        query.bound(&plan, skip: skipRemaining, wanted: min(batch.remaining, limitRemaining ?? .max))
        if plan.isOfSteps { plan.rowLimit = min(plan.rowLimit ?? .max, max(stepsRemaining, 1)) }
        return plan
    }

    /// The document at which a cursor stands was among the oldest that had to go: what came behind it may be gone, too.
    private static func check(
        _ row: borrowing Scanner.Row, at position: ScanPlan.Position
    ) throws(StorageError) {
        guard case .rid(let expected) = position, row.rid == expected else { throw .command(.cappedPositionLost) }
    }

    private func rowsWanted<Sink: RowSink>(by batch: Sink) -> Int? {
        let wanted = min(batch.remaining, limitRemaining ?? .max)
        let (sum, overflow) = wanted.addingReportingOverflow(skipRemaining)
        return overflow ? nil : sum
    }

    private mutating func countReturned() {
        if let limit = limitRemaining { limitRemaining = limit - 1 }
    }

    private mutating func sort(on connection: Connection, deadline: Deadline) throws(StorageError) {
        guard sorted == nil, let pattern = query.rowOrder else { return }
        var sorter = ExternalSorter(
            limit: query.matchesNeeded, bytesMax: query.sortBytesMax, space: query.spill, keeping: query.narrowing,
            patience: query.patience)
        let query = query
        for plan in query.scanPlans(collection) {
            _ = try Scanner(on: connection, deadline: deadline).forEachRow(of: plan) { row throws(StorageError) in
                guard try query.accepts(row) else { return true }
                do throws(CommandError) {
                    try query.insert(row, into: &sorter, by: pattern)
                } catch { throw .command(error) }
                return true
            }
        }
        do throws(CommandError) { sorted = try sorter.finish() } catch { throw .command(error) }
    }
}

extension CommandError {
    static let cappedPositionLost = CommandError(
        ErrorCode(136, "CappedPositionLost"),
        "the cursor's place in the capped collection is gone: its document was removed")
}
