internal import CommandModel
internal import Postgres

extension Backoff {
    /// Attempts of one transaction that PostgreSQL refuses for a passing reason.
    static let attemptsMax = 10
}

extension Connection {
    /// Runs `transaction` to its commit, again when it was rolled back for a passing reason: another transaction
    /// closed a cycle of locks with it, or a plan was stale. `transaction` must start from nothing each time. A lock
    /// that a client's transaction holds is not waited for here: that may take long, and a thread would stand still.
    func repeatingRefused<R>(_ transaction: () throws(PostgresError) -> R) throws(PostgresError) -> R {
        var attempt = 1
        while true {
            do throws(PostgresError) {
                return try transaction()
            } catch {
                guard restoreIdle(), error.isPassing, error.state != .lockNotAvailable,
                    attempt < Backoff.attemptsMax
                else { throw error }
                Backoff.pause(attempt: attempt)
                attempt += 1
            }
        }
    }

    /// The same for work that may also fail by the client's fault.
    func repeatingRefused<R>(_ transaction: () throws(StorageError) -> R) throws(StorageError) -> R {
        var refusal: StorageError?
        do throws(PostgresError) {
            let result: R? = try repeatingRefused { () throws(PostgresError) in
                do throws(StorageError) {
                    return try transaction()
                } catch {
                    switch error {
                    case .postgres(let error): throw error
                    case .command, .newFacts:
                        refusal = error
                        return nil
                    }
                }
            }
            if let result { return result }
        } catch {
            throw .postgres(error)
        }
        throw refusal ?? .command(.lostTooManyRaces)
    }
}
