package import Logging
internal import SQL

/// Makes the views of SQL that could not be made with their collections, and drops those that nobody needs
/// (`sql/migrations/0012_sql_views.sql`).
package struct ViewRefresher: Sendable {
    /// Of one run: the rest has time until the next.
    static let transactionsMax = 100
    /// As many rows as it changes. Few in a transaction, because each view that it makes is a lock.
    private static let refreshing = Statement("SELECT generate_series(1, martlet.refresh_views(100))")

    /// - Returns: how many it made and dropped.
    package static func run(with keeper: inout LeaseKeeper, logger: Logger) async -> Int {
        var changed = 0
        for _ in 0..<transactionsMax {
            await keeper.tick()
            do throws(StorageError) {
                guard let count = try await keeper.execute(refreshing) else { return changed }
                changed += count
                if count == 0 { return changed }
                logger.info("views of SQL refreshed", metadata: ["changes": "\(count)"])
            } catch {
                logger.debug("views of SQL not refreshed", metadata: ["error": "\(error)"])
                return changed
            }
        }
        return changed
    }
}
