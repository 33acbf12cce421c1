package import BSON
package import CommandModel
package import Logging
package import NIOCore
package import Postgres
package import Query
internal import SQL
package import Synchronization

/// What commands use to read and write documents.
///
/// Readers and writers share connections among many small requests (one pipeline per round trip); the general pool
/// gives a connection to one piece of work at a time; analytics takes the reads that are expected to be long.
package final class StorageEngine: Sendable {
    package let catalog: Catalog
    package let access: AccessStore
    package let cursors = CursorRegistry()
    package let metrics: StorageMetrics
    let readers: DatabasePool<ReadWorker>
    let writers: DatabasePool<WriteWorker>
    let general: DatabasePool<GeneralWorker>
    let analytics: DatabasePool<GeneralWorker>
    /// On another server, which may lag behind.
    let replica: DatabasePool<GeneralWorker>?
    package let transactions: TransactionRegistry
    package let snapshots: Snapshots
    package let writeLock: WriteLock
    package let routing: ReadRouting
    package let estimates = RowEstimates()
    package let querySettings = QuerySettingsStore()
    package let spill: SpillDirectory
    /// What a sort may hold before it goes to ``spill``.
    package let sortBytesMax = Atomic<Int>(Sorter.memoryBytesMax)
    let candidates = Candidates()
    /// What cursors on capped collections wait for.
    package let arrivals: Arrivals

    /// A collection may be dropped and made again while an operation looks for it; more often than this is no accident.
    package static let staleRetriesMax = 5

    package init(
        readers: DatabasePool<ReadWorker>, writers: DatabasePool<WriteWorker>,
        general: DatabasePool<GeneralWorker>, analytics: DatabasePool<GeneralWorker>,
        replica: DatabasePool<GeneralWorker>? = nil, transactions: TransactionRegistry,
        routing: ReadRouting = ReadRouting(), spill: SpillDirectory = SpillDirectory(),
        metrics: StorageMetrics = StorageMetrics()
    ) {
        self.spill = spill
        self.metrics = metrics
        self.readers = readers
        self.writers = writers
        self.general = general
        self.analytics = analytics
        self.replica = replica
        self.routing = routing
        self.transactions = transactions
        snapshots = Snapshots(lanes: transactions.lanes)
        catalog = Catalog(pool: general)
        access = AccessStore(pool: general)
        arrivals = Arrivals(pool: general)
        writeLock = WriteLock(lanes: transactions.lanes, catalog: catalog)
    }

    /// Whether PostgreSQL answers.
    package func ping() async throws(CommandError) {
        try await mapped { () async throws(StorageError) in
            try await self.general.withConnection { connection throws(StorageError) in
                do throws(PostgresError) {
                    _ = try connection.execute(script: "SELECT 1")
                } catch { throw .postgres(error) }
            }
        }
    }

    /// Runs `body` with the collection, again when the catalog entry proves stale; nil when there is no collection.
    package func withCollection<R: Sendable>(
        _ namespace: Namespace, for use: CollectionUse = .maintaining,
        _ body: (Collection) async throws(StorageError) -> R
    ) async throws(CommandError) -> R? {
        for _ in 0..<Self.staleRetriesMax {
            do throws(StorageError) {
                guard let collection = try await collection(namespace, for: use) else { return nil }
                try collection.check(use)
                return try await body(collection)
            } catch {
                guard error.isStaleCollection else { throw CommandError(error) }
                catalog.forget(namespace)
            }
        }
        return nil
    }

    /// The buckets of a time series can be read, though there are none.
    private func collection(
        _ namespace: Namespace, for use: CollectionUse
    ) async throws(StorageError) -> Collection? {
        if let collection = try await catalog.collection(namespace) { return collection }
        guard let buckets = try await catalog.buckets(namespace) else { return nil }
        if use == .reading { return buckets }
        throw .command(
            CommandError(
                .notImplemented, "\(namespace): measurements are kept as they are, not in buckets; use the time series")
        )
    }

    /// The same, with a collection that is made when there is none.
    package func withCollectionCreated<R: Sendable>(
        _ namespace: Namespace, _ body: (Collection) async throws(StorageError) -> R
    ) async throws(CommandError) -> R {
        try CollectionUse.checkWrites(into: namespace)
        for _ in 0..<Self.staleRetriesMax {
            do throws(StorageError) {
                let collection = try await catalog.collectionOrCreate(namespace).collection
                try collection.check(.writing)
                return try await body(collection)
            } catch {
                guard error.isStaleCollection else { throw CommandError(error) }
                catalog.forget(namespace)
            }
        }
        throw CommandError(.writeConflict, "collection \(namespace) was dropped again and again during the write")
    }

    /// Runs `body`, and gives its failure in the client's terms.
    package func mapped<R: Sendable>(
        _ body: () async throws(StorageError) -> R
    ) async throws(CommandError) -> R {
        do throws(StorageError) { return try await body() } catch { throw CommandError(error) }
    }
}

// Reading.
extension StorageEngine {
    /// One document by the key of its `_id`.
    package func read(
        _ key: ByteBuffer, from collection: Collection, deadline: Deadline = .never
    ) async throws(StorageError) -> ByteBuffer? {
        try await repeatingReads(until: deadline) { () async throws(StorageError) in
            try await readOnce(key, from: collection, deadline)
        }
    }

    private func readOnce(
        _ key: ByteBuffer, from collection: Collection, _ deadline: Deadline
    ) async throws(StorageError) -> ByteBuffer? {
        deadline.note(pool: readers.options.name, sql: collection.sql.read)
        let result: Result<ByteBuffer?, StorageError> = await withUnsafeContinuation { continuation in
            readers.submit(
                .point(PointRead(collection: collection, key: key, deadline: deadline, continuation: continuation)))
        }
        return try result.get()
    }

    /// The next batch of a query.
    package func fill(
        _ batch: ReplyBatch, from run: QueryRun, deadline: Deadline
    ) async throws(StorageError) -> (ReplyBatch, QueryRun) {
        if !run.needsConnection {
            var (batch, run) = (batch, run)
            try run.takeSorted(into: &batch, deadline: deadline)
            return (batch, run)
        }
        var run = run
        if run.isUndecided { await prepareStatistics(of: run.collection) }
        try run.choose()
        do throws(StorageError) {
            return try await fillFromTable(batch, from: run, deadline: deadline)
        } catch {
            // A cursor goes on when the options of its collection were changed.
            guard error.isStaleCollection, let present = try await catalog.renumbered(run.collection) else {
                throw error
            }
            return try await fillFromTable(batch, from: try run.going(on: present), deadline: deadline)
        }
    }

    private func fillFromTable(
        _ batch: ReplyBatch, from run: QueryRun, deadline: Deadline
    ) async throws(StorageError) -> (ReplyBatch, QueryRun) {
        let collection = run.collection
        var query = run.nextQuery(for: batch)
        if query.preference == .bySize, run.foreignRows(estimates) >= routing.threshold {
            query.preference = .secondaryButCurrent
        }
        let pool = pool(for: query, in: collection)
        if pool == .general, let plan = run.shortPlan(for: batch) {
            let rows = try await self.rows(of: plan, until: deadline)
            var (batch, run) = (batch, run)
            try run.take(rows, of: plan, into: &batch, deadline: deadline)
            if run.isExhausted || batch.isFull { return (batch, run) }
            // A large document is next.
            return try await fill(batch, from: run, on: pool, deadline)
        }
        return try await fill(batch, from: run, on: pool, deadline)
    }

    private func fill(
        _ batch: ReplyBatch, from run: QueryRun, on pool: ReadRouting.Pool, _ deadline: Deadline
    ) async throws(StorageError) -> (ReplyBatch, QueryRun) {
        try await reading(on: pool, until: deadline) { connection throws(StorageError) in
            var (batch, run) = (batch, run)
            try run.fill(&batch, on: connection, deadline: deadline)
            return (batch, run)
        }
    }

    /// Few rows, read together with what others read.
    private func rows(of plan: ScanPlan, until deadline: Deadline) async throws(StorageError) -> StatementResult {
        let plain = plan.statement
        deadline.note(pool: readers.options.name, sql: plain.text)
        let statement = plain.commented(deadline.comment)
        return try await repeatingReads(until: deadline) { () async throws(StorageError) in
            let result: Result<StatementResult, StorageError> = await withUnsafeContinuation { continuation in
                readers.submit(
                    .rows(RowsRead(statement: statement, deadline: deadline, continuation: continuation)))
            }
            return try result.get()
        }
    }
}
