/// What a pool has done since it was made, at one moment.
package struct PoolMetrics: Sendable, Equatable {
    /// Waiting now.
    package var queued = 0
    /// Threads that have a connection now.
    package var connected = 0
    /// Batches given to the worker, and the requests in them.
    package var batches = 0
    package var requests = 0
    /// Requests that failed without reaching the server.
    package var failed = 0
    /// Of these, the ones that found the queue full.
    package var shed = 0
    /// Connections made after the first of each thread.
    package var reconnects = 0
    /// Threads of the pool, and how many of them are running a batch now.
    package var threads = 0
    package var busy = 0
    /// The time of all threads together that went into batches.
    package var busyNanoseconds = 0
    /// Threads that may run a batch at once.
    package var runningMax = 0
    /// Queues whose breaker is open: what comes fails at once, because PostgreSQL is away.
    package var breakersOpen = 0
    /// From the submission of a request to the moment a thread takes it.
    package var waits: HistogramSnapshot
    /// Requests in a batch.
    package var batchSizes: HistogramSnapshot

    package init(waits: HistogramSnapshot, batchSizes: HistogramSnapshot) {
        self.waits = waits
        self.batchSizes = batchSizes
    }
}
