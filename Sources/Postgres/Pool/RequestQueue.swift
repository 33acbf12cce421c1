internal import DequeModule

/// The requests waiting for one thread, or for the threads that share them: ``RequestQueueState`` under a lock.
//
// Safety: everything mutable is touched only within `monitor.withLock`.
final class RequestQueue<Request: Sendable>: @unchecked Sendable {
    private let monitor: Monitor
    private var state: RequestQueueState
    private var requests = Deque<Request>()
    private var outage: PostgresError?
    private let stallMilliseconds: Int

    /// What a thread gets to do; nothing when it has been idle for as long as it said.
    struct Turn {
        let batch: [Request]
        /// The thread slept before: its connection may have died unnoticed.
        let hasSlept: Bool
    }

    init(threadCount: Int, policy: WakePolicy, batchMax: Int, queueMax: Int) {
        monitor = Monitor(conditionCount: threadCount)
        state = RequestQueueState(threadCount: threadCount, policy: policy, batchMax: batchMax, queueMax: queueMax)
        stallMilliseconds = if case .gather(_, let milliseconds) = policy { max(1, milliseconds) } else { 1 }
    }

    var count: Int { monitor.withLock { requests.count } }

    var isClosed: Bool { monitor.withLock { state.isClosed } }

    /// Queues a request; the error with which it is to fail if there is no place for it.
    func submit(_ request: Request) -> PostgresError? {
        let (admission, outage) = monitor.withLock {
            let admission = state.submitted()
            if case .accepted = admission { requests.append(request) }
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
        let (turn, next) = monitor.withLock {
            let turn = awaitTurn(thread, idleMilliseconds)
            return (turn, turn == nil ? nil : state.balance())
        }
        signal(next)
        return turn
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
        return Array(requests)
    }

    // Within the lock.
    private func awaitTurn(_ thread: Int, _ idleMilliseconds: Int?) -> Turn? {
        var decision = state.ready(thread)
        var hasSlept = false
        while true {
            switch decision {
            case .end: return nil
            case .run(let count): return Turn(batch: takeFirst(count), hasSlept: hasSlept)
            case .sleep:
                hasSlept = true
                guard let next = sleep(thread, idleMilliseconds) else { return Turn(batch: [], hasSlept: true) }
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

    private func takeFirst(_ count: Int) -> [Request] {
        let batch = Array(requests.prefix(count))
        requests.removeFirst(count)
        return batch
    }
}
