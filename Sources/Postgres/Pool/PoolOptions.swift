/// When a waiting request gets a thread of its own.
package enum WakePolicy: Sendable, Equatable {
    /// At once, while there is an idle one: for requests that each run long, such as scans.
    case eager
    /// Only when the threads at work cannot keep up: `threshold` requests wait, or none was taken for as long as
    /// `stallMilliseconds`. For short requests, which cost least in full batches on few connections.
    case gather(threshold: Int, stallMilliseconds: Int = 2)
}

/// Which thread may serve which request.
package enum Routing: Sendable, Equatable {
    /// One queue, served by all threads.
    case shared(WakePolicy)
    /// A queue for each thread; the lane of a request says which. Requests of one lane never overtake one another.
    case lanes
}

/// The shape of a pool.
package struct PoolOptions: Sendable {
    /// Names the threads, which the system cuts at 15 bytes.
    package var name: String
    package var connection: ConnectionOptions
    package var threadCount: Int
    package var routing: Routing
    /// The most requests given to the worker at once.
    package var batchMax: Int
    /// The most requests waiting in one queue; what comes beyond fails with `queueFull`.
    package var queueMax: Int
    /// Leaves a transaction open that a batch began, for workers whose transactions span batches.
    package var keepsTransactions = false
    /// A thread connects when it gets its first batch, not when it starts: for pools of many threads few of which are
    /// in use at most times. Whether the server can be reached shows at that batch.
    package var connectsLazily = false
    /// With ``connectsLazily``: a connection that nobody used for so long is closed. nil keeps it.
    package var idleConnectionMilliseconds: Int?
    /// With ``WakePolicy/eager``: how many threads run at once is found out, between this and `threadCount`. nil lets
    /// all of them run.
    package var runningMin: Int?
    /// Added to the niceness of the pool's threads (of ours, not of the server's processes).
    package var niceIncrement: Int32 = 0

    package init(
        name: String, connection: ConnectionOptions, threadCount: Int, routing: Routing, batchMax: Int,
        queueMax: Int = 10_000
    ) {
        self.name = name
        self.connection = connection
        self.threadCount = max(1, threadCount)
        self.routing = routing
        self.batchMax = max(1, batchMax)
        self.queueMax = max(1, queueMax)
    }

    var queueCount: Int { routing == .lanes ? threadCount : 1 }
    var threadsPerQueue: Int { routing == .lanes ? 1 : threadCount }

    /// Begins in the middle.
    var concurrency: ConcurrencyLimit? {
        guard let runningMin, routing == .shared(.eager) else { return nil }
        return ConcurrencyLimit(bounds: min(max(1, runningMin), threadCount)...threadCount, start: threadCount / 2)
    }

    /// The thread of a lane is the only one that could be woken.
    var wakePolicy: WakePolicy {
        if case .shared(let policy) = routing { policy } else { .eager }
    }
}
