package import NIOCore

/// The thread that cancels: work whose time is over, and work that somebody wants stopped. A cancel request blocks for
/// a round trip, so neither an event loop nor a thread with work of its own may send it.
///
/// One for the process, and only from the first use on: an idle one costs nothing, and there is nothing to shut down.
//
// Safety: everything mutable is touched only within `monitor.withLock`.
package final class CancelWatch: @unchecked Sendable {
    package static let shared = CancelWatch()

    /// How long a cancelled work may take to end before it is cancelled once more.
    private static let repeatAfter = TimeAmount.milliseconds(50)

    private let monitor = Monitor(conditionCount: 1)
    private var due = DueList<ObjectIdentifier>()
    private var works: [ObjectIdentifier: CancellableWork] = [:]
    private var hasThread = false

    /// Cancels `work` at `instant`, or at the next that was asked for if that is earlier.
    package func cancel(_ work: CancellableWork, at instant: NIODeadline) {
        let (mustStart, mustWake) = monitor.withLock {
            works[ObjectIdentifier(work)] = work
            let mustWake = due.set(ObjectIdentifier(work), at: instant)
            defer { hasThread = true }
            return (!hasThread, mustWake)
        }
        if mustStart { start() } else if mustWake { monitor.signal(0) }
    }

    /// The work is over.
    package func forget(_ work: CancellableWork) {
        monitor.withLock {
            works[ObjectIdentifier(work)] = nil
            due.remove(ObjectIdentifier(work))
        }
    }

    private func start() {
        guard let thread = NativeThread.start(name: "cancel-watch", { self.run() }) else {
            // Without a thread work still ends by the checks between its statements; the next one tries again.
            return monitor.withLock { hasThread = false }
        }
        thread.detach()
    }

    private func run() {
        while true {
            for work in awaitDue() where work.cancel() { cancel(work, at: .now() + Self.repeatAfter) }
        }
    }

    private func awaitDue() -> [CancellableWork] {
        monitor.withLock {
            while true {
                let ripe = due.takeDue(now: .now()).compactMap { works.removeValue(forKey: $0) }
                if !ripe.isEmpty { return ripe }
                guard let wakeAt = due.wakeAt else {
                    monitor.wait(0)
                    continue
                }
                // Rounded up, or the last millisecond would be spent awake.
                let milliseconds = max(0, (wakeAt - .now()).nanoseconds) / 1_000_000 + 1
                _ = monitor.wait(0, milliseconds: Int(min(milliseconds, 3_600_000)))
            }
        }
    }
}

/// What is due when, and when its watcher has to look next. Pure.
///
/// A dictionary, not a heap: nearly all that is entered is removed before its time, and what is due is looked for
/// only at the times that were asked for.
struct DueList<ID: Hashable> {
    private var instants: [ID: NIODeadline] = [:]
    /// No later than the earliest entry; nil when there is none.
    private(set) var wakeAt: NIODeadline?

    var count: Int { instants.count }

    /// - Returns: whether the watcher must look earlier than it intends to.
    mutating func set(_ id: ID, at instant: NIODeadline) -> Bool {
        instants[id] = min(instant, instants[id] ?? instant)
        if let wakeAt, wakeAt <= instant { return false }
        wakeAt = instant
        return true
    }

    mutating func remove(_ id: ID) {
        instants[id] = nil
    }

    /// Removes what is due by `now`.
    mutating func takeDue(now: NIODeadline) -> [ID] {
        guard let wakeAt, wakeAt <= now else { return [] }
        let ids = instants.filter { $0.value <= now }.map(\.key)
        for id in ids { instants[id] = nil }
        self.wakeAt = instants.values.min()
        return ids
    }
}
