package import CommandModel
internal import DequeModule
internal import NIOConcurrencyHelpers

/// One command at a time for each session: a retry that overtakes its original waits until that is answered, and a
/// transaction's statements follow one another.
///
/// Only sessions with a command under way are kept here. Those who wait are served in the order they came.
package final class SessionTurns: Sendable {
    /// A client that sends more for one session is not waiting for answers.
    static let waitingMax = 1_000

    private typealias Waiter = UnsafeContinuation<Void, Never>

    private enum Admission {
        case now
        case full
        case later
    }

    private let busy = NIOLockedValueBox<[LogicalSessionID: Deque<Waiter>]>([:])

    package init() {}

    /// Sessions with a command under way.
    package var count: Int { busy.withLockedValue { $0.count } }

    /// Runs `body` when nothing else runs for `session`.
    package func withTurn<R: Sendable>(
        _ session: LogicalSessionID, _ body: () async throws(CommandError) -> R
    ) async throws(CommandError) -> R {
        guard await begin(session) else {
            throw CommandError(
                .ingressRequestRateLimitExceeded, "too many commands of one session are waiting",
                labels: ["SystemOverloadedError", "RetryableError"])
        }
        defer { end(session) }
        return try await body()
    }

    private func begin(_ session: LogicalSessionID) async -> Bool {
        let admission: Admission = busy.withLockedValue { busy in
            guard let waiting = busy[session] else {
                busy[session] = []
                return .now
            }
            return waiting.count < Self.waitingMax ? .later : .full
        }
        switch admission {
        case .now: return true
        case .full: return false
        case .later: break
        }
        await withUnsafeContinuation { continuation in
            // The turn may have become free in between.
            let isFree = busy.withLockedValue { busy in
                guard busy[session] != nil else {
                    busy[session] = []
                    return true
                }
                busy[session]?.append(continuation)
                return false
            }
            if isFree { continuation.resume() }
        }
        return true
    }

    private func end(_ session: LogicalSessionID) {
        let next = busy.withLockedValue { busy -> Waiter? in
            guard let next = busy[session]?.popFirst() else {
                busy[session] = nil
                return nil
            }
            return next
        }
        next?.resume()
    }
}
