internal import Synchronization

/// One thread of a pool and its connection: connects, takes what waits, runs it, puts the connection in order, and
/// begins again. Lives on its thread alone, except for `cancellation`.
final class DatabaseThread<Worker: DatabaseWorker> {
    private let worker: Worker
    private let options: PoolOptions
    private let queue: RequestQueue<Worker.Request>
    /// Which of the queue's threads this is.
    private let index: Int
    private let counters: PoolCounters
    private let cancellation: Cancellation
    private var connection: Connection?
    private var hasConnectedBefore = false
    /// The last attempt to connect failed: a thread that connects lazily tries by itself from then on, so that requests
    /// do not each wait for an attempt of their own.
    private var isServerAway = false

    init(
        worker: Worker, options: PoolOptions, queue: RequestQueue<Worker.Request>, index: Int, counters: PoolCounters,
        cancellation: Cancellation
    ) {
        self.worker = worker
        self.options = options
        self.queue = queue
        self.index = index
        self.counters = counters
        self.cancellation = cancellation
    }

    func run() {
        while isReady(), let turn = queue.take(index, idleMilliseconds: idleMilliseconds) {
            if turn.batch.isEmpty { rest() } else { serve(turn) }
        }
        disconnect()
        fail(queue.ended(index), with: .poolClosed)
    }

    private func isReady() -> Bool {
        connection != nil || (options.connectsLazily && !isServerAway) || connectPatiently()
    }

    private var idleMilliseconds: Int? {
        connection != nil && options.connectsLazily ? options.idleConnectionMilliseconds : nil
    }

    /// Nothing came for as long as an idle connection is kept.
    private func rest() {
        guard let connection, !connection.isTransactionOpen, !connection.isInTransaction else { return }
        disconnect()
    }

    private func serve(_ turn: RequestQueue<Worker.Request>.Turn) {
        do throws(PostgresError) {
            let connection = try liveConnection(hasSlept: turn.hasSlept)
            let start = counters.batchBegan(turn.batch.count)
            worker.run(turn.batch, on: connection)
            counters.batchEnded(since: start)
            if !connection.restoreIdle(keepingTransaction: options.keepsTransactions) { giveUpConnection() }
        } catch {
            isServerAway = true
            fail(turn.batch, with: error)
            giveUpConnection()
        }
    }

    /// While the thread slept, the server may have gone and come back: a batch must not pay for that.
    private func liveConnection(hasSlept: Bool) throws(PostgresError) -> Connection {
        if let connection, !hasSlept || connection.isAlive() { return connection }
        disconnect()
        return try connect()
    }

    private func giveUpConnection() {
        disconnect()
        queue.lost(index)
    }

    private func disconnect() {
        guard connection != nil else { return }
        cancellation.replace(with: nil)
        connection = nil
        counters.connected.count(-1)
    }

    /// Tries until it succeeds; false when the pool was closed meanwhile.
    private func connectPatiently() -> Bool {
        var backoff = Backoff()
        while true {
            do throws(PostgresError) {
                _ = try connect()
                return true
            } catch {
                fail(queue.connectFailed(with: error), with: error)
            }
            guard queue.pause(index, milliseconds: backoff.nextMilliseconds()) else { return false }
        }
    }

    private func connect() throws(PostgresError) -> Connection {
        let new = try Connection.connect(options.connection)
        do throws(PostgresError) {
            try worker.connected(new)
        } catch {
            throw PostgresError(.connectionFailed, error.message, state: error.state, detail: error.detail)
        }
        if hasConnectedBefore { counters.reconnects.count() }
        hasConnectedBefore = true
        isServerAway = false
        counters.connected.count()
        cancellation.replace(with: new.cancelHandle())
        connection = new
        return new
    }

    private func fail(_ batch: [Worker.Request], with error: PostgresError) {
        guard !batch.isEmpty else { return }
        counters.failed.count(batch.count)
        worker.fail(batch, with: error)
    }
}

/// The way to stop, from outside, what a thread's connection is running.
final class Cancellation: Sendable {
    private let handle = Mutex<CancelHandle?>(nil)

    func replace(with new: CancelHandle?) {
        handle.withLock { $0 = new }
    }

    func cancel() {
        // Out of the lock first: the request blocks for a round trip.
        let current = handle.withLock { $0 }
        current?.cancel()
    }
}
