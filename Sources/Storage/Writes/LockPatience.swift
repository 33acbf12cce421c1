internal import CommandModel
internal import Postgres

/// Waiting for the end of a client's transaction that holds a lock: here, where it costs no thread and no place in a
/// lock queue of PostgreSQL (behind a waiting DROP every later reader would stand, too).
enum LockPatience {
    /// Longer than a transaction may live.
    static let milliseconds: Int64 = 90_000

    /// Runs `work` until no transaction holds what it needs.
    static func wait<R: Sendable>(
        until deadline: Deadline = .never, _ work: (_ meetsLocks: Bool) async throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        let patience = Deadline(maxTimeMilliseconds: milliseconds)
        var attempt = 1
        while true {
            do throws(StorageError) {
                return try await work(attempt > 1)
            } catch {
                guard case .postgres(let refusal) = error, refusal.state == .lockNotAvailable else { throw error }
                try deadline.check()
                if patience.hasPassed { throw error }
            }
            await Backoff.sleep(attempt: attempt)
            attempt += 1
        }
    }
}
