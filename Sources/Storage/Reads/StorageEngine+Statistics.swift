package import BSON
package import CommandModel
internal import Postgres
internal import Query
internal import SQL

/// Exact numbers and bytes of a collection.
package struct CollectionStatistics: Sendable {
    package var documentCount: Int64 = 0
    /// Bytes of BSON.
    package var documentBytes: Int64 = 0
    /// Bytes on disk, without indexes.
    package var storageBytes: Int64 = 0
    package var indexBytes: Int64 = 0
    /// The part of the secondary ones, in the order in which they were made.
    package var secondaryIndexBytes: [(name: String, bytes: Int64)] = []
}

package struct ValidationReport: Sendable {
    package var uuid: [UInt8]
    /// Of the secondary indexes, in the order in which they were made.
    package var keyCounts: [(name: String, count: Int64)] = []
    package var documentCount: Int64 = 0
    package var invalidCount: Int64 = 0
}

/// How many collections of each kind there are.
package struct CatalogCounts: Sendable {
    package var plain: Int64 = 0
    package var capped: Int64 = 0
    package var views: Int64 = 0
    package var timeseries: Int64 = 0
    /// Of those, the ones whose names are the server's own.
    package var internalCollections: Int64 = 0
}

extension StorageEngine {
    package func catalogCounts(deadline: Deadline) async throws(StorageError) -> CatalogCounts {
        try await general.withConnection(until: deadline) { connection throws(StorageError) in
            let row = try CatalogSQL.execute(
                """
                SELECT count(*) FILTER (WHERE kind <> 'view'), count(*) FILTER (WHERE kind = 'capped'), \
                count(*) FILTER (WHERE kind = 'view'), \
                count(*) FILTER (WHERE position('\\x0374696d6573657269657300'::bytea IN options) > 0), \
                count(*) FILTER (WHERE kind <> 'view' AND (database IN ('admin', 'config', 'local') \
                OR name LIKE 'system.%')) FROM martlet.collections
                """, [], on: connection)
            var counts = CatalogCounts()
            counts.plain = row.int8(row: 0, column: 0) ?? 0
            counts.capped = row.int8(row: 0, column: 1) ?? 0
            counts.views = row.int8(row: 0, column: 2) ?? 0
            counts.timeseries = row.int8(row: 0, column: 3) ?? 0
            counts.internalCollections = row.int8(row: 0, column: 4) ?? 0
            return counts
        }
    }

    package func statistics(of namespace: Namespace) async throws(StorageError) -> CollectionStatistics? {
        let sizes = try await catalog.collections(in: namespace.database)
        guard let sizes = sizes.first(where: { $0.collection.namespace == namespace }) else { return nil }
        return try await statistics(of: sizes)
    }

    package func statistics(
        ofDatabase database: String
    ) async throws(StorageError) -> (collections: Int, views: Int, indexes: Int, total: CollectionStatistics) {
        let sizes = try await catalog.collections(in: database)
        var total = CollectionStatistics()
        let tables = sizes.filter { $0.collection.view == nil }
        for collection in tables {
            let statistics = try await statistics(of: collection)
            total.documentCount += statistics.documentCount
            total.documentBytes += statistics.documentBytes
            total.storageBytes += statistics.storageBytes
            total.indexBytes += statistics.indexBytes
        }
        let indexes = tables.reduce(0) { $0 + $1.collection.indexCount }
        return (tables.count, sizes.count - tables.count, indexes, total)
    }

    private func statistics(of sizes: CollectionSizes) async throws(StorageError) -> CollectionStatistics {
        try await general.withConnection { connection throws(StorageError) in
            do throws(PostgresError) {
                let result = try connection.execute(
                    Statement(
                        """
                        SELECT count(*), coalesce(sum(octet_length(doc)), 0)::bigint \
                        FROM \(sizes.collection.sql.table)
                        """
                    ))
                return CollectionStatistics(
                    documentCount: result.int8(row: 0, column: 0) ?? 0,
                    documentBytes: result.int8(row: 0, column: 1) ?? 0,
                    storageBytes: sizes.storageSize, indexBytes: sizes.indexSize,
                    secondaryIndexBytes: try Self.secondaryIndexBytes(of: sizes.collection, on: connection))
            } catch {
                throw .postgres(error)
            }
        }
    }

    private static func keyCounts(
        of collection: Collection, on connection: Connection
    ) throws(StorageError) -> [(name: String, count: Int64)] {
        var counts: [(name: String, count: Int64)] = []
        for index in collection.readyIndexes {
            let row = try CatalogSQL.execute("SELECT count(*) FROM \(index.table)", [], on: connection)
            counts.append((index.definition.name, row.int8(row: 0, column: 0) ?? 0))
        }
        return counts
    }

    private static func secondaryIndexBytes(
        of collection: Collection, on connection: Connection
    ) throws(PostgresError) -> [(name: String, bytes: Int64)] {
        guard collection.hasIndexes else { return [] }
        let rows = try connection.execute(
            Statement(
                "SELECT name, size FROM martlet.index_sizes WHERE collection = $1 ORDER BY number",
                [.int8(collection.number)]))
        return (0..<rows.rowCount).compactMap { row in
            rows.text(row: row, column: 0).map { ($0, rows.int8(row: row, column: 1) ?? 0) }
        }
    }

    /// Reads every document and checks that it is valid BSON.
    package func validate(
        _ collection: Collection, deadline: Deadline = .never
    ) async throws(StorageError) -> ValidationReport {
        try await general.withConnection(until: deadline) { connection throws(StorageError) in
            var report = ValidationReport(uuid: collection.uuid)
            let plan = ScanPlan(collection, order: .unordered)
            _ = try Scanner(on: connection, deadline: deadline).forEachRow(of: plan) { row throws(StorageError) in
                report.documentCount += 1
                do throws(BSONValidationError) {
                    try RawDocument.validate(row.document.bytes)
                } catch {
                    report.invalidCount += 1
                }
                return true
            }
            report.keyCounts = try Self.keyCounts(of: collection, on: connection)
            return report
        }
    }
}

extension Collection {
    /// With the one on `_id`, where there is one.
    fileprivate var indexCount: Int {
        let own = kind.hasIDIndex ? 1 : 0
        if case .success(let indexes) = indexes { return own + indexes.count }
        return own
    }
}
