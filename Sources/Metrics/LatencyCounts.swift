/// How microseconds are divided into buckets: each doubling of the time into the same number of steps.
///
/// The buckets of ``HistogramBounds`` double, which is right for graphs over weeks and wrong for who looks at a page
/// and wants to know whether it is 5 or 9 ms. Steps within a doubling bound the error of a time by their number,
/// whatever the time; the number of the bucket is a shift.
package struct LatencySteps: Sendable, Equatable {
    /// A doubling has `1 << bits` steps.
    let bits: Int
    let count: Int

    /// - Parameter microsecondsMax: a longer time counts as this one.
    init(bits: Int, microsecondsMax: Int) {
        self.bits = min(max(bits, 0), 8)
        count = Self.bucket(of: max(1, microsecondsMax), bits: self.bits) + 1
    }

    /// To an eighth, up to two minutes.
    package static let fine = LatencySteps(bits: 3, microsecondsMax: 1 << 27)
    /// To a half, up to an hour: as MongoDB shows the times of a collection.
    package static let coarse = LatencySteps(bits: 1, microsecondsMax: 1 << 32)

    func bucket(of microseconds: Int) -> Int { min(Self.bucket(of: max(0, microseconds), bits: bits), count - 1) }

    private static func bucket(of microseconds: Int, bits: Int) -> Int {
        guard microseconds >= 1 << bits else { return microseconds }
        let shift = Int.bitWidth - 1 - microseconds.leadingZeroBitCount - bits
        return (shift << bits) + microseconds >> shift
    }

    /// The least time that belongs to a bucket.
    func lowerBound(_ bucket: Int) -> Int {
        guard bucket >= 2 << bits else { return max(0, bucket) }
        let shift = min(bucket >> bits - 1, Int.bitWidth - 2 - bits)
        return (bucket & (1 << bits - 1) + 1 << bits) << shift
    }
}

/// Times by length, with their number and sum. A value: two of them tell what was between them.
package struct LatencyCounts: Sendable, Equatable {
    package let steps: LatencySteps
    /// Nothing before the first time, so that what is never used takes no memory.
    private(set) var buckets: [Int]
    package private(set) var microseconds: Int
    package private(set) var count: Int

    package init(_ steps: LatencySteps) { self.init(steps, buckets: [], microseconds: 0) }

    init(_ steps: LatencySteps, buckets: [Int], microseconds: Int) {
        self.steps = steps
        self.buckets = buckets
        self.microseconds = microseconds
        count = buckets.reduce(0, &+)
    }

    /// A negative time, as a clock that was set back gives, counts as nothing.
    package mutating func record(nanoseconds: Int64) {
        let time = Int(clamping: max(0, nanoseconds) / 1_000)
        if buckets.isEmpty { buckets = [Int](repeating: 0, count: steps.count) }
        buckets[steps.bucket(of: time)] &+= 1
        microseconds &+= time
        count &+= 1
    }

    /// What has come since `earlier`, which was taken before.
    package func since(_ earlier: LatencyCounts) -> LatencyCounts {
        guard earlier.steps == steps, !earlier.buckets.isEmpty else { return self }
        // Counters are read one by one while they count, so that a later reading of one may be of an earlier moment.
        let buckets = zip(buckets, earlier.buckets).map { max(0, $0 &- $1) }
        return LatencyCounts(steps, buckets: buckets, microseconds: max(0, microseconds &- earlier.microseconds))
    }

    package func adding(_ other: LatencyCounts) -> LatencyCounts {
        guard steps == other.steps, !other.buckets.isEmpty else { return self }
        guard !buckets.isEmpty else { return other }
        return LatencyCounts(
            steps, buckets: zip(buckets, other.buckets).map { $0 &+ $1 },
            microseconds: microseconds &+ other.microseconds)
    }

    /// The time in microseconds that this share of the times, 0…1, does not exceed, as if those of a bucket lay evenly
    /// in it; nil without times.
    package func quantile(_ share: Double) -> Double? {
        guard count > 0 else { return nil }
        let rank = min(max(share, 0), 1) * Double(count)
        var seen = 0
        for (bucket, amount) in buckets.enumerated() where amount > 0 {
            if Double(seen + amount) >= rank {
                let (lower, upper) = (Double(steps.lowerBound(bucket)), Double(steps.lowerBound(bucket + 1)))
                return lower + (upper - lower) * max(0, rank - Double(seen)) / Double(amount)
            }
            seen += amount
        }
        return nil
    }

    /// The buckets that are not empty, by the least time that belongs to each, ascending.
    package var entries: [(microseconds: Int, count: Int)] {
        buckets.enumerated().compactMap { $1 > 0 ? (steps.lowerBound($0), $1) : nil }
    }
}
