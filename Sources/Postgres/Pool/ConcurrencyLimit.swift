/// Finds out how many threads of a pool should run at once: climbs to where most requests are finished. Pure: told what
/// ends and when, it says ``limit``; ``RequestQueueState`` keeps to it.
///
/// The obvious design is a fixed number, such as twice the processors. It was the design here (four), and it is right
/// on the machine where it was measured. But the number that is best is not ours to know: it depends on how many
/// processors PostgreSQL has, on another machine perhaps; on whether a request waits for a disk (more threads help) or
/// for a processor (they get in each other's way); on whether writes meet on the same rows; and it changes when the
/// load does. Nor do waiting times tell: they grow with too few threads and with too many. What is wanted is
/// throughput, so that is what is measured, in the only way that needs no model: try one thread more or fewer, and
/// compare.
///
/// A comparison that is done carelessly follows noise. Hence:
/// - Only a saturated pool is measured. When a request ends and none waits, the rate shows the clients, not the limit:
///   the comparison is given up, and the limit goes back to where it was.
/// - A *window* lasts until enough time has passed and enough requests have ended, whichever is later, and begins when
///   as many have ended as could have begun under the limit before.
/// - Home and trial take turns, twice: home, trial, home, trial. Both trials must beat both homes by a margin. A jump
///   of the load favours one side of one pair, not of both; one lost pair ends the comparison at once.
/// - The margin is hysteresis: of two limits that are equally good within it, neither ever beats the other, and the
///   pool stays where it is.
/// - After a success it goes on in the same direction. After a failure it turns, and when both directions have failed
///   it rests, each time twice as long, up to a bound: a pool at its best loses little to trials, and a change of the
///   load is found out all the same.
///
/// Invariants: `bounds` holds `home` and `limit`; they differ by at most one, and only in a trial.
struct ConcurrencyLimit: Equatable, Sendable {
    /// A trial wins with this much more throughput. One thread more of eight is a seventh more: what gives less than a
    /// third of that is not worth a connection.
    static let margin = 0.05
    static let roundsToWin = 2
    static let restMax = 32
    static let windowNanoseconds: UInt64 = 500_000_000
    static let windowRequests = 64

    let bounds: ClosedRange<Int>
    /// The number of threads that may run at once now.
    private(set) var limit: Int
    /// The best that is known.
    private(set) var home: Int
    private var direction = 1
    private var window: Window?
    private var comparison = Comparison()
    private var failures = 0
    private var rest = 0
    private var restLength = 1

    init(bounds: ClosedRange<Int>, start: Int) {
        self.bounds = bounds
        home = min(max(start, bounds.lowerBound), bounds.upperBound)
        limit = home
    }

    /// A request has ended.
    ///
    /// - Parameters:
    ///   - now: nanoseconds; never runs backward.
    ///   - isSaturated: whether others wait.
    mutating func finished(at now: UInt64, isSaturated: Bool) {
        guard bounds.count > 1 else { return }
        guard isSaturated else { return giveUp() }
        guard var window else {
            window = Window(toSettle: limit)
            return
        }
        let rate = window.finished(at: now)
        self.window = rate == nil ? window : nil
        if let rate { windowEnded(rate) }
    }

    private mutating func giveUp() {
        window = nil
        comparison = Comparison()
        limit = home
    }

    private mutating func windowEnded(_ rate: Double) {
        if rest > 0 {
            rest -= 1
        } else if limit == home {
            comparison.homeRate = max(comparison.homeRate, rate)
            if !bounds.contains(home + direction) { direction = -direction }
            limit = home + direction
        } else {
            comparison.trialRate = min(comparison.trialRate, rate)
            judge()
        }
    }

    /// After each trial.
    private mutating func judge() {
        guard comparison.trialRate > comparison.homeRate * (1 + Self.margin) else { return lose() }
        comparison.rounds += 1
        if comparison.rounds < Self.roundsToWin {
            limit = home
            return
        }
        home = limit
        comparison = Comparison()
        failures = 0
        restLength = 1
    }

    private mutating func lose() {
        limit = home
        comparison = Comparison()
        direction = -direction
        failures += 1
        // At a bound there is one direction only.
        guard failures == 2 || !bounds.contains(home + direction) else { return }
        failures = 0
        rest = restLength
        restLength = min(restLength * 2, Self.restMax)
    }
}

extension ConcurrencyLimit {
    /// The best of home and the worst of the trials.
    private struct Comparison: Equatable {
        var homeRate = 0.0
        var trialRate = Double.infinity
        var rounds = 0
    }

    private struct Window: Equatable {
        /// Requests that may have begun before the window did.
        var toSettle: Int
        var start: UInt64 = 0
        var count = 0

        /// A request has ended: the rate once the window is full.
        mutating func finished(at now: UInt64) -> Double? {
            guard toSettle == 0 else {
                toSettle -= 1
                start = now
                return nil
            }
            count += 1
            let elapsed = now &- start
            guard count >= ConcurrencyLimit.windowRequests, elapsed >= ConcurrencyLimit.windowNanoseconds else {
                return nil
            }
            return Double(count) / Double(elapsed)
        }
    }
}
