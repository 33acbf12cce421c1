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
        let query = try query.counting.choosingAccess(in: collection)
        return try await reading(query, in: collection, until: query.deadline) { connection throws(StorageError) in
            try Self.count(query, in: collection, on: connection)
        }
    }

    static func count(
        _ query: FindQuery, in collection: Collection, on connection: Connection
    ) throws(StorageError) -> Int64 {
        try query.checkNearIndex(in: collection)
        let query = try query.counting.choosingAccess(in: collection)
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
            let statement = query.countStatement(in: collection)
            query.deadline.note(sql: statement.text)
            let result = try connection.execute(statement.commented(query.deadline.comment))
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
        let query = try query.asking(for: collector).choosingAccess(in: collection)
        return try await reading(query, in: collection, until: query.deadline) { connection throws(StorageError) in
            try Self.distinct(query, into: collector, in: collection, on: connection)
        }
    }

    static func distinct(
        _ query: FindQuery, into collector: DistinctCollector, in collection: Collection, on connection: Connection
    ) throws(StorageError) -> DistinctCollector {
        try query.checkNearIndex(in: collection)
        var collector = collector
        var query = try query.asking(for: collector).choosingAccess(in: collection)
        if case .keys(let keys) = query.access, keys.distinctFields > 0 {
            if try distinct(query, by: keys, into: &collector, in: collection, on: connection) { return collector }
            (query.distinct, query.access) = (nil, .undecided)
            query = try query.choosingAccess(in: collection)
        }
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

    /// By one document for each value. What is not there has the key of null: where the first document of that key has
    /// no field another one may have a null.
    ///
    /// - Returns: false when there are more values than it pays for.
    private static func distinct(
        _ query: FindQuery, by keys: KeyScan, into collector: inout DistinctCollector, in collection: Collection,
        on connection: Connection
    ) throws(StorageError) -> Bool {
        let scanner = Scanner(on: connection, deadline: query.deadline)
        var plan = query.scanPlan(collection)
        plan.rowLimit = KeyScan.stepsMax
        var steps = 0
        var open = Scanner.Mark()
        func add(_ row: borrowing Scanner.Row) throws(StorageError) -> Bool {
            guard try query.accepts(row) else { return false }
            do throws(CommandError) { return try collector.add(row.document) } catch { throw .command(error) }
        }
        _ = try scanner.forEachRow(of: plan) { row throws(StorageError) in
            steps += 1
            if try !add(row) { open.note(row) }
            return true
        }
        guard steps < KeyScan.stepsMax else { return false }
        if case .index(let open)? = open.position {
            plan = query.scanPlan(collection)
            plan.keys = keys.group(of: open)
            _ = try scanner.forEachRow(of: plan) { row throws(StorageError) in try !add(row) }
        }
        return true
    }
}

extension FindQuery {
    /// The same for who wants to know how many documents there are.
    package var counting: FindQuery {
        var query = self
        query.isCount = true
        return query
    }

    /// The same for who wants the values of a field only.
    package func asking(for collector: DistinctCollector) -> FindQuery {
        var query = self
        query.distinct = DistinctDemand(path: collector.path, collator: collector.order.collator)
        return query
    }
}
