import Testing

@testable import Metrics

@Suite struct HistogramTests {
    @Test("a value falls into the first bucket whose bound it does not exceed", arguments: [1, 3, 50_000])
    func bucketOfValue(first: Int) {
        let bounds = HistogramBounds(first: first, count: 6)
        for value in [0, 1, first - 1] + (0...7).flatMap({ [first << $0 - 1, first << $0, (first << $0) + 1] }) {
            let expected = (0..<bounds.count).first { value <= first << $0 } ?? bounds.count
            #expect(bounds.bucket(of: value) == expected, "\(value)")
        }
        #expect(bounds.bucket(of: .max) == bounds.count)
    }

    @Test("what is recorded is counted and added up; what a clock that was set back gives counts as nothing")
    func record() {
        let histogram = Histogram(.sizes)
        for value in [1, 2, 3, 4, 5, 1_000, -7] { histogram.record(value) }
        let snapshot = histogram.snapshot
        #expect(snapshot.buckets == [2, 1, 2, 1, 0, 0, 0, 0, 0, 1])
        #expect(snapshot.count == 7 && snapshot.sum == 1_015)
    }

    @Test("a quantile is the bound of the bucket it lies in")
    func quantile() {
        let histogram = Histogram(.sizes)
        #expect(histogram.snapshot.quantile(0.5) == 0)
        for _ in 0..<90 { histogram.record(2) }
        for _ in 0..<10 { histogram.record(100_000) }
        #expect(histogram.snapshot.quantile(0.5) == 2)
        #expect(histogram.snapshot.quantile(0.99) == 256)
    }

    @Test("counters and histograms lose nothing among threads")
    func concurrent() async {
        let histogram = Histogram(.sizes)
        let counters = CounterArray(count: 2)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for value in 0..<5_000 {
                        histogram.record(value % 5)
                        counters.count(at: value % 2)
                    }
                }
            }
        }
        #expect(histogram.snapshot.count == 20_000 && histogram.snapshot.sum == 40_000)
        #expect(counters.values == [10_000, 10_000])
    }

    @Test("a counter that does not exist counts for the last one")
    func bounds() {
        let counters = CounterArray(count: 3)
        counters.count(at: 3)
        counters.count(at: -1, 5)
        #expect(counters.values == [5, 0, 1] && counters[7] == 0)
    }
}
