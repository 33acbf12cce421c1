package import Logging
internal import Metrics
internal import SQL

/// Forgets the recordings of writes that nobody will send again: rows of `martlet.sessions` whose time is over.
///
/// In small transactions: one that deleted everything would hold its rows' locks for as long as it takes, and its
/// dead rows back from vacuum. A row that is being written is left out: its session lives again.
package struct SessionReaper: Sendable {
    package static let rowsPerTransaction = 1_000
    /// Of one run: the rest has time until the next.
    package static let transactionsMax = 1_000

    /// The second look at the time is for a row that got a new one between the search and the lock.
    private static let statement = Statement(
        """
        DELETE FROM martlet.sessions WHERE expires_at < now() AND lsid = ANY (ARRAY(
            SELECT lsid FROM martlet.sessions WHERE expires_at < now() LIMIT \(rowsPerTransaction)
            FOR UPDATE SKIP LOCKED))
        """)

    /// - Returns: how many rows it deleted.
    package static func run(
        with keeper: inout LeaseKeeper, counters: LeaseCounters, logger: Logger
    ) async -> Int {
        var reaped = 0
        for _ in 0..<transactionsMax {
            await keeper.tick()
            do throws(StorageError) {
                guard let count = try await keeper.execute(statement) else { return reaped }
                reaped += count
                counters.sessionsReaped.count(count)
                if count < rowsPerTransaction { return reaped }
            } catch {
                logger.debug("sessions not reaped", metadata: ["error": "\(error)"])
                return reaped
            }
        }
        return reaped
    }
}
