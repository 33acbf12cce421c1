internal import NIOConcurrencyHelpers

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The logical time of the deployment: seconds in the high 32 bits, an increment in the low ones.
///
/// It never goes back, whatever the wall clock does, and it ticks with each write, so that `operationTime` orders
/// what one client did.
package final class ClusterClock: Sendable {
    private let last = NIOLockedValueBox<UInt64>(0)

    package init() {}

    /// Milliseconds since 1970 UTC.
    package static func wallMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    package func current() -> UInt64 {
        let wall = UInt64(truncatingIfNeeded: Self.wallMilliseconds() / 1_000) << 32 | 1
        return last.withLockedValue { last in
            last = max(last, wall)
            return last
        }
    }

    /// What a client has heard from another server of the same deployment moves this clock on, so that times only grow
    /// for that client. A time more than a year ahead is nobody's and is ignored, as MongoDB refuses it.
    package func observe(_ time: UInt64) {
        let limit = UInt64(truncatingIfNeeded: Self.wallMilliseconds() / 1_000 + 365 * 86_400) << 32
        guard time < limit else { return }
        last.withLockedValue { $0 = max($0, time) }
    }

    /// A write has happened.
    package func tick() -> UInt64 {
        let wall = UInt64(truncatingIfNeeded: Self.wallMilliseconds() / 1_000) << 32 | 1
        return last.withLockedValue { last in
            last = max(last &+ 1, wall)
            return last
        }
    }
}
