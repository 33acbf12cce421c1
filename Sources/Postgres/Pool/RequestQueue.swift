internal import DequeModule
internal import Metrics

/// The requests waiting for one thread, or for the threads that share them: ``RequestQueueState`` under a lock.
//
// Safety: everything mutable is touched only within `monitor.withLock`.
final class RequestQueue<Request: Sendable>: @unchecked Sendable {
    private let monitor: Monitor
    private var state: RequestQueueState
    private var requests = Deque<Waiting>()
    private var outage: PostgresError?
    private let stallMilliseconds: Int
    private let isLimited: Bool
    /// Gets how long each request waited, in nanoseconds.
    private let waits: Histogram

    private struct Waiting {
        let request: Request
        let since: UInt64
    }

    /// What a thread gets to do; nothing when it has been idle for as long as it said.
    struct Turn {
        let batch: [Request]
        /// The thread slept before: its connection may have died unnoticed.
        let hasSlept: Bool
    }

    init(_ options: PoolOptions, waits: Histogram) {
        self.waits = waits
        monitor = Monitor(conditionCount: options.threadsPerQueue)
        state = RequestQueueState(
            threadCount: options.threadsPerQueue, policy: options.wakePolicy, batchMax: options.batchMax,
            queueMax: options.queueMax, concurrency: options.concurrency)
        stallMilliseconds =
            if case .gather(_, let milliseconds) = options.wakePolicy { max(1, milliseconds) } else { 100 }
        isLimited = options.concurrency != nil
    }

    var count: Int { monitor.withLock { requests.count } }

    /// How many threads may run at once.
    var runningMax: Int { monitor.withLock { state.runningMax } }

    var isClosed: Bool { monitor.withLock { state.isClosed } }

    var isBreakerOpen: Bool { monitor.withLock { state.isBreakerOpen } }

    /// Queues a request; the error with which it is to fail if there is no place for it.
    func submit(_ request: Request) -> PostgresError? {
        let waiting = Waiting(request: request, since: MonotonicClock.nanoseconds())
        let (admission, outage) = monitor.withLock {
            let admission = state.submitted()
            if case .accepted = admission { requests.append(waiting) }
            return (admission, admission == .broken ? self.outage : nil)
        }
        switch admission {
        case .accepted(let thread):
            signal(thread)
            return nil
        case .full: return PostgresError(.queueFull, "too many requests are waiting for the database")
        case .closed: return .poolClosed
        case .broken: return outage ?? PostgresError(.connectionFailed, "the database is away")
        }
    }

    /// Waits for work. Nil when the pool is closed and everything was served.
    func take(_ thread: Int, idleMilliseconds: Int? = nil) -> Turn? {
        let now = isLimited ? MonotonicClock.nanoseconds() : 0
        let (taken, next) = monitor.withLock {
            if isLimited { state.finished(thread, at: now) }
            let taken = awaitTurn(thread, idleMilliseconds)
            return (taken, taken == nil ? nil : state.balance())
        }
        signal(next)
        guard let taken else { return nil }
        // Out of the lock, which those who submit wait for.
        recordWaits(of: taken.batch)
        return Turn(batch: taken.batch.map(\.request), hasSlept: taken.hasSlept)
    }

    private func recordWaits(of batch: [Waiting]) {
        let now = MonotonicClock.nanoseconds()
        for waiting in batch { waits.record(Int(truncatingIfNeeded: now &- waiting.since)) }
    }

    /// The thread's connection broke.
    func lost(_ thread: Int) {
        signal(monitor.withLock { state.lost(thread) })
    }

    /// A thread could not connect. Returns what is to fail for it.
    func connectFailed(with error: PostgresError) -> [Request] {
        monitor.withLock {
            guard state.connectFailed() else { return [] }
            outage = error
            return takeAll()
        }
    }

    /// A thread without a connection ends. Returns what nobody will serve.
    func ended(_ thread: Int) -> [Request] {
        monitor.withLock { state.ended(thread) ? takeAll() : [] }
    }

    /// Sleeps between two attempts to connect; false when the pool was closed.
    func pause(_ thread: Int, milliseconds: Int) -> Bool {
        monitor.withLock {
            if !state.isClosed { _ = monitor.wait(thread, milliseconds: milliseconds) }
            return !state.isClosed
        }
    }

    /// Takes no more requests; the threads end when they have served what waits.
    func close() {
        for thread in monitor.withLock({ state.closed() }) { monitor.signal(thread) }
    }

    private func signal(_ thread: Int?) {
        if let thread { monitor.signal(thread) }
    }

    private func takeAll() -> [Request] {
        defer { requests.removeAll() }
        return requests.map(\.request)
    }

    // Within the lock.
    private func awaitTurn(_ thread: Int, _ idleMilliseconds: Int?) -> (batch: [Waiting], hasSlept: Bool)? {
        var decision = state.ready(thread)
        var hasSlept = false
        while true {
            switch decision {
            case .end: return nil
            case .run(let count): return (takeFirst(count), hasSlept)
            case .sleep:
                hasSlept = true
                guard let next = sleep(thread, idleMilliseconds) else { return ([], true) }
                decision = next
            }
        }
    }

    /// Nil when the thread is idle still after the time it wants to be told about. It stays on the list of those that
    /// sleep: who needs it meanwhile marks it as summoned, and it learns that when it asks again.
    private func sleep(_ thread: Int, _ idleMilliseconds: Int?) -> RequestQueueState.Decision? {
        switch state.statuses[thread] {
        case .idle where state.isClosed: return state.ready(thread)
        case .idle:
            guard let idleMilliseconds else {
                monitor.wait(thread)
                return .sleep
            }
            let isInTime = monitor.wait(thread, milliseconds: idleMilliseconds)
            if !isInTime, state.statuses[thread] == .idle, !state.isClosed { return nil }
        case .watching:
            if !monitor.wait(thread, milliseconds: stallMilliseconds) { return state.watchExpired(thread) }
        case .summoned, .running, .away, .ended: return state.ready(thread)
        }
        return .sleep
    }

    private func takeFirst(_ count: Int) -> [Waiting] {
        let batch = Array(requests.prefix(count))
        requests.removeFirst(count)
        return batch
    }
}
