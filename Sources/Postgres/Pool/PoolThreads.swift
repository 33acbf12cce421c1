internal import Synchronization

/// The threads of a pool as seen by its owner: started together, ended together.
final class PoolThreads: Sendable {
    private struct Started: Sendable {
        let thread: NativeThread
        let cancellation: Cancellation
    }

    private let started = Mutex<[Started]>([])
    private let alive = Atomic<Int>(0)
    /// Signalled when the last thread is about to end.
    private let ending = Monitor(conditionCount: 1)

    /// After the grace period, a cancel request this often: one may hit the pause between two statements.
    private static let cancelIntervalMilliseconds = 500

    init(count: Int) {
        started.withLock { $0.reserveCapacity(count) }
    }

    func start(
        name: String, niceIncrement: Int32, cancellation: Cancellation, _ body: @escaping @Sendable () -> Void
    ) -> Bool {
        alive.count()
        let thread = NativeThread.start(name: name, niceIncrement: niceIncrement) {
            body()
            self.threadEnded()
        }
        guard let thread else {
            threadEnded()
            return false
        }
        started.withLock { $0.append(Started(thread: thread, cancellation: cancellation)) }
        return true
    }

    /// Waits for all of them. A second caller finds nothing left to wait for.
    func joinAll(gracePeriodMilliseconds: Int) {
        let threads = started.withLock { threads in
            defer { threads.removeAll() }
            return threads
        }
        var isEnded = awaitEnd(milliseconds: gracePeriodMilliseconds)
        while !isEnded {
            for thread in threads { thread.cancellation.cancel() }
            isEnded = awaitEnd(milliseconds: Self.cancelIntervalMilliseconds)
        }
        for thread in threads { thread.thread.join() }
    }

    private func threadEnded() {
        ending.withLock { alive.count(-1) }
        ending.signal(0)
    }

    private func awaitEnd(milliseconds: Int) -> Bool {
        ending.withLock {
            var isInTime = true
            while alive.load(ordering: .relaxed) > 0 && isInTime {
                isInTime = ending.wait(0, milliseconds: milliseconds)
            }
            return alive.load(ordering: .relaxed) == 0
        }
    }
}
