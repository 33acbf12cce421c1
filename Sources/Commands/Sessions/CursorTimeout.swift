internal import CommandModel
package import NIOCore
internal import Storage
internal import Synchronization

/// How long an idle cursor lives, and how many have died of it.
package final class CursorTimeout: Sendable {
    private let millisecondsValue = Atomic<Int64>(CursorRegistry.idleMax.nanoseconds / 1_000_000)
    private let killedValue = Atomic<Int64>(0)

    package init() {}

    /// `cursorTimeoutMillis`.
    package var milliseconds: Int64 {
        get { millisecondsValue.load(ordering: .relaxed) }
        set { millisecondsValue.store(newValue, ordering: .relaxed) }
    }

    package var killed: Int64 { killedValue.load(ordering: .relaxed) }

    func count(_ killed: Int) { killedValue.add(Int64(killed), ordering: .relaxed) }
}

extension ServerState {
    /// Ends what sessions have open: cursors and transactions.
    func kill(sessions ids: Set<LogicalSessionID>) {
        engine.cursors.kill(sessions: ids)
        engine.transactions.kill(ids)
        engine.snapshots.kill(ids)
    }

    /// Forgets the sessions and kills the cursors whose time is over. To be called every few seconds.
    package func reapIdle(now: NIODeadline = .now()) {
        kill(sessions: sessions.reap(now: now))
        // The registry counts from its own limit; a clock moved by the difference makes it count from the one set.
        let shift = CursorRegistry.idleMax - .milliseconds(cursorTimeout.milliseconds)
        cursorTimeout.count(engine.cursors.reap(now: now + shift))
    }
}
