internal import NIOConcurrencyHelpers
internal import Storage

/// The standing of this server as drivers see it through `hello`: whether it takes writes now, and how often that has
/// changed.
///
/// Drivers monitor with an awaitable `hello`: it is answered when the counter has moved or its time is over. The
/// waiting commands stand in a list here, so that a change reaches all of them at once and an idle server polls
/// nothing.
///
/// Source: specifications/source/server-discovery-and-monitoring/server-monitoring.md
package final class Topology: Sendable {
    package struct State: Sendable, Equatable {
        /// `topologyVersion.counter`: 0 at the start, one more with each change.
        package fileprivate(set) var counter: Int64 = 0
        package fileprivate(set) var isWritable = true
    }

    private struct Shared {
        var state = State()
        var waiters: [ObjectIdentifier: Waiter] = [:]
    }

    private let shared = NIOLockedValueBox(Shared())

    package init() {}

    package var state: State { shared.withLockedValue { $0.state } }

    /// The number of commands that wait for a change.
    package var waiterCount: Int { shared.withLockedValue { $0.waiters.count } }

    /// The server has lost PostgreSQL, or has it again.
    package func setWritable(_ isWritable: Bool) {
        let waiters = shared.withLockedValue { shared -> [Waiter] in
            guard shared.state.isWritable != isWritable else { return [] }
            shared.state.isWritable = isWritable
            shared.state.counter += 1
            return Array(shared.waiters.values)
        }
        for waiter in waiters { waiter.finish() }
    }

    /// A test pretends a change. Drivers take an error for the echo of a change that they know of, and ignore it,
    /// unless its counter is new to them. Those who wait are told at once that all is as before.
    package func pretendChange() {
        let waiters = shared.withLockedValue { shared -> [Waiter] in
            shared.state.counter += 1
            return Array(shared.waiters.values)
        }
        for waiter in waiters { waiter.finish() }
    }

    /// Returns when the counter is no longer `counter`, when `limit` is over, when the client has left, or when the
    /// task is cancelled.
    package func waitForChange(from counter: Int64, atMost limit: Duration, for client: ConnectionInfo? = nil) async {
        guard limit > .zero else { return }
        let waiter = Waiter()
        let isCurrent = shared.withLockedValue { shared in
            guard shared.state.counter == counter else { return false }
            shared.waiters[ObjectIdentifier(waiter)] = waiter
            return true
        }
        guard isCurrent else { return }
        client?.whenLeft { waiter.finish() }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { try? await Task.sleep(for: limit) }
            group.addTask { await waiter.wait() }
            await group.next()
            group.cancelAll()
        }
        client?.whenLeft(nil)
        shared.withLockedValue { _ = $0.waiters.removeValue(forKey: ObjectIdentifier(waiter)) }
    }
}
