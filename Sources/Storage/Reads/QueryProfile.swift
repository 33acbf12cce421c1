package import BSON
package import CommandModel
package import NIOCore
internal import Postgres
package import Query
internal import SQL
internal import Synchronization

/// What a query has looked at, counted while it runs: for `explain`, so nobody pays for it otherwise.
package final class ScanCounters: Sendable {
    private let rows = Atomic<Int64>(0)
    private let matches = Atomic<Int64>(0)

    package init() {}

    /// Rows that came from PostgreSQL: keys and documents, where keys are used.
    package var examined: Int64 { rows.load(ordering: .relaxed) }
    package var matched: Int64 { matches.load(ordering: .relaxed) }

    func examine(_ count: Int) { rows.wrappingAdd(Int64(count), ordering: .relaxed) }
    func match() { matches.wrappingAdd(1, ordering: .relaxed) }
}

/// A statement of SQL for people to read.
package struct ShownStatement: Sendable {
    package let text: String
    package let parameters: [String]

    init(text: String, parameters: [String]) {
        self.text = text
        self.parameters = parameters
    }

    init(_ statement: Statement) {
        text = statement.text
        parameters = statement.parameters.map(\.shown)
    }
}

/// How a query went that was run for `explain`.
package struct QueryProfile: Sendable {
    /// With its choice of indexes made.
    package let query: FindQuery
    package let returned: Int64
    package let milliseconds: Int64
    /// PostgreSQL counted by itself, so no document was looked at.
    package let countsBySQL: Bool
    package let examined: Int64
    package let matched: Int64
    /// PostgreSQL's own plans, as JSON, one for each statement.
    package let postgresPlans: [String]
}

extension StorageEngine {
    /// Runs a query and throws its result away.
    ///
    /// - Parameters:
    ///   - counts: only the number of documents is wanted.
    ///   - asksPostgres: whether PostgreSQL tells its plans, for which it runs them again.
    package func profile(
        _ query: FindQuery, in collection: Collection, counts: Bool, asksPostgres: Bool = true
    ) async throws(StorageError) -> QueryProfile {
        let counters = ScanCounters()
        await prepareStatistics(of: collection)
        var query = try (counts ? query.counting : query).choosingAccess(
            in: collection, counting: false, describing: true)
        query.counters = counters
        query.isTailable = false
        let start = NIODeadline.now()
        let returned = counts ? try await count(query, in: collection) : try await drain(query, in: collection)
        let time = NIODeadline.now() - start
        let countsBySQL = counts && query.countsBySQL(in: collection)
        return QueryProfile(
            query: query, returned: returned, milliseconds: time.nanoseconds / 1_000_000, countsBySQL: countsBySQL,
            examined: countsBySQL ? returned : counters.examined,
            matched: countsBySQL ? returned : counters.matched,
            postgresPlans: asksPostgres
                ? try await postgresPlans(of: query, in: collection, countsBySQL: countsBySQL) : [])
    }

    private static let profileBatchMax = 10_000

    private func drain(_ query: FindQuery, in collection: Collection) async throws(StorageError) -> Int64 {
        var run = QueryRun(query, on: collection)
        var returned: Int64 = 0
        while !run.isExhausted {
            var batch = ReplyBatch(into: DocumentBuilder(), documentsMax: Self.profileBatchMax, showing: query)
            (batch, run) = try await fill(batch, from: run, deadline: query.deadline)
            returned += Int64(batch.count)
        }
        return returned
    }

    private func postgresPlans(
        of query: FindQuery, in collection: Collection, countsBySQL: Bool
    ) async throws(StorageError) -> [String] {
        let statements = query.statements(in: collection, countsBySQL: countsBySQL)
        return try await reading(query, in: collection, until: query.deadline) { connection throws(StorageError) in
            do throws(PostgresError) {
                return try statements.map { statement throws(PostgresError) in
                    let explained = Statement.once(
                        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement.text, statement.parameters)
                    return try connection.execute(explained).text(row: 0, column: 0) ?? "null"
                }
            } catch { throw .postgres(error) }
        }
    }
}

extension FindQuery {
    /// Whether a count of it is one of PostgreSQL's.
    package func countsBySQL(in collection: Collection) -> Bool {
        matchesEverything || scanPlan(collection).isExact
    }

    /// What counts the documents; those to skip count, too.
    func countStatement(in collection: Collection) -> Statement {
        scanPlan(collection).countStatement(upTo: matchesNeeded)
    }

    /// What is sent to PostgreSQL for it, as far as it can be told before.
    func statements(in collection: Collection, countsBySQL: Bool) -> [Statement] {
        if countsBySQL { return [countStatement(in: collection)] }
        if case .union = access { return scanPlans(collection).map(\.statement) }
        return [firstPlan(collection).statement]
    }

    /// - Parameter isPointRead: it reads one document by its `_id`, together with what others read so.
    package func shownStatements(
        in collection: Collection, countsBySQL: Bool, isPointRead: Bool
    ) -> [ShownStatement] {
        if isPointRead, !countsBySQL, let key = scanPlan(collection).points?.first {
            return [ShownStatement(Statement(collection.sql.pointRead, [.bytea(key)]))]
        }
        return statements(in: collection, countsBySQL: countsBySQL).map(ShownStatement.init)
    }
}
