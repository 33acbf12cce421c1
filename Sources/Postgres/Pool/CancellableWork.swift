internal import SQL
internal import Synchronization

/// Work on a pool's connection that another thread may cancel: ``WorkState`` under a lock.
///
///     let work = CancellableWork { /* answer: it was cancelled before it began */ }
///     CancelWatch.shared.cancel(work, at: deadline)
///     …                                                   // on the pool's thread
///     guard work.begin(on: connection) else { return }
///     let result = …
///     work.end(on: connection)
package final class CancellableWork: Sendable {
    private struct Guarded {
        var state = WorkState()
        var handle: CancelHandle?
    }

    private let guarded = Mutex(Guarded())
    private let answer: @Sendable () -> Void

    /// - Parameter answer: called, at most once, when the work is cancelled before it begins. Must not block.
    package init(answer: @escaping @Sendable () -> Void) {
        self.answer = answer
    }

    /// False when it was cancelled already: it has its answer and must not run.
    ///
    /// - Parameter connection: nil when the work ends without one, because there is none to be had.
    package func begin(on connection: Connection?) -> Bool {
        let handle = connection?.cancelHandle()
        return guarded.withLock { guarded in
            guard guarded.state.began() else { return false }
            guarded.handle = handle
            return true
        }
    }

    /// Waits for a cancel request that is on its way.
    package func end(on connection: Connection) {
        let mayBeHit = guarded.withLock { guarded in
            guarded.handle = nil
            return guarded.state.ended()
        }
        let keeps = connection.isTransactionOpen
        guard mayBeHit, connection.restoreIdle(keepingTransaction: keeps) else { return }
        // Something in between (a pooler) may have taken its time: better this statement than the next one.
        _ = try? connection.execute(script: "SELECT 1")
    }

    /// Cancels it in whatever state it is. Blocks for a round trip when it runs: for ``CancelWatch`` only.
    ///
    /// - Returns: whether it may still be running, and is to be cancelled again.
    func cancel() -> Bool {
        let cancellation = guarded.withLock { guarded in
            let cancellation = guarded.state.cancelled()
            // Within the lock, so that the work does not end before the request has arrived.
            if cancellation == .request { guarded.handle?.cancel() }
            return cancellation
        }
        if cancellation == .answer { answer() }
        return cancellation == .request
    }
}
