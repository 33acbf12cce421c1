package import BSON
package import CommandModel
internal import DequeModule
package import NIOCore
package import Postgres
internal import Query

/// The state of a query between batches: all that a cursor needs to go on, and no connection.
package struct QueryRun: Sendable {
    package let query: FindQuery
    package let collection: Collection
    private var position: ScanPlan.Position?
    private var skipRemaining: Int
    /// nil means no limit.
    private var limitRemaining: Int?
    /// What is left of a blocking sort, in order.
    private var sorted: Deque<Document>?
    package private(set) var isExhausted = false

    package init(_ query: FindQuery, on collection: Collection) {
        self.query = query
        self.collection = collection
        skipRemaining = query.skip
        limitRemaining = query.limit
    }

    /// Reads documents that are all known already, as those of a catalog list.
    package init(over documents: [Document], in namespace: Namespace) {
        query = FindQuery(filter: .everything)
        collection = Collection(namespace: namespace, number: 0, uuid: [], options: .empty)
        skipRemaining = 0
        sorted = Deque(documents)
    }

    /// What the next batch asks for, to expect its size.
    func nextQuery(for batch: ReplyBatch) -> FindQuery {
        var query = query
        if let wanted = rowsWanted(by: batch) { (query.limit, query.skip) = (wanted, 0) }
        return query
    }

    /// Fills a batch, on a database thread.
    package mutating func fill(
        _ batch: inout ReplyBatch, on connection: Connection, deadline: Deadline
    ) throws(StorageError) {
        if limitRemaining == 0 { isExhausted = true }
        guard !isExhausted, !batch.isFull else { return }
        if query.isBlockingSort {
            try sort(on: connection, deadline: deadline)
            try takeSorted(into: &batch)
        } else {
            try stream(into: &batch, on: connection, deadline: deadline)
        }
    }

    /// Whether ``fill(_:on:deadline:)`` needs PostgreSQL for the next batch.
    package var needsConnection: Bool { sorted == nil }

    /// The next batch from what a blocking sort left in memory.
    package mutating func takeSorted(into batch: inout ReplyBatch) throws(StorageError) {
        while !batch.isFull, limitRemaining != 0, let row = sorted?.first {
            guard try row.withRaw({ raw throws(StorageError) in try Self.append(raw, to: &batch) }) else { return }
            sorted?.removeFirst()
            countReturned()
        }
        isExhausted = sorted?.isEmpty != false || limitRemaining == 0
    }

    private mutating func stream(
        into batch: inout ReplyBatch, on connection: Connection, deadline: Deadline
    ) throws(StorageError) {
        var plan = query.scanPlan(collection)
        plan.after = position
        if query.filter.matchesEverything { plan.rowLimit = rowsWanted(by: batch) }
        var isDone = false
        let filter = query.filter
        let isComplete = try Scanner(on: connection, deadline: deadline).forEachRow(of: plan) {
            row throws(StorageError) in
            guard try filter.accepts(row.document) else { return true }
            if skipRemaining > 0 {
                skipRemaining -= 1
            } else {
                guard try Self.append(row.document, to: &batch) else { return false }
                countReturned()
                isDone = limitRemaining == 0
            }
            // The row after this one may not fit any more, so each one taken is noted at once.
            position = row.position
            return !isDone && !batch.isFull
        }
        // A limited SELECT that gave all it was asked for says nothing about the rows beyond.
        isExhausted =
            isDone || (isComplete && plan.rowLimit == nil) || (plan.rowLimit != nil && isComplete && !batch.isFull)
    }

    private static func append(
        _ document: RawDocument, to batch: inout ReplyBatch
    ) throws(StorageError) -> Bool {
        do throws(CommandError) { return try batch.append(document) } catch { throw .command(error) }
    }

    private func rowsWanted(by batch: ReplyBatch) -> Int? {
        let wanted = min(batch.remaining, limitRemaining ?? .max)
        let (sum, overflow) = wanted.addingReportingOverflow(skipRemaining)
        return overflow ? nil : sum
    }

    private mutating func countReturned() {
        if let limit = limitRemaining { limitRemaining = limit - 1 }
    }

    private mutating func sort(on connection: Connection, deadline: Deadline) throws(StorageError) {
        guard sorted == nil, let pattern = query.sort else { return }
        var sorter = Sorter(limit: query.matchesNeeded)
        let filter = query.filter
        _ = try Scanner(on: connection, deadline: deadline).forEachRow(of: query.scanPlan(collection)) {
            row throws(StorageError) in
            guard try filter.accepts(row.document) else { return true }
            do throws(CommandError) {
                try sorter.insert(key: pattern.key(of: row.document), rid: row.rid, row: row.document)
            } catch { throw .command(error) }
            return true
        }
        sorted = Deque(sorter.finish().dropFirst(query.skip).map(\.row))
    }
}
