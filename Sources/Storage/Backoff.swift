#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Exponential back-off with full jitter: a random wait between nothing and a bound that doubles.
///
/// Without jitter the losers of one race meet again at the next.
enum Backoff {
    static let firstBoundMicroseconds: UInt32 = 500
    static let lastBoundMicroseconds: UInt32 = 100_000

    /// On a database thread, which may block.
    static func pause(attempt: Int) { usleep(microseconds(attempt)) }

    static func sleep(attempt: Int) async {
        try? await Task.sleep(for: .microseconds(microseconds(attempt)))
    }

    private static func microseconds(_ attempt: Int) -> UInt32 {
        UInt32.random(
            in: 0...min(firstBoundMicroseconds << UInt32(min(max(attempt - 1, 0), 16)), lastBoundMicroseconds))
    }
}
