import Testing

@testable import Postgres

@Suite struct ConcurrencyLimitTests {
    private static let window = Double(ConcurrencyLimit.windowNanoseconds)

    /// A pool that is always saturated, whose throughput depends on the number of threads at work.
    private struct Pool {
        var limit: ConcurrencyLimit
        var now = 0.0
        var generator = SeededGenerator(seed: 1)
        /// Of a window's rate, up and down.
        var noise = 0.0

        /// Requests end at the pace of `rate(threads)` a second until so many windows have passed.
        mutating func run(windows: Int, _ rate: (Int) -> Double) {
            let end = now + Double(windows) * window
            var (current, factor) = (limit.limit, 1.0)
            while now < end {
                now += 1e9 / (rate(limit.limit) * factor)
                limit.finished(at: UInt64(now), isSaturated: true)
                #expect(limit.bounds.contains(limit.limit) && abs(limit.limit - limit.home) <= 1)
                guard limit.limit != current else { continue }
                current = limit.limit
                factor = 1 + (noise > 0 ? Double.random(in: -noise...noise, using: &generator) : 0)
            }
        }
    }

    private static func peak(at best: Int) -> (Int) -> Double {
        { threads in 1_000 * (1 - 0.12 * Double(abs(threads - best))) }
    }

    @Test("climbs to the peak from either side, and stays there", arguments: 2...8, [2, 4, 8])
    func climbs(best: Int, start: Int) {
        var pool = Pool(limit: ConcurrencyLimit(bounds: 2...8, start: start))
        pool.run(windows: 100, Self.peak(at: best))
        #expect(pool.limit.home == best)
        pool.run(windows: 500, Self.peak(at: best))
        #expect(pool.limit.home == best)
    }

    @Test("limits that are equally good within the margin are left alone")
    func flat() {
        var pool = Pool(limit: ConcurrencyLimit(bounds: 2...8, start: 4))
        for windows in 1...200 {
            pool.run(windows: 1) { 1_000 * (1 + 0.02 * Double($0)) }
            #expect(pool.limit.home == 4, "after \(windows) windows")
        }
    }

    @Test("follows the load when the peak moves")
    func moves() {
        var pool = Pool(limit: ConcurrencyLimit(bounds: 2...8, start: 4))
        for best in [8, 2, 5, 3, 7] {
            pool.run(windows: 200, Self.peak(at: best))
            #expect(pool.limit.home == best)
        }
    }

    @Test("noise is outvoted: the limit is near the peak nearly always", arguments: 0..<40 as Range<UInt64>)
    func noise(seed: UInt64) {
        let best = Int(seed % 5) + 3
        var pool = Pool(limit: ConcurrencyLimit(bounds: 2...8, start: 4))
        pool.generator = SeededGenerator(seed: seed)
        pool.noise = 0.04
        pool.run(windows: 100, Self.peak(at: best))
        var near = 0
        for _ in 0..<300 {
            pool.run(windows: 1, Self.peak(at: best))
            if abs(pool.limit.home - best) <= 1 { near += 1 }
        }
        #expect(near >= 290, "seed \(seed)")
    }

    @Test("a load that slowly grows or shrinks is no reason to change", arguments: [0.999, 1.001])
    func drift(factor: Double) {
        var pool = Pool(limit: ConcurrencyLimit(bounds: 2...8, start: 4))
        var rate = 1_000.0
        for _ in 0..<300 {
            pool.run(windows: 1) { _ in rate }
            rate *= factor
            #expect(pool.limit.home == 4)
        }
    }

    @Test("a jump of the load in the midst of a comparison is not taken for the merit of the trial")
    func jump() {
        for moment in 1...40 {
            var pool = Pool(limit: ConcurrencyLimit(bounds: 2...8, start: 4))
            pool.run(windows: moment) { _ in 1_000 }
            pool.run(windows: 100) { _ in 2_000 }
            #expect(pool.limit.home == 4, "after \(moment) windows")
        }
    }

    @Test("nothing is concluded from a pool that is not saturated: a trial is given up")
    func unsaturated() {
        var pool = Pool(limit: ConcurrencyLimit(bounds: 2...8, start: 4))
        while pool.limit.limit == 4 { pool.run(windows: 1) { _ in 1_000 } }
        #expect(pool.limit.limit == 5)
        pool.limit.finished(at: UInt64(pool.now), isSaturated: false)
        #expect(pool.limit.limit == 4 && pool.limit.home == 4)
        for _ in 0..<10_000 {
            pool.now += 1e6 * (pool.limit.limit == 4 ? 10 : 1)
            pool.limit.finished(at: UInt64(pool.now), isSaturated: Bool.random(using: &pool.generator))
            #expect(pool.limit.limit == 4)
        }
    }

    @Test("a window waits for the requests that began before it, for enough of them, and for enough time")
    func windows() {
        var limit = ConcurrencyLimit(bounds: 2...8, start: 4)
        // One that opens the window and four that may be older.
        for _ in 0..<5 { limit.finished(at: 1_000, isSaturated: true) }
        for _ in 0..<ConcurrencyLimit.windowRequests - 1 {
            limit.finished(at: 1_000 + 10 * ConcurrencyLimit.windowNanoseconds, isSaturated: true)
        }
        #expect(limit.limit == 4, "time enough, too few requests")
        var other = limit
        limit.finished(at: 1_000 + 10 * ConcurrencyLimit.windowNanoseconds, isSaturated: true)
        #expect(limit.limit == 5)
        for _ in 0..<1_000 { other.finished(at: 1_000, isSaturated: true) }
        #expect(other.limit == 4, "requests enough, too little time")
    }

    @Test("a pool at its best tries less and less often")
    func rests() {
        var pool = Pool(limit: ConcurrencyLimit(bounds: 2...8, start: 4))
        func trials(_ windows: Int) -> Int {
            (0..<windows * 4).count { _ in
                pool.now += Self.window / 4
                for _ in 0..<ConcurrencyLimit.windowRequests {
                    pool.limit.finished(at: UInt64(pool.now), isSaturated: true)
                }
                return pool.limit.limit != 4
            }
        }
        let early = trials(40)
        _ = trials(400)
        #expect(trials(40) * 3 < early)
    }

    @Test("a limit that cannot move does not")
    func fixed() {
        var pool = Pool(limit: ConcurrencyLimit(bounds: 3...3, start: 9))
        pool.run(windows: 20) { 100 * Double($0) + 1_000 }
        #expect(pool.limit.limit == 3)
    }
}
