internal import Metrics
internal import Synchronization

final class PoolCounters: Sendable {
    let connected = Atomic<Int>(0)
    let batches = Atomic<Int>(0)
    let requests = Atomic<Int>(0)
    let failed = Atomic<Int>(0)
    let shed = Atomic<Int>(0)
    let reconnects = Atomic<Int>(0)
    let busy = Atomic<Int>(0)
    let busyNanoseconds = Atomic<Int>(0)
    let waits = Histogram(.waits)
    let batchSizes = Histogram(.sizes)

    func snapshot(queued: Int, threads: Int, runningMax: Int, breakersOpen: Int) -> PoolMetrics {
        var metrics = PoolMetrics(waits: waits.snapshot, batchSizes: batchSizes.snapshot)
        metrics.queued = queued
        metrics.connected = connected.load(ordering: .relaxed)
        metrics.batches = batches.load(ordering: .relaxed)
        metrics.requests = requests.load(ordering: .relaxed)
        metrics.failed = failed.load(ordering: .relaxed)
        metrics.shed = shed.load(ordering: .relaxed)
        metrics.reconnects = reconnects.load(ordering: .relaxed)
        metrics.threads = threads
        metrics.runningMax = runningMax
        metrics.busy = busy.load(ordering: .relaxed)
        metrics.busyNanoseconds = busyNanoseconds.load(ordering: .relaxed)
        metrics.breakersOpen = breakersOpen
        return metrics
    }

    /// A batch of this many begins; to be followed by ``batchEnded(since:)`` with what this returns.
    func batchBegan(_ count: Int) -> UInt64 {
        batches.count()
        requests.count(count)
        batchSizes.record(count)
        busy.count()
        return MonotonicClock.nanoseconds()
    }

    func batchEnded(since start: UInt64) {
        busy.count(-1)
        busyNanoseconds.count(Int(truncatingIfNeeded: MonotonicClock.nanoseconds() &- start))
    }
}

extension Atomic where Value == Int {
    @inline(__always)
    borrowing func count(_ amount: Int = 1) {
        wrappingAdd(amount, ordering: .relaxed)
    }
}
