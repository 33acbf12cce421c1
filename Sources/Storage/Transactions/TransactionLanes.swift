package import CommandModel
package import Postgres
internal import Synchronization

/// Leases the lanes of a pool, each to one transaction at a time: ``LaneLeaseState`` under a lock.
///
/// A lane is a thread and its connection. When all are taken, who comes waits its turn, up to a number and a time.
package final class TransactionLanes: Sendable {
    package static let waitersMaxDefault = 1_000
    package static let waitMillisecondsDefault = 5_000

    private typealias Waiter = UnsafeContinuation<Grant, Never>

    private enum Grant {
        case lane(Int)
        case full
        case tooLate
        case cancelled
        case closed
    }

    private struct Guarded {
        var state: LaneLeaseState
        var waiters: [UInt64: Waiter] = [:]
    }

    let pool: DatabasePool<GeneralWorker>
    private let guarded: Mutex<Guarded>
    private let tickets = Atomic<UInt64>(0)
    private let waitMilliseconds: Int

    /// - Parameter pool: made with ``TransactionPool/options(connection:laneCount:lifetimeMilliseconds:)``, and used by
    ///   nobody else.
    package init(
        pool: DatabasePool<GeneralWorker>, waitersMax: Int = waitersMaxDefault,
        waitMilliseconds: Int = waitMillisecondsDefault
    ) {
        self.pool = pool
        self.waitMilliseconds = waitMilliseconds
        let state = LaneLeaseState(laneCount: pool.options.threadCount, waitersMax: waitersMax)
        guarded = Mutex(Guarded(state: state))
    }

    package var leased: Int { guarded.withLock { $0.state.leased } }
    package var waiting: Int { guarded.withLock { $0.state.waiters.count } }

    /// A lane to be given back with ``release(_:)``.
    ///
    /// - Throws: IngressRequestRateLimitExceeded (462) when too many wait, or none became free in time.
    func lease() async throws(CommandError) -> Int {
        let ticket = tickets.wrappingAdd(1, ordering: .relaxed).newValue
        // Nearly always there is a free one, and no need of a timer.
        let atOnce: Grant? = guarded.withLock { $0.state.mustWait ? nil : request(ticket, nil, &$0) }
        let grant = if let atOnce { atOnce } else { await waitInTime(ticket) }
        switch grant {
        case .lane(let lane): return lane
        case .full: throw .overloaded("too many transactions are waiting for a connection")
        case .tooLate: throw .overloaded("no connection for the transaction became free in time")
        case .cancelled: throw CommandError(.interrupted, "the client went away")
        case .closed: throw .shuttingDown
        }
    }

    func release(_ lane: Int) {
        let next = guarded.withLock { guarded in
            guarded.state.released(lane).flatMap { guarded.waiters.removeValue(forKey: $0) }
        }
        next?.resume(returning: .lane(lane))
    }

    /// Leases no more lanes. Those on lease are given back as ever.
    package func close() {
        let waiters = guarded.withLock { guarded in
            guarded.state.closed().compactMap { guarded.waiters.removeValue(forKey: $0) }
        }
        for waiter in waiters { waiter.resume(returning: .closed) }
    }

    private func waitInTime(_ ticket: UInt64) async -> Grant {
        async let _: Void = expire(ticket)
        return await waitForGrant(ticket)
    }

    private func waitForGrant(_ ticket: UInt64) async -> Grant {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (waiter: Waiter) in
                // Cancellation sets the flag before it calls the handler: either the flag shows here, or the handler
                // finds the waiter on the list.
                let grant = guarded.withLock { Task.isCancelled ? .cancelled : request(ticket, waiter, &$0) }
                if let grant { waiter.resume(returning: grant) }
            }
        } onCancel: {
            giveUp(ticket, .cancelled)
        }
    }

    /// Nil when the waiter is on the list now.
    private func request(_ ticket: UInt64, _ waiter: Waiter?, _ guarded: inout Guarded) -> Grant? {
        switch guarded.state.requested(by: ticket) {
        case .granted(let lane): return .lane(lane)
        case .full: return .full
        case .closed: return .closed
        case .waiting:
            guarded.waiters[ticket] = waiter
            return nil
        }
    }

    private func expire(_ ticket: UInt64) async {
        do {
            try await Task.sleep(for: .milliseconds(waitMilliseconds))
            giveUp(ticket, .tooLate)
        } catch {
            // The wait is over, and nobody needs the timer any more.
        }
    }

    private func giveUp(_ ticket: UInt64, _ reason: Grant) {
        let waiter = guarded.withLock { guarded in
            guarded.state.gaveUp(ticket) ? guarded.waiters.removeValue(forKey: ticket) : nil
        }
        waiter?.resume(returning: reason)
    }
}

extension CommandError {
    static let shuttingDown = CommandError(
        .shutdownInProgress, "the server is shutting down", labels: ["TransientTransactionError"])
}
