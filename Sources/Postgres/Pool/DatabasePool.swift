package import Metrics
internal import Synchronization

/// Threads that own a connection each and serve the requests submitted, in batches that form by themselves: whatever
/// waits when a thread gets to it is its batch. No timers, no artificial delay; an idle pool sleeps.
///
///     let pool = try DatabasePool(worker: worker, options: options)
///     pool.submit(request)            // from any thread, never blocks
///     pool.shutdown()                 // serves what waits, then ends
///
/// The threads connect on their own: requests submitted before that wait for the first attempt. When the server is
/// away, requests fail at once while the threads keep trying to reach it.
package final class DatabasePool<Worker: DatabaseWorker>: Sendable {
    package let options: PoolOptions
    private let worker: Worker
    private let queues: [RequestQueue<Worker.Request>]
    private let counters = PoolCounters()
    private let threads: PoolThreads
    private let nextLane = Atomic<Int>(0)

    package init(worker: Worker, options: PoolOptions) throws(PostgresError) {
        self.options = options
        self.worker = worker
        let waits = counters.waits
        queues = (0..<options.queueCount).map { _ in
            RequestQueue(options, waits: waits)
        }
        threads = PoolThreads(count: options.threadCount)
        for number in 0..<options.threadCount {
            guard startThread(number) else {
                shutdown()
                throw PostgresError(.connectionFailed, "the system refuses to start a thread for a connection")
            }
        }
    }

    /// Queues a request. With ``Routing/lanes`` the lanes take turns.
    package func submit(_ request: Worker.Request) {
        submit(request, lane: queues.count == 1 ? 0 : nextLane.wrappingAdd(1, ordering: .relaxed).oldValue)
    }

    /// Queues a request for the thread of its lane, any number: the same lane is always the same thread.
    package func submit(_ request: Worker.Request, lane: Int) {
        let index = Int(UInt(bitPattern: lane) % UInt(queues.count))
        guard let error = queues[index].submit(request) else { return }
        counters.failed.count()
        if error.kind == .queueFull { counters.shed.count() }
        worker.fail([request], with: error)
    }

    package var metrics: PoolMetrics {
        counters.snapshot(
            queued: queues.reduce(0) { $0 + $1.count }, threads: options.threadCount,
            runningMax: queues.reduce(0) { $0 + $1.runningMax }, breakersOpen: queues.count(where: \.isBreakerOpen))
    }

    /// Takes no more requests, serves those that wait, ends the threads and returns when they are gone. What still
    /// runs after the grace period is cancelled. Blocks: not for an event loop nor a task.
    package func shutdown(gracePeriodMilliseconds: Int = 10_000) {
        for queue in queues { queue.close() }
        threads.joinAll(gracePeriodMilliseconds: gracePeriodMilliseconds)
    }

    /// ``shutdown(gracePeriodMilliseconds:)`` for tasks.
    package func shutdownGracefully(gracePeriodMilliseconds: Int = 10_000) async {
        await withCheckedContinuation { continuation in
            let thread = NativeThread.start(name: "\(options.name)-end") {
                self.shutdown(gracePeriodMilliseconds: gracePeriodMilliseconds)
                continuation.resume()
            }
            // Without a thread to wait on, the pool's own end by themselves.
            guard let thread else { return continuation.resume() }
            thread.detach()
        }
    }

    private func startThread(_ number: Int) -> Bool {
        let queue = queues[number / options.threadsPerQueue]
        let index = number % options.threadsPerQueue
        let cancellation = Cancellation()
        let (worker, options, counters) = (worker, options, counters)
        return threads.start(
            name: "\(options.name)-\(number)", niceIncrement: options.niceIncrement, cancellation: cancellation
        ) {
            DatabaseThread(
                worker: worker, options: options, queue: queue, index: index, counters: counters,
                cancellation: cancellation
            ).run()
        }
    }
}
