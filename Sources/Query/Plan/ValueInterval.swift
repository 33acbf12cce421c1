internal import BSON

/// A place in the order of the values of one field, between those below and those from here on, as bytes that compare
/// with their keys.
///
/// Cuts lie directly before a value, directly behind all keys that begin with those of a value, or between types. No
/// key is a proper beginning of a cut, which is what ``IntervalSet`` relies on when it turns to a descending field.
struct ValueCut {
    let bytes: [UInt8]
    /// What stands there, for people: the bytes cannot be read back.
    let edge: BoundEdge
    /// The edge is below the cut.
    let isAfter: Bool

    static func < (left: ValueCut, right: ValueCut) -> Bool { left.bytes.lexicographicallyPrecedes(right.bytes) }
    static func <= (left: ValueCut, right: ValueCut) -> Bool { !(right < left) }
}

/// The value at a cut.
enum BoundEdge {
    case value(RawValue)
    /// A text that is in no document: the beginning of others.
    case text([UInt8])
    /// The end of a type that has a least or a greatest value which nobody wrote down.
    case least(BSONType)
    case greatest(BSONType)
    /// The least number that compares with others.
    case negativeInfinity
}

/// Values of one field, from `lower` on and below `upper`.
struct ValueInterval {
    var lower: ValueCut
    var upper: ValueCut

    var isEmpty: Bool { upper <= lower }

    /// One value only.
    var isPoint: Bool { point != nil }

    /// The one value that lies in it.
    var point: RawValue? {
        guard !lower.isAfter, upper.isAfter, case .value(let value) = lower.edge, case .value = upper.edge,
            upper.bytes.isSuccessor(of: lower.bytes)
        else { return nil }
        return value
    }

    static var everything: ValueInterval {
        ValueInterval(lower: bracket(of: .minKey).lower, upper: bracket(of: .maxKey).upper)
    }

    var isEverything: Bool {
        lower <= Self.everything.lower && Self.everything.upper <= upper
    }

    /// All values of the types that compare with each other.
    static func bracket(of type: BSONType) -> ValueInterval {
        var (first, end) = KeyEncoder.bracket(of: type)
        switch type {
        // Of one value.
        case .minKey, .undefined, .null, .maxKey: end = first + 1
        default: break
        }
        return ValueInterval(
            lower: ValueCut(bytes: [first], edge: .least(type), isAfter: false),
            upper: ValueCut(bytes: [end], edge: .greatest(type), isAfter: type.hasGreatest))
    }

    /// All numbers but NaN, which no inequality meets.
    static var comparableNumbers: ValueInterval {
        let all = bracket(of: .double)
        let nan: [UInt8] = Value.double(.nan).withRaw { KeyEncoder.encode($0) }
        return ValueInterval(
            lower: ValueCut(bytes: nan.successor, edge: .negativeInfinity, isAfter: false), upper: all.upper)
    }
}

/// Values of one field: intervals, ascending and disjoint.
struct IntervalSet {
    private(set) var intervals: [ValueInterval]

    static var everything: IntervalSet { IntervalSet(intervals: [.everything]) }
    static var nothing: IntervalSet { IntervalSet(intervals: []) }

    private init(intervals: [ValueInterval]) {
        self.intervals = intervals
    }

    /// - Parameter intervals: in any order, and perhaps overlapping.
    init(_ intervals: [ValueInterval]) {
        let sorted = intervals.filter { !$0.isEmpty }.sorted { $0.lower < $1.lower }
        var merged: [ValueInterval] = []
        merged.reserveCapacity(sorted.count)
        for interval in sorted {
            guard let last = merged.last, interval.lower <= last.upper, !Self.areNeighbours(last, interval) else {
                merged.append(interval)
                continue
            }
            if last.upper < interval.upper { merged[merged.count - 1].upper = interval.upper }
        }
        self.intervals = merged
    }

    /// Two values with nothing between stay two, since as points they let further fields of an index count; so do two
    /// types.
    private static func areNeighbours(_ left: ValueInterval, _ right: ValueInterval) -> Bool {
        guard left.upper <= right.lower else { return false }
        if case .least = right.lower.edge { return true }
        return left.isPoint && right.isPoint
    }

    var isEmpty: Bool { intervals.isEmpty }
    // Beside it there is no other.
    var isEverything: Bool { intervals.count == 1 && intervals[0].isEverything }
    var isOfPoints: Bool { intervals.allSatisfy(\.isPoint) }

    /// The only value.
    var onlyPoint: RawValue? { intervals.count == 1 ? intervals[0].point : nil }

    func union(_ other: IntervalSet) -> IntervalSet { IntervalSet(intervals + other.intervals) }

    func intersection(_ other: IntervalSet) -> IntervalSet {
        if isEverything { return other }
        if other.isEverything { return self }
        var (left, right) = (0, 0)
        var common: [ValueInterval] = []
        while left < intervals.count, right < other.intervals.count {
            let (a, b) = (intervals[left], other.intervals[right])
            let both = ValueInterval(
                lower: a.lower < b.lower ? b.lower : a.lower, upper: a.upper < b.upper ? a.upper : b.upper)
            if !both.isEmpty { common.append(both) }
            if a.upper < b.upper { left += 1 } else { right += 1 }
        }
        return IntervalSet(intervals: common)
    }

    var complement: IntervalSet {
        var gaps: [ValueInterval] = []
        var lower = ValueInterval.everything.lower
        for interval in intervals {
            let gap = ValueInterval(lower: lower, upper: interval.lower)
            if !gap.isEmpty { gaps.append(gap) }
            lower = interval.upper
        }
        let rest = ValueInterval(lower: lower, upper: ValueInterval.everything.upper)
        if !rest.isEmpty { gaps.append(rest) }
        return IntervalSet(intervals: gaps)
    }

    /// Whether all of it lies in `other`.
    func isSubset(of other: IntervalSet) -> Bool { intersection(other.complement).isEmpty }

    func contains(_ type: BSONType) -> Bool {
        !intersection(IntervalSet(intervals: [.bracket(of: type)])).isEmpty
    }

    /// The same values and more, in no more than `count` intervals.
    func widened(to count: Int) -> IntervalSet {
        guard intervals.count > count, count > 0 else { return self }
        let size = (intervals.count + count - 1) / count
        let parts = stride(from: 0, to: intervals.count, by: size).map { start in
            let end = min(start + size, intervals.count) - 1
            return ValueInterval(lower: intervals[start].lower, upper: intervals[end].upper)
        }
        return IntervalSet(intervals: parts)
    }
}

extension [UInt8] {
    /// The least bytes that come after all bytes that begin with these.
    var successor: [UInt8] {
        var bytes = self
        while bytes.last == 0xFF { bytes.removeLast() }
        guard let last = bytes.last else { return [0xFF] }
        bytes[bytes.count - 1] = last + 1
        return bytes
    }

    /// Whether these are ``successor`` of the other ones, which are not made for it: there may be thousands of points.
    func isSuccessor(of other: [UInt8]) -> Bool {
        var end = other.count
        while end > 0, other[end - 1] == 0xFF { end -= 1 }
        guard end > 0 else { return self == [0xFF] }
        return count == end && self[end - 1] == other[end - 1] + 1 && self[..<(end - 1)] == other[..<(end - 1)]
    }
}
