package import CommandModel
package import Metrics
internal import NIOConcurrencyHelpers
package import NIOCore
package import Storage

/// The logical sessions that clients have used: for `endSessions`, the time-out of 30 minutes, and the newest number
/// that each has given to a write.
package final class SessionRegistry: Sendable {
    package let sessionsMax: Int
    /// Uses of sessions that were not noted, because too many are.
    package let unnoted = Counter()
    package static let idleMax = TimeAmount.minutes(30)

    private struct Entry {
        var lastUse: NIODeadline
        var newestNumber: Int64?
    }

    private let entries = NIOLockedValueBox<[LogicalSessionID: Entry]>([:])

    package init(sessionsMax: Int = 1_000_000) { self.sessionsMax = sessionsMax }

    package var all: Set<LogicalSessionID> { Set(entries.withLockedValue { $0.keys }) }

    /// The sessions, and for how long nobody has used each.
    package func idleTimes(now: NIODeadline = .now()) -> [(id: LogicalSessionID, idleMilliseconds: Int64)] {
        entries.withLockedValue { entries in
            entries.map { ($0.key, max(0, (now - $0.value.lastUse).nanoseconds / 1_000_000)) }
        }
    }

    package var count: Int { entries.withLockedValue { $0.count } }

    package func touch(_ id: LogicalSessionID, now: NIODeadline = .now()) {
        entries.withLockedValue { entries in
            guard entries[id] == nil else {
                entries[id]?.lastUse = now
                return
            }
            // A flood of ids must not fill the memory; a session that is not noted here works all the same.
            guard entries.count < sessionsMax else { return unnoted.count() }
            entries[id] = Entry(lastUse: now)
        }
    }

    /// Whether a command may have come before, here or through another server: only a number that is newer than one
    /// that came here is certainly new.
    ///
    /// - Throws: TransactionTooOld (225).
    package func mayHaveSeen(_ identity: RetryIdentity) throws(CommandError) -> Bool {
        let newest = entries.withLockedValue { entries -> Int64? in
            guard let entry = entries[identity.session] else { return nil }
            if entry.newestNumber ?? .min < identity.number {
                entries[identity.session]?.newestNumber = identity.number
            }
            return entry.newestNumber
        }
        guard let newest else { return true }
        guard identity.number >= newest else { throw .transactionTooOld(identity.number, newest: newest) }
        return identity.number == newest
    }

    /// Notes the number of a new transaction.
    ///
    /// - Throws: TransactionTooOld (225), and when a retryable write has the number already.
    package func begins(_ number: Int64, of id: LogicalSessionID) throws(CommandError) {
        let newest = entries.withLockedValue { $0[id]?.newestNumber }
        guard let newest, newest >= number else { return }
        if newest > number { throw .transactionTooOld(number, newest: newest) }
        throw CommandError(
            .conflictingOperationInProgress,
            "number \(number) is that of a retryable write of the session, not of a transaction")
    }

    package func end(_ ids: some Sequence<LogicalSessionID>) {
        entries.withLockedValue { entries in
            for id in ids { entries[id] = nil }
        }
    }

    /// - Returns: the sessions whose time was over; their cursors are to be killed.
    package func reap(now: NIODeadline = .now()) -> Set<LogicalSessionID> {
        entries.withLockedValue { entries in
            let expired = Set(entries.filter { now - $0.value.lastUse >= Self.idleMax }.keys)
            for id in expired { entries[id] = nil }
            return expired
        }
    }
}
