internal import Synchronization

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
    /// Connections made after the first of each thread.
    package var reconnects = 0
}

final class PoolCounters: Sendable {
    let connected = Atomic<Int>(0)
    let batches = Atomic<Int>(0)
    let requests = Atomic<Int>(0)
    let failed = Atomic<Int>(0)
    let reconnects = Atomic<Int>(0)

    func snapshot(queued: Int) -> PoolMetrics {
        PoolMetrics(
            queued: queued, connected: connected.load(ordering: .relaxed), batches: batches.load(ordering: .relaxed),
            requests: requests.load(ordering: .relaxed), failed: failed.load(ordering: .relaxed),
            reconnects: reconnects.load(ordering: .relaxed))
    }
}

extension Atomic where Value == Int {
    @inline(__always)
    borrowing func count(_ amount: Int = 1) {
        wrappingAdd(amount, ordering: .relaxed)
    }
}
