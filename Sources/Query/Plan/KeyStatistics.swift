#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// How the keys of an index are distributed, as PostgreSQL's ANALYZE has found them: what costs are estimated by. Pure.
///
/// Counts are of keys. Parts are of all keys, from 0 to 1: those of ``common`` keys, and a rest, which the bounds of
/// the histogram cut into buckets of the same size each.
///
/// # Estimates
///
/// - A whole key: its own part if it is common, else the rest divided by the other different keys.
/// - A range of keys: the common ones within, and the buckets, of which those at the ends count in part, as if their
///   keys lay evenly between their bounds.
/// - Keys with the same first values (equality with some fields of a compound index): as a range, but within one bucket
///   evenness means nothing. There `d` different keys of `m` fields are taken for `d^(k/m)` different values of the
///   first `k`; never for more than the bucket.
package struct KeyStatistics: Sendable {
    package struct CommonKey: Sendable {
        let key: [UInt8]
        let part: Double

        package init(key: [UInt8], part: Double) {
            self.key = key
            self.part = part
        }
    }

    /// Keys in the index.
    package let entries: Double
    /// Documents of its collection.
    package let documents: Double
    /// Different keys.
    package let distinctKeys: Double
    /// Ascending.
    private let common: [CommonKey]
    private let commonPart: Double
    /// Ascending; those of the histogram's buckets.
    private let bounds: [[UInt8]]

    /// - Parameter distinct: as PostgreSQL has it: a number, or if negative a part of the keys, or 0 for unknown.
    package init(entries: Double, documents: Double, distinct: Double, common: [CommonKey], bounds: [[UInt8]]) {
        self.entries = max(entries, 1)
        self.documents = max(documents, 1)
        let different = distinct < 0 ? -distinct * entries : distinct > 0 ? distinct : entries
        distinctKeys = min(max(different, Double(max(common.count, 1))), max(entries, 1))
        self.common = common.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        commonPart = min(common.reduce(0) { $0 + $1.part }, 1)
        self.bounds = bounds
    }

    /// About how many keys are in the bounds.
    ///
    /// - Parameter fields: how many the index has.
    func keys(in bounds: IndexBounds, fields: Int) -> Double {
        let intervals = bounds.intervals
        guard !intervals.isEmpty else { return 0 }
        if bounds.isFull { return entries }
        // Points are as many as a client likes to write.
        let sample = intervals.prefix(Self.intervalsMax)
        let given = min(Double(max(bounds.pointFields, 1)) / Double(max(fields, 1)), 1)
        let part = sample.reduce(0) { sum, interval in
            sum + (bounds.isOfWholeKeys ? self.part(at: interval.lower) : self.part(in: interval, given: given))
        }
        return min(part * Double(intervals.count) / Double(sample.count), 1) * entries
    }

    private static let intervalsMax = 100
}

// Parts.
extension KeyStatistics {
    private var rest: Double { max(1 - commonPart, 0) }

    private func part(at key: [UInt8]) -> Double {
        let place = Self.place(of: key, in: common) { $0.key }
        if place < common.count, common[place].key == key { return common[place].part }
        let others = distinctKeys - Double(common.count)
        return others < 1 ? 0 : rest / others
    }

    /// - Parameter given: the part of the fields that have one value each.
    private func part(in interval: KeyInterval, given: Double) -> Double {
        let first = Self.place(of: interval.lower, in: common) { $0.key }
        let end = Self.place(of: interval.upper, in: common) { $0.key }
        let ofCommon = first < end ? common[first..<end].reduce(0) { $0 + $1.part } : 0
        return ofCommon + rest * partOfBuckets(in: interval, given)
    }

    private func partOfBuckets(in interval: KeyInterval, _ given: Double) -> Double {
        let buckets = bounds.count - 1
        // Nobody knows: one of the different beginnings.
        guard buckets > 0 else { return interval == .everything ? 1 : 1 / pow(distinctKeys, given) }
        let even = max(position(of: interval.upper) - position(of: interval.lower), 0) / Double(buckets)
        let isPoint = interval.upper == interval.lower.successor
        let bucket = 1 / Double(buckets)
        guard isPoint, even < bucket else { return even }
        return min(max(even, 1 / pow(distinctKeys, given)), bucket)
    }

    /// In buckets from the beginning, the last one in part.
    private func position(of key: [UInt8]) -> Double {
        let place = Self.place(of: key, in: bounds) { $0 }
        guard place > 0 else { return 0 }
        guard place < bounds.count else { return Double(bounds.count - 1) }
        return Double(place - 1) + Self.fraction(of: key, between: bounds[place - 1], and: bounds[place])
    }

    /// How far a key lies between two others, by the first bytes in which those differ.
    private static func fraction(of key: [UInt8], between lower: [UInt8], and upper: [UInt8]) -> Double {
        let shared = zip(lower, upper).prefix { $0 == $1 }.count
        func number(_ bytes: [UInt8]) -> Double {
            (0..<fractionBytes).reduce(0) { number, place in
                number * 256 + (shared + place < bytes.count ? Double(bytes[shared + place]) : 0)
            }
        }
        let (low, high) = (number(lower), number(upper))
        return high > low ? min(max((number(key) - low) / (high - low), 0), 1) : 0.5
    }

    /// What a double holds.
    private static let fractionBytes = 6

    /// The place of the first element that is not below `key`.
    private static func place<Element>(
        of key: [UInt8], in list: [Element], _ keyOf: (Element) -> [UInt8]
    ) -> Int {
        var (low, high) = (0, list.count)
        while low < high {
            let middle = (low + high) / 2
            if keyOf(list[middle]).lexicographicallyPrecedes(key) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
