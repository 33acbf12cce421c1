/// Decides which thread takes how many requests, and when another one is woken. Pure: no lock, no clock, no thread;
/// ``RequestQueue`` feeds it events and carries out what it says.
///
/// Requests that wait while a thread is busy are its next batch: the round trip under way is the timer that gathers
/// it. Waking a second thread for each of them would cut the batches in pieces, which costs more than it gains (one
/// connection with batches of ten serves more reads than four with batches of three). So under ``WakePolicy/gather``
/// a request wakes a thread only when no thread is at work, or when `threshold` requests wait that no woken thread
/// will take.
///
/// That alone could stall: a thread at work may be waiting for a row lock, for seconds, while fewer than `threshold`
/// requests wait. So as long as requests wait for busy threads, one idle thread is the *watchman*: it sleeps with a
/// time limit, and when no thread has taken anything for that long, it takes the requests itself. Every take is from
/// the head of the queue, hence "something was taken" means "the oldest request was taken", and no time stamps are
/// needed. An idle pool has no watchman and never wakes up.
///
/// The invariant, restored by ``balance()`` after every event: if a request waits and a thread is idle, then a thread
/// has been summoned, or a watchman is posted (gather, or at the limit).
///
/// Where a ``ConcurrencyLimit`` is given, no more threads are summoned, or take, than it allows at the time. A thread
/// that comes too many sleeps again; the requests wait for those at work, each of which asks for more when it is done.
/// The limit is about throughput, and what is best for that may be bad for a request behind two that run for minutes:
/// so here, too, a watchman takes one beyond the limit when nothing was taken for a whole period. Once closed, the pool
/// only wants to end, and no limit holds.
///
/// A thread without a connection is *away*: it takes nothing. When one fails to connect and none is connected, the
/// breaker opens: what waits fails, and what comes fails at once, until a thread is back.
struct RequestQueueState {
    enum ThreadStatus: Equatable {
        /// Without a connection.
        case away
        /// Asleep until signalled.
        case idle
        /// Asleep with a time limit. Holds the number of takes it has seen.
        case watching(takesSeen: UInt64)
        /// Signalled to take, and not there yet.
        case summoned
        case running
        case ended
    }

    enum Decision: Equatable {
        /// Take this many from the head.
        case run(Int)
        /// Sleep as the thread's status says.
        case sleep
        case end
    }

    let policy: WakePolicy
    let batchMax: Int
    let queueMax: Int
    private(set) var statuses: [ThreadStatus]
    /// Sleeping threads; the one that slept last is woken first, its memory is still warm.
    private(set) var sleeping: [Int] = []
    private(set) var waiting = 0
    private(set) var summoned = 0
    private(set) var running = 0
    private(set) var takes: UInt64 = 0
    private(set) var watchman: Int?
    private(set) var isBreakerOpen = false
    private(set) var isClosed = false
    private(set) var concurrency: ConcurrencyLimit?

    init(
        threadCount: Int, policy: WakePolicy, batchMax: Int, queueMax: Int, concurrency: ConcurrencyLimit? = nil
    ) {
        self.concurrency = concurrency
        self.policy = policy
        self.batchMax = batchMax
        self.queueMax = queueMax
        statuses = Array(repeating: .away, count: threadCount)
    }

    var connected: Int { running + summoned + sleeping.count }

    /// How many threads may run at once.
    var runningMax: Int { isClosed ? statuses.count : concurrency?.limit ?? statuses.count }
}

// Events of requests.
extension RequestQueueState {
    enum Admission: Equatable {
        /// In the queue; the thread to signal, if any.
        case accepted(signal: Int?)
        case full
        case broken
        case closed
    }

    mutating func submitted() -> Admission {
        if isClosed { return .closed }
        if isBreakerOpen { return .broken }
        if waiting >= queueMax { return .full }
        waiting += 1
        return .accepted(signal: balance())
    }

    /// The threads to signal: they end when nothing waits any more.
    mutating func closed() -> [Int] {
        isClosed = true
        return Array(statuses.indices)
    }
}

// Events of threads.
extension RequestQueueState {
    /// A thread is done with a batch, if it had one; ``ready(_:)`` follows.
    mutating func finished(_ thread: Int, at now: UInt64) {
        guard statuses[thread] == .running else { return }
        concurrency?.finished(at: now, isSaturated: waiting > 0)
    }

    /// A thread with a connection asks for work: it is new, done with a batch, or was summoned.
    mutating func ready(_ thread: Int) -> Decision {
        leaveStatus(of: thread)
        isBreakerOpen = false
        if waiting > 0, running < runningMax { return take(thread) }
        if isClosed {
            statuses[thread] = .ended
            return .end
        }
        sleeping.append(thread)
        if waiting > 0, summoned == 0, watchman == nil {
            post(thread)
        } else {
            statuses[thread] = .idle
        }
        return .sleep
    }

    /// The watchman's time is up.
    mutating func watchExpired(_ thread: Int) -> Decision {
        guard case .watching(let takesSeen) = statuses[thread] else { return .sleep }
        if waiting == 0 {
            watchman = nil
            statuses[thread] = .idle
            return .sleep
        }
        if takes != takesSeen {
            statuses[thread] = .watching(takesSeen: takes)
            return .sleep
        }
        leaveStatus(of: thread)
        return take(thread)
    }

    /// A thread lost its connection.
    mutating func lost(_ thread: Int) -> Int? {
        leaveStatus(of: thread)
        statuses[thread] = .away
        return balance()
    }

    /// A thread that is away failed to connect. True: everything that waits is to fail.
    mutating func connectFailed() -> Bool {
        guard connected == 0 else { return false }
        isBreakerOpen = true
        waiting = 0
        return true
    }

    /// A thread that is away gives up, because the pool is closed. True: everything that waits is to fail.
    mutating func ended(_ thread: Int) -> Bool {
        leaveStatus(of: thread)
        statuses[thread] = .ended
        guard statuses.allSatisfy({ $0 == .ended }) else { return false }
        waiting = 0
        return true
    }

    /// After a take: another thread to signal, if more is left than the threads at work will take.
    mutating func balance() -> Int? {
        guard waiting > 0, let candidate = sleeping.last else { return nil }
        if needsThread {
            leaveStatus(of: candidate)
            statuses[candidate] = .summoned
            summoned += 1
            return candidate
        }
        // Under `eager`, a request that waits beside an idle thread has the limit against it.
        guard summoned == 0, watchman == nil else { return nil }
        post(candidate)
        return candidate
    }

    private mutating func post(_ thread: Int) {
        watchman = thread
        statuses[thread] = .watching(takesSeen: takes)
    }

    private var needsThread: Bool {
        guard running + summoned < runningMax else { return false }
        return switch policy {
        case .eager: waiting > summoned
        case .gather(let threshold, _): running + summoned == 0 || waiting - summoned * batchMax >= threshold
        }
    }

    private mutating func take(_ thread: Int) -> Decision {
        let count = min(waiting, batchMax)
        waiting -= count
        takes &+= 1
        running += 1
        statuses[thread] = .running
        return .run(count)
    }

    private mutating func leaveStatus(of thread: Int) {
        switch statuses[thread] {
        case .running: running -= 1
        case .summoned: summoned -= 1
        case .idle, .watching:
            sleeping.removeAll { $0 == thread }
            if watchman == thread { watchman = nil }
        case .away, .ended: break
        }
    }
}
