package import BSON
package import CommandModel
internal import Postgres
package import Query
internal import SQL

extension StorageEngine {
    /// How many documents match, after `skip` and up to `limit`.
    ///
    /// PostgreSQL counts alone when the filter says nothing that the key range does not.
    package func count(
        _ query: FindQuery, in collection: Collection
    ) async throws(StorageError) -> Int64 {
        await prepareStatistics(of: collection)
        let query = try query.choosingAccess(in: collection)
        return try await reading(query, in: collection, until: query.deadline) { connection throws(StorageError) in
            try Self.count(query, in: collection, on: connection)
        }
    }

    static func count(
        _ query: FindQuery, in collection: Collection, on connection: Connection
    ) throws(StorageError) -> Int64 {
        try query.filter.checkNearIndex(of: collection)
        let query = try query.choosingAccess(in: collection)
        let isForSQL = query.countsBySQL(in: collection)
        let total =
            isForSQL
            ? try countBySQL(query, collection, on: connection) : try countByScan(query, collection, on: connection)
        let afterSkip = max(0, total - Int64(query.skip))
        return query.limit.map { min(afterSkip, Int64($0)) } ?? afterSkip
    }

    private static func countBySQL(
        _ query: FindQuery, _ collection: Collection, on connection: Connection
    ) throws(StorageError) -> Int64 {
        do throws(PostgresError) {
            let result = try connection.execute(
                query.scanPlan(collection).countStatement.commented(query.deadline.comment))
            return result.int8(row: 0, column: 0) ?? 0
        } catch {
            throw .postgres(error)
        }
    }

    private static func countByScan(
        _ query: FindQuery, _ collection: Collection, on connection: Connection
    ) throws(StorageError) -> Int64 {
        let enough = query.matchesNeeded.map(Int64.init)
        var total: Int64 = 0
        for var plan in query.scanPlans(collection) where total != enough {
            plan.order = .unordered
            _ = try Scanner(on: connection, deadline: query.deadline).forEachRow(of: plan) { row throws(StorageError) in
                if try query.accepts(row) { total += 1 }
                return total != enough
            }
        }
        return total
    }

    /// The distinct values at the collector's path among the matching documents.
    package func distinct(
        _ query: FindQuery, into collector: DistinctCollector, in collection: Collection
    ) async throws(StorageError) -> DistinctCollector {
        await prepareStatistics(of: collection)
        let query = try query.choosingAccess(in: collection)
        return try await reading(query, in: collection, until: query.deadline) { connection throws(StorageError) in
            try Self.distinct(query, into: collector, in: collection, on: connection)
        }
    }

    static func distinct(
        _ query: FindQuery, into collector: DistinctCollector, in collection: Collection, on connection: Connection
    ) throws(StorageError) -> DistinctCollector {
        try query.filter.checkNearIndex(of: collection)
        var collector = collector
        let query = try query.choosingAccess(in: collection)
        for var plan in query.scanPlans(collection) {
            plan.order = .unordered
            _ = try Scanner(on: connection, deadline: query.deadline).forEachRow(of: plan) { row throws(StorageError) in
                guard try query.accepts(row) else { return true }
                do throws(CommandError) { try collector.add(row.document) } catch { throw .command(error) }
                return true
            }
        }
        return collector
    }
}
