import Testing

@testable import Metrics

/// SplitMix64: a seed gives the same numbers everywhere.
private struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

@Suite("Times by length")
struct LatencyCountsTests {
    private static let all: [LatencySteps] = [.fine, .coarse, LatencySteps(bits: 0, microsecondsMax: 1_000)]

    private func random(_ generator: inout SeededGenerator) -> Int {
        Int.random(in: 0...1 << Int.random(in: 0...26, using: &generator), using: &generator)
    }

    @Test("a time lies in its bucket, and buckets follow each other without a gap", arguments: all)
    func bounds(_ steps: LatencySteps) {
        for bucket in 0..<steps.count {
            let (lower, upper) = (steps.lowerBound(bucket), steps.lowerBound(bucket + 1))
            #expect(lower < upper)
            #expect(steps.bucket(of: lower) == bucket)
            if bucket + 1 < steps.count { #expect(steps.bucket(of: upper - 1) == bucket) }
            #expect(Double(upper - lower) <= max(1, Double(lower) / Double(1 << steps.bits)))
        }
    }

    @Test("times beyond the last bucket, negative ones and the longest there is are counted", arguments: all)
    func extremes(_ steps: LatencySteps) {
        var counts = LatencyCounts(steps)
        for time in [Int64.min, -1, 0, 999, .max] { counts.record(nanoseconds: time) }
        #expect(counts.count == 5)
        #expect(counts.entries.map(\.count) == [4, 1])
        #expect(counts.entries.first?.microseconds == 0)
    }

    @Test("a quantile is at most an eighth beside the true one", arguments: [UInt64](1...20))
    func quantiles(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var times: [Int] = []
        var counts = LatencyCounts(.fine)
        for _ in 0..<Int.random(in: 1...2_000, using: &generator) {
            let time = random(&generator)
            times.append(time)
            counts.record(nanoseconds: Int64(time) * 1_000)
        }
        times.sort()
        for share in [0, 0.25, 0.5, 0.95, 0.99, 1] {
            let exact = Double(times[max(0, Int((share * Double(times.count)).rounded(.up)) - 1)])
            let shown = counts.quantile(share) ?? -1
            #expect(abs(shown - exact) <= max(1, exact / 8), "seed \(seed), share \(share)")
        }
        #expect(counts.microseconds == times.reduce(0, +))
    }

    @Test("without times there is no quantile")
    func empty() {
        #expect(LatencyCounts(.fine).quantile(0.5) == nil)
        #expect(LatencyCounts(.fine).entries.isEmpty)
    }

    @Test("what came since an earlier reading is what was recorded since")
    func differences() {
        let recorder = LatencyRecorder(.coarse)
        let none = recorder.counts
        for time in [1, 3, 70, 4_000] { recorder.record(nanoseconds: time * 1_000) }
        let some = recorder.counts
        for time in [3, 100_000] { recorder.record(nanoseconds: time * 1_000) }
        let all = recorder.counts
        var later = LatencyCounts(.coarse)
        for time in [3, 100_000] { later.record(nanoseconds: Int64(time) * 1_000) }
        #expect(all.since(some) == later)
        #expect(all.since(none) == all)
        #expect(all.since(LatencyCounts(.coarse)) == all)
        #expect(some.adding(later) == all)
        #expect(LatencyCounts(.coarse).adding(all) == all)
        #expect(some.since(all).count == 0)
    }
}
