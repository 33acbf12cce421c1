internal import BSON
package import CommandModel
internal import NIOConcurrencyHelpers
package import NIOCore
package import Postgres
package import Query
internal import SQL

/// Which pool reads. Pure.
///
/// One scan over a large collection takes a core for as long as a thousand lookups; a few of them in the pool of short
/// requests would make those wait. So what is expected to read many rows goes to connections of its own: few, on
/// threads and backends of low priority, each scan in one REPEATABLE READ, READ ONLY transaction.
///
/// The expectation comes from PostgreSQL's statistics, not from a plan: an EXPLAIN for each query would cost as much as
/// most queries take, and a scan here has three shapes only (some keys, a range of keys, everything).
package struct ReadRouting: Sendable {
    /// Where a read may go, by its read preference.
    package enum Preference: Sendable {
        /// To wherever its size belongs.
        case bySize
        /// The client asked for a secondary: analytics, and a replica if there is one.
        case secondary
        /// The same, but it must see what was committed before: no replica.
        case secondaryButCurrent
    }

    package enum Pool: String, Sendable {
        case general
        case analytics
        /// Analytics on a server that may lag behind.
        case replica
    }

    /// Rows from which a read counts as analytics.
    package static let thresholdDefault: Int64 = 10_000

    package var threshold = thresholdDefault

    package init(threshold: Int64 = thresholdDefault) {
        self.threshold = threshold
    }

    /// - Parameter rows: of the collection, as far as PostgreSQL knows.
    package func pool(for plan: ScanPlan, rows: Int64, _ preference: Preference) -> Pool {
        switch preference {
        case .secondary: .replica
        case .secondaryButCurrent: .analytics
        case .bySize: expectedRows(plan, of: rows) >= threshold ? .analytics : .general
        }
    }

    private func expectedRows(_ plan: ScanPlan, of rows: Int64) -> Int64 {
        if let points = plan.points { return Int64(points.count) }
        if let keys = plan.keys { return min(keys.expectedRows(of: rows), plan.rowLimit.map(Int64.init) ?? .max) }
        let walks = plan.scored.map { [$0] } ?? plan.among
        if !walks.isEmpty { return min(rows, walks.reduce(0) { $0 + $1.expectedRows(of: rows) }) }
        // As PostgreSQL guesses without a histogram: half for a range open at one side, less for a closed one.
        let part = plan.lower != nil && plan.upper != nil ? rows / 4 : plan.lower ?? plan.upper != nil ? rows / 2 : rows
        return min(part, plan.rowLimit.map(Int64.init) ?? .max)
    }
}

/// How many rows the collections have, by PostgreSQL's statistics: read every few seconds for all of them together, so
/// that no query has to ask.
package final class RowEstimates: Sendable {
    private struct Watched {
        let statistics: IndexStatistics
        /// When they were read.
        let analyses: Int64
    }

    private let rows = NIOLockedValueBox<[Int64: Int64]>([:])
    private let watched = NIOLockedValueBox<[Int64: Watched]>([:])

    package init() {}

    package subscript(collection: Collection) -> Int64 {
        rows.withLockedValue { $0[collection.number] } ?? 0
    }

    func refresh(on connection: Connection) throws(PostgresError) {
        let result = try connection.execute(Statement(Self.query))
        var rows: [Int64: Int64] = [:]
        for row in 0..<result.rowCount {
            guard let number = result.int8(row: row, column: 0), let count = result.int8(row: row, column: 1) else {
                continue
            }
            rows[number] = count
        }
        self.rows.withLockedValue { $0 = rows }
        try expireStatistics(on: connection)
    }

    /// Wakes statistics of keys when they have changed.
    ///
    /// - Parameter index: its number.
    func watch(_ statistics: IndexStatistics, of index: Int64, analyses: Int64) {
        watched.withLockedValue { $0[index] = Watched(statistics: statistics, analyses: analyses) }
    }

    private func expireStatistics(on connection: Connection) throws(PostgresError) {
        let watched = self.watched.withLockedValue { $0 }
        guard !watched.isEmpty else { return }
        let result = try connection.execute(
            Statement(Self.analysesQuery, [.textArray(watched.keys.map { "keys_\($0)" })]))
        var analyses: [Int64: Int64] = [:]
        for row in 0..<result.rowCount {
            guard let index = result.int8(row: row, column: 0) else { continue }
            analyses[index] = result.int8(row: row, column: 1)
        }
        for (index, one) in watched where analyses[index] != one.analyses {
            // Whoever reads them has them watched again; those of an index that is gone nobody reads.
            self.watched.withLockedValue { $0[index] = nil }
            one.statistics.expire()
        }
    }

    private static let analysesQuery = """
        SELECT substr(relname, 6)::bigint, pg_stat_get_analyze_count(oid) + pg_stat_get_autoanalyze_count(oid) \
        FROM pg_class WHERE relnamespace = 'martlet'::regnamespace AND relname = ANY ($1)
        """

    /// Live rows as counted by the statistics collector, which is seconds behind; not `reltuples`, which waits for an
    /// ANALYZE.
    private static let query = """
        SELECT c.number, s.n_live_tup FROM martlet.collections c \
        JOIN pg_stat_user_tables s ON s.schemaname = 'martlet' AND s.relname = 'documents_' || c.number
        """
}

extension StorageEngine {
    /// Reads PostgreSQL's statistics anew. To be called every few seconds.
    package func refreshEstimates() async throws(StorageError) {
        try await general.withConnection { connection throws(StorageError) in
            do throws(PostgresError) { try self.estimates.refresh(on: connection) } catch { throw .postgres(error) }
        }
    }

    /// Where a query would be read from.
    package func pool(for query: FindQuery, in collection: Collection) -> ReadRouting.Pool {
        // A refusal comes from whoever reads.
        let query = (try? query.choosingAccess(in: collection, counting: false)) ?? query
        var plan = query.scanPlan(collection)
        if query.filter.matchesEverything, !query.isBlockingSort(in: collection) { plan.rowLimit = query.matchesNeeded }
        let pool = routing.pool(for: plan, rows: estimates[collection], query.preference)
        return pool == .replica && replica == nil ? .analytics : pool
    }

    /// Whether the first batch is one short read on the readers' connections.
    package func readsFewRows(_ query: FindQuery, in collection: Collection, _ documentsMax: Int) -> Bool {
        guard var query = try? query.choosingAccess(in: collection, counting: false) else { return false }
        query.counters = nil
        let batch = ReplyBatch(into: DocumentBuilder(), documentsMax: documentsMax)
        return pool(for: query, in: collection) == .general
            && QueryRun(query, on: collection).shortPlan(for: batch) != nil
    }

    /// Runs a read on the pool that it belongs to: again when a lock or a lost connection came in between, since
    /// nothing is lost by reading twice.
    func reading<R: Sendable>(
        _ query: FindQuery, in collection: Collection, until deadline: Deadline,
        _ body: @escaping @Sendable (Connection) throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        try await reading(on: pool(for: query, in: collection), until: deadline, body)
    }

    func reading<R: Sendable>(
        on pool: ReadRouting.Pool, until deadline: Deadline,
        _ body: @escaping @Sendable (Connection) throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        let pool =
            switch pool {
            case .general: general
            case .analytics: analytics
            case .replica: replica ?? analytics
            }
        return try await repeatingReads(until: deadline) { () async throws(StorageError) in
            try await pool.withConnection(until: deadline, body)
        }
    }

    func repeatingReads<R: Sendable>(
        until deadline: Deadline, _ read: () async throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        do throws(StorageError) {
            return try await read()
        } catch {
            guard error.allowsReadingAgain else { throw error }
        }
        await Backoff.sleep(attempt: 1)
        return try await LockPatience.wait(until: deadline) { (_) async throws(StorageError) in try await read() }
    }
}

extension StorageError {
    fileprivate var allowsReadingAgain: Bool {
        guard case .postgres(let error) = self else { return false }
        return error.kind == .connectionLost || error.state == .lockNotAvailable
    }
}
