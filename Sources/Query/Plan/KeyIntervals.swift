internal import BSON

/// Intervals of the keys of an index while they are made, field by field.
///
/// Bounds are no longer than what a stored key has of a long one: such an interval holds a stored key exactly when it
/// holds the whole one.
struct KeyIntervals {
    /// Beginnings of keys: each the values of all fields so far.
    private var open: [[UInt8]] = [[]]
    /// Intervals that further fields do not narrow.
    private var closed: [KeyInterval] = []
    /// Whether there are keys in the intervals that the sets do not have.
    private(set) var isWidened = false
    /// Whether all keys are told by all their values.
    private(set) var isOfPoints = true
    private var isFinished = false
    /// The beginnings at the mark; ascending.
    private var marked: [[UInt8]] = []

    init() {}

    /// Adds bytes that all the keys have next.
    mutating func append(_ bytes: [UInt8]) {
        isWidened = isWidened || isFinished || !closed.isEmpty
        guard !isFinished else { return }
        open = open.map { $0 + bytes }
    }

    /// Adds a range that further fields do not narrow.
    mutating func append(_ range: KeyInterval) {
        isWidened = isWidened || isFinished || !closed.isEmpty
        guard !isFinished else { return }
        closed += open.map { cut($0, range) }
        open = []
        (isFinished, isOfPoints) = (true, false)
    }

    /// Adds the next field.
    mutating func append(_ set: IntervalSet, isDescending: Bool) {
        if isFinished || set.isEverything {
            isWidened = isWidened || !set.isEverything
            isOfPoints = false
            isFinished = true
            return
        }
        // Of a single beginning more may come than of many.
        let most = open.count == 1 ? BoundsBuilder.pointsMax : BoundsBuilder.intervalsMax
        guard open.count == 1 || open.count * set.intervals.count <= most else {
            isWidened = true
            isOfPoints = false
            isFinished = true
            return
        }
        // Intervals that were closed before are not narrowed by this field.
        isWidened = isWidened || !closed.isEmpty || set.intervals.count > most
        extend(by: set.widened(to: most), isDescending)
        isFinished = open.isEmpty
    }

    /// Remembers what stands there so far, if all of it is values.
    mutating func mark() {
        guard closed.isEmpty, !isFinished else { return }
        marked = open.sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// How many bytes of each interval stood there at the mark; empty when that cannot be told.
    func markedBytes(of intervals: [KeyInterval]) -> [Int] {
        var lengths: [Int] = []
        var place = 0
        // None of them is the beginning of another one.
        for interval in intervals {
            while place < marked.count, !interval.lower.starts(with: marked[place]) { place += 1 }
            guard place < marked.count, !marked[place].successor.lexicographicallyPrecedes(interval.upper) else {
                return []
            }
            lengths.append(marked[place].count)
        }
        return lengths
    }

    private mutating func extend(by set: IntervalSet, _ isDescending: Bool) {
        var longer: [[UInt8]] = []
        for start in open {
            for interval in set.intervals {
                let bytes = isDescending ? interval.descending : interval.ascending
                if interval.isPoint, start.count + bytes.lower.count <= IndexKey.wholeLengthMax {
                    longer.append(start + bytes.lower)
                } else {
                    isOfPoints = false
                    closed.append(cut(start, bytes))
                }
            }
        }
        open = longer
    }

    /// The interval behind `start`, its bounds cut as keys are, to hold no less.
    private mutating func cut(_ start: [UInt8], _ interval: KeyInterval) -> KeyInterval {
        let room = IndexKey.wholeLengthMax - start.count
        guard room > 0 else {
            isWidened = true
            let kept = Array(start.prefix(IndexKey.wholeLengthMax))
            return KeyInterval(lower: kept, upper: kept.successor)
        }
        var result = KeyInterval(
            lower: start + interval.lower.prefix(room), upper: start + interval.upper.prefix(room))
        if interval.lower.count > room { isWidened = true }
        if interval.upper.count > room {
            isWidened = true
            result.upper = result.upper.successor
        }
        return result
    }

    /// All intervals: ascending, and disjoint.
    mutating func finish() -> [KeyInterval] {
        for start in open {
            let whole = KeyInterval(lower: start, upper: start.successor)
            closed.append(
                start.isEmpty ? .everything : start.count > IndexKey.wholeLengthMax ? cut(start, whole) : whole)
        }
        open = []
        closed.sort { $0.lower.lexicographicallyPrecedes($1.lower) }
        var merged: [KeyInterval] = []
        for interval in closed where interval.lower.lexicographicallyPrecedes(interval.upper) {
            guard let last = merged.last, interval.lower.lexicographicallyPrecedes(last.upper) else {
                merged.append(interval)
                continue
            }
            if last.upper.lexicographicallyPrecedes(interval.upper) { merged[merged.count - 1].upper = interval.upper }
        }
        return merged
    }
}

extension ValueInterval {
    fileprivate var ascending: KeyInterval { KeyInterval(lower: lower.bytes, upper: upper.bytes) }

    /// The same of a field whose bytes are complemented. What begins with a cut is above it, and its complement begins
    /// with the cut's complement but is below: so the turned cut lies behind all that begins so.
    fileprivate var descending: KeyInterval {
        guard !isPoint else {
            let key = lower.bytes.map(~)
            return KeyInterval(lower: key, upper: key.successor)
        }
        return KeyInterval(lower: upper.bytes.map(~).successor, upper: lower.bytes.map(~).successor)
    }
}
