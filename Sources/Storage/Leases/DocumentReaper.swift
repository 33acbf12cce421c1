internal import BSON
package import Logging
internal import NIOCore
internal import Postgres
internal import SQL

/// Deletes documents that are older than their collection's `expireAfterSeconds`: measurements of time series by their
/// time, documents of clustered collections by an `_id` that is a date. Both are ranges of keys.
package struct DocumentReaper: Sendable {
    package static let rowsPerTransaction = 1_000
    /// Of one collection in one run: the rest has time until the next.
    package static let transactionsMax = 1_000

    /// - Parameter now: milliseconds since 1970.
    /// - Returns: how many documents it deleted.
    package static func run(
        with keeper: inout LeaseKeeper, engine: StorageEngine, now: Int64, logger: Logger
    ) async -> Int {
        var reaped = 0
        do throws(StorageError) {
            for (collection, seconds) in try await engine.catalog.expiring() {
                guard let statement = statement(collection, expired: now - seconds * 1_000) else { continue }
                for _ in 0..<transactionsMax {
                    await keeper.tick()
                    guard let count = try await keeper.execute(statement) else { return reaped }
                    reaped += count
                    if count < rowsPerTransaction { break }
                }
            }
        } catch {
            // The collection may have been dropped: the next run looks again.
            logger.debug("documents not reaped", metadata: ["error": "\(error)"])
        }
        return reaped
    }

    private static func statement(_ collection: Collection, expired milliseconds: Int64) -> Statement? {
        guard collection.isClustered || collection.timeseries != nil else { return nil }
        let table = collection.sql.table
        let first = ByteBuffer(bytes: [KeyEncoder.bracket(of: .date).first])
        let end = collection.key(of: .date(milliseconds))
        return Statement(
            """
            DELETE FROM \(table) WHERE id = ANY (ARRAY(SELECT id FROM \(table) WHERE id >= $1 AND id < $2 \
            ORDER BY id LIMIT \(rowsPerTransaction) FOR UPDATE SKIP LOCKED))
            """, [.bytea(first), .bytea(end)])
    }
}

extension Catalog {
    /// The collections whose documents expire, with the seconds after which they do.
    fileprivate func expiring() async throws(StorageError) -> [(Collection, seconds: Int64)] {
        try await pool.withConnection { connection throws(StorageError) in
            try CatalogSQL.mayExpire(on: connection).compactMap { collection in
                let seconds = collection.options.withRaw { $0["expireAfterSeconds"]?.number?.asInt64Exact }
                // Before 1970 nothing was written.
                guard let seconds, (0...Int64(UInt32.max)).contains(seconds) else { return nil }
                return (collection, seconds)
            }
        }
    }
}
