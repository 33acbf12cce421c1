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

    /// A write has happened.
    package func tick() -> UInt64 {
        let wall = UInt64(truncatingIfNeeded: Self.wallMilliseconds() / 1_000) << 32 | 1
        return last.withLockedValue { last in
            last = max(last &+ 1, wall)
            return last
        }
    }
}
