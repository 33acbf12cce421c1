package import CommandModel
internal import NIOConcurrencyHelpers
package import NIOCore

/// The logical sessions that clients have used: bookkeeping for `endSessions` and the time-out of 30 minutes.
package final class SessionRegistry: Sendable {
    package static let sessionsMax = 1_000_000
    package static let idleMax = TimeAmount.minutes(30)

    private let lastUse = NIOLockedValueBox<[LogicalSessionID: NIODeadline]>([:])

    package init() {}

    package var all: Set<LogicalSessionID> { Set(lastUse.withLockedValue { $0.keys }) }

    package var count: Int { lastUse.withLockedValue { $0.count } }

    package func touch(_ id: LogicalSessionID, now: NIODeadline = .now()) {
        lastUse.withLockedValue { sessions in
            // A flood of ids must not fill the memory; a session that is not noted here works all the same.
            if sessions.count < Self.sessionsMax || sessions[id] != nil { sessions[id] = now }
        }
    }

    package func end(_ ids: some Sequence<LogicalSessionID>) {
        lastUse.withLockedValue { sessions in
            for id in ids { sessions[id] = nil }
        }
    }

    /// - Returns: the sessions whose time was over; their cursors are to be killed.
    package func reap(now: NIODeadline = .now()) -> Set<LogicalSessionID> {
        lastUse.withLockedValue { sessions in
            let expired = Set(sessions.filter { now - $0.value >= Self.idleMax }.keys)
            for id in expired { sessions[id] = nil }
            return expired
        }
    }
}
