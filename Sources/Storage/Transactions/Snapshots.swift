package import CommandModel
internal import NIOConcurrencyHelpers
package import NIOCore

/// The snapshots that reads outside transactions hold: those of cursors, and those that a client's snapshot session
/// names again by their time.
///
/// PostgreSQL keeps a snapshot as long as a transaction that took it is open, so each costs a connection. Nobody says
/// when it is not needed any more: a driver sends the time that the first read told with as many later reads as it
/// likes. Hence few of them, each for a minute at most; when one more is wanted the oldest goes, and who still reads in
/// it is told that the snapshot is too old (239), which MongoDB says for the same reason.
package final class Snapshots: Sendable {
    package static let openMax = 8
    package static let lifetime = TimeAmount.seconds(60)

    private struct Entry {
        let time: UInt64
        let session: LogicalSessionID?
        let transaction: OpenTransaction
        let expiry: NIODeadline
    }

    /// From the oldest to the newest.
    private let entries = NIOLockedValueBox<[Entry]>([])
    private let lanes: TransactionLanes

    init(lanes: TransactionLanes) {
        self.lanes = lanes
    }

    package var count: Int { entries.withLockedValue { $0.count } }

    /// Opens a snapshot, which is taken by the first read in it.
    ///
    /// - Parameter time: the cluster time by which it is known.
    package func open(
        at time: UInt64, for session: LogicalSessionID?, isolation: OpenTransaction.Isolation = .snapshot
    ) async throws(CommandError) -> OpenTransaction {
        let transaction = try await OpenTransaction.open(on: lanes, isolation: isolation, isReadOnly: true)
        let entry = Entry(time: time, session: session, transaction: transaction, expiry: .now() + Self.lifetime)
        let surplus = entries.withLockedValue { entries in
            entries.append(entry)
            return entries.count > Self.openMax ? entries.removeFirst() : nil
        }
        surplus?.transaction.orderAbort()
        return transaction
    }

    /// - Throws: SnapshotTooOld (239).
    package func find(_ time: UInt64, of session: LogicalSessionID?) throws(CommandError) -> OpenTransaction {
        let found = entries.withLockedValue { entries in
            entries.first { $0.time == time && $0.session == session }
        }
        guard let found, !found.transaction.isOver else { throw .snapshotTooOld }
        return found.transaction
    }

    /// Ends those whose time is up. To be called every second or so.
    package func reap(now: NIODeadline = .now()) { end { $0.expiry <= now } }

    package func kill(_ sessions: Set<LogicalSessionID>) {
        end { entry in entry.session.map(sessions.contains) ?? false }
    }

    private func end(_ isMeant: (Entry) -> Bool) {
        let ended = entries.withLockedValue { entries in
            let ended = entries.filter(isMeant)
            entries.removeAll(where: isMeant)
            return ended
        }
        for entry in ended { entry.transaction.orderAbort() }
    }
}

extension CommandError {
    package static let snapshotTooOld = CommandError(
        ErrorCode(239, "SnapshotTooOld"),
        "the snapshot is gone: it is kept for a minute at most, and few are kept at once")
}
