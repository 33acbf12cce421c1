package import Synchronization

/// Where a histogram's buckets end: `first`, and each time twice as much.
///
/// Doubling keeps recording free of a search: the number of the bucket is a logarithm, which is one instruction.
package struct HistogramBounds: Sendable, Equatable {
    package let first: Int
    package let count: Int
    /// Divides recorded values to give the unit that is shown: times are recorded in nanoseconds, shown in seconds.
    package let divisor: Double

    package init(first: Int, count: Int, divisor: Double = 1) {
        self.first = max(1, first)
        self.count = min(max(1, count), 40)
        self.divisor = divisor
    }

    /// 1, 2, 4 … 256: documents, requests.
    package static let sizes = HistogramBounds(first: 1, count: 9)
    /// 10 µs to 5 s.
    package static let waits = HistogramBounds(first: 10_000, count: 20, divisor: 1e9)
    /// 50 µs to 26 s.
    package static let latencies = HistogramBounds(first: 50_000, count: 20, divisor: 1e9)

    /// The upper end, inclusive, of a bucket.
    package func bound(_ bucket: Int) -> Double { Double(first) * Double(1 << bucket) / divisor }

    /// ``count`` for a value beyond the last bound.
    @inlinable
    package func bucket(of value: Int) -> Int {
        if value <= first { return 0 }
        let quotient = (value - 1) / first
        return min(Int.bitWidth - quotient.leadingZeroBitCount, count)
    }
}

/// Counts values by size. Two relaxed additions for each.
package final class Histogram: Sendable {
    package let bounds: HistogramBounds
    /// One for each bucket, and one for what lies beyond.
    @usableFromInline let buckets: CounterArray
    @usableFromInline let sum = Atomic<Int>(0)

    package init(_ bounds: HistogramBounds) {
        self.bounds = bounds
        buckets = CounterArray(count: bounds.count + 1)
    }

    /// A negative value, as a clock that was set back gives, counts as nothing.
    @inlinable
    package func record(_ value: Int) {
        let value = max(0, value)
        buckets.count(at: bounds.bucket(of: value))
        sum.wrappingAdd(value, ordering: .relaxed)
    }

    package var snapshot: HistogramSnapshot {
        HistogramSnapshot(bounds: bounds, buckets: buckets.values, sum: sum.load(ordering: .relaxed))
    }
}

/// What a histogram holds at one moment.
package struct HistogramSnapshot: Sendable, Equatable {
    package let bounds: HistogramBounds
    /// Not cumulative.
    package let buckets: [Int]
    /// Of the values as recorded.
    package let sum: Int

    package init(bounds: HistogramBounds, buckets: [Int], sum: Int) {
        self.bounds = bounds
        self.buckets = buckets
        self.sum = sum
    }

    package var count: Int { buckets.reduce(0, +) }

    /// An upper bound for that share of the values, 0…1, in the unit shown; 0 without values, and the last bound for
    /// what lies beyond it.
    package func quantile(_ share: Double) -> Double {
        let total = count
        guard total > 0 else { return 0 }
        var seen = 0
        for (bucket, amount) in buckets.enumerated() {
            seen += amount
            if Double(seen) >= share * Double(total) { return bounds.bound(min(bucket, bounds.count - 1)) }
        }
        return bounds.bound(bounds.count - 1)
    }
}
