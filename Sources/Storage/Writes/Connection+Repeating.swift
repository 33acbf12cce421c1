internal import Postgres

extension Backoff {
    /// Attempts of one transaction that PostgreSQL refuses for a passing reason.
    static let attemptsMax = 10
}

extension Connection {
    /// Runs `transaction` to its commit, again when it was rolled back for a passing reason: another transaction
    /// closed a cycle of locks with it, or a plan was stale. `transaction` must start from nothing each time.
    func repeatingRefused<R>(_ transaction: () throws(PostgresError) -> R) throws(PostgresError) -> R {
        var attempt = 1
        while true {
            do throws(PostgresError) {
                return try transaction()
            } catch {
                guard restoreIdle(), error.isPassing, attempt < Backoff.attemptsMax else { throw error }
                Backoff.pause(attempt: attempt)
                attempt += 1
            }
        }
    }
}
