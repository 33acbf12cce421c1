#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Exponential back-off with full jitter: a random wait between nothing and a bound that doubles.
///
/// Without jitter the losers of one race meet again at the next. Called on database threads only, which may block.
enum Backoff {
    static let firstBoundMicroseconds: UInt32 = 500
    static let lastBoundMicroseconds: UInt32 = 100_000

    static func pause(attempt: Int) {
        let bound = min(firstBoundMicroseconds << UInt32(min(max(attempt - 1, 0), 16)), lastBoundMicroseconds)
        usleep(UInt32.random(in: 0...bound))
    }
}
