/// How long a server that starts waits for PostgreSQL, and how often it says so. Pure: told the time, decides.
///
/// Whoever starts both together (a machine that boots, a group of containers) cannot know which is ready first, and
/// after a crash PostgreSQL may recover for a while. A server that gave up at once would depend on somebody who starts
/// it again; one that waited for ever would hide a wrong address from those who watch for the end of the process. What
/// does not pass by itself, such as a wrong password, is no matter of patience.
package struct StartPatience {
    static let limitMilliseconds = 60_000
    static let noticeMilliseconds = 5_000
    static let firstPauseMilliseconds = 100
    static let longestPauseMilliseconds = 1_000

    package enum Decision: Equatable {
        case fail
        /// Try again after so long, and before that say, if asked to, what is waited for.
        case pause(milliseconds: Int, says: Bool)
    }

    private var pauseMilliseconds = Self.firstPauseMilliseconds
    private var saidAt: Int?

    package init() {}

    /// An attempt failed.
    ///
    /// - Parameters:
    ///   - elapsed: milliseconds since the first attempt began.
    ///   - isPassing: whether the same attempt may succeed later.
    package mutating func failed(after elapsed: Int, isPassing: Bool) -> Decision {
        guard isPassing, elapsed < Self.limitMilliseconds else { return .fail }
        defer { pauseMilliseconds = min(pauseMilliseconds * 2, Self.longestPauseMilliseconds) }
        let says = saidAt.map { elapsed - $0 >= Self.noticeMilliseconds } ?? true
        if says { saidAt = elapsed }
        return .pause(milliseconds: min(pauseMilliseconds, Self.limitMilliseconds - elapsed), says: says)
    }
}
