package import CommandModel
internal import Synchronization

/// One command at a time for each session, in the order of arrival.
///
/// A client sends the commands of a session one after another. Two at once are a retry that came while the original
/// still runs, or a misuse: either way the second must see what the first has done.
package final class SessionTurns: Sendable {
    package static let waitersMaxDefault = 1_000

    private typealias Waiter = UnsafeContinuation<Grant, Never>

    private enum Grant {
        case turn
        case full
        case cancelled
    }

    private struct Guarded {
        var state: SessionTurnState
        var waiters: [UInt64: Waiter] = [:]
    }

    private let guarded: Mutex<Guarded>
    private let tickets = Atomic<UInt64>(0)

    /// - Parameter waitersMax: for one session.
    package init(waitersMax: Int = waitersMaxDefault) {
        guarded = Mutex(Guarded(state: SessionTurnState(waitersMax: waitersMax)))
    }

    package var inUse: Int { guarded.withLock { $0.state.inUse } }

    /// Runs `body` when all who came before are done with the session.
    ///
    /// - Throws: what `body` throws; Interrupted (11601) when the task is cancelled while it waits;
    ///   IngressRequestRateLimitExceeded (462) when too many wait.
    package func withTurn<R>(
        _ id: LogicalSessionID, _ body: () async throws(CommandError) -> R
    ) async throws(CommandError) -> R {
        try await take(id)
        defer { release(id) }
        return try await body()
    }

    /// For whoever cannot put the use into a closure: ``release(_:)`` must follow, exactly once.
    package func take(_ id: LogicalSessionID) async throws(CommandError) {
        let isFree = guarded.withLock { guarded in
            !guarded.state.isInUse(id) && guarded.state.requested(id, by: 0) == .granted
        }
        if isFree { return }
        switch await waitForTurn(id, tickets.wrappingAdd(1, ordering: .relaxed).newValue) {
        case .turn: return
        case .cancelled: throw CommandError(.interrupted, "the client went away")
        case .full:
            throw .overloaded("too many operations wait for the session")
        }
    }

    package func release(_ id: LogicalSessionID) {
        let next = guarded.withLock { guarded in
            guarded.state.released(id).flatMap { guarded.waiters.removeValue(forKey: $0) }
        }
        next?.resume(returning: .turn)
    }

    private func waitForTurn(_ id: LogicalSessionID, _ ticket: UInt64) async -> Grant {
        await withTaskCancellationHandler {
            await withUnsafeContinuation { (waiter: Waiter) in
                // Cancellation sets the flag before it calls the handler: either the flag shows here, or the handler
                // finds the waiter on the list.
                let grant = guarded.withLock { Task.isCancelled ? .cancelled : request(id, ticket, waiter, &$0) }
                if let grant { waiter.resume(returning: grant) }
            }
        } onCancel: {
            giveUp(id, ticket)
        }
    }

    /// Nil when the waiter is on the list now.
    private func request(
        _ id: LogicalSessionID, _ ticket: UInt64, _ waiter: Waiter, _ guarded: inout Guarded
    ) -> Grant? {
        switch guarded.state.requested(id, by: ticket) {
        case .granted: return .turn
        case .full: return .full
        case .waiting:
            guarded.waiters[ticket] = waiter
            return nil
        }
    }

    private func giveUp(_ id: LogicalSessionID, _ ticket: UInt64) {
        let waiter = guarded.withLock { guarded in
            guarded.state.gaveUp(id, ticket) ? guarded.waiters.removeValue(forKey: ticket) : nil
        }
        waiter?.resume(returning: .cancelled)
    }
}
