internal import BSON
internal import CommandModel

/// The best of many values by their own order or by a key: `$top`, `$bottomN`, `$minN` …
///
/// Keeps up to twice as many as are asked for, and then drops the worse half: a comparison for most values, and for
/// those that are kept the logarithm of the limit on average.
final class ValueRanking {
    enum Order { case ascendingValue, descendingValue, key }

    private struct Entry {
        let key: [UInt8]
        /// Of two equals the one that came first ranks first.
        let number: Int
        let value: KeptValue

        func precedes(_ other: Entry) -> Bool {
            key == other.key ? number < other.number : key.lexicographicallyPrecedes(other.key)
        }
    }

    private let limit: Int
    private let order: Order
    private let keepsLast: Bool
    private let isSingle: Bool
    private var entries: [Entry] = []
    /// The worst of those that were kept when entries were dropped: what is no better need not come in.
    private var worst: [UInt8]?
    private var number = 0
    private var bytes = 0

    /// - Parameters:
    ///   - keepsLast: the last ones are kept rather than the first, still to be given from first to last.
    ///   - isSingle: the result is the one value, not an array.
    init(limit: Int, by order: Order, keepsLast: Bool = false, isSingle: Bool = false) {
        (self.limit, self.order, self.keepsLast, self.isSingle) = (limit, order, keepsLast, isSingle)
    }

    /// Adds a value that ranks by itself; null and nothing do not.
    func add(_ value: RawValue?, _ values: ValueOrder) throws(CommandError) {
        guard let value, !value.isNullish else { return }
        var encoder = KeyEncoder(reserving: value.count + 8)
        encoder.append(value, descending: order == .descendingValue, collator: values.collator)
        try add(value, key: encoder.bytes)
    }

    func add(_ value: RawValue, key: [UInt8]) throws(CommandError) {
        number += 1
        if let worst, isWorse(key, than: worst) { return }
        try insert(Entry(key: key, number: number, value: KeptValue(value)))
    }

    private func isWorse(_ key: [UInt8], than worst: [UInt8]) -> Bool {
        // The first ones are kept: an equal that comes later is worse. The last ones: it is better.
        keepsLast ? key.lexicographicallyPrecedes(worst) : !key.lexicographicallyPrecedes(worst)
    }

    private func insert(_ entry: Entry) throws(CommandError) {
        entries.append(entry)
        bytes += Self.byteCount(entry)
        if entries.count >= 16, entries.count / 2 >= limit { drop() }
        guard byteCount <= AccumulatorState.bytesMax else { throw AccumulatorState.outOfMemory("$topN") }
    }

    private func drop() {
        entries = best()
        worst = (keepsLast ? entries.first : entries.last)?.key
        bytes = entries.reduce(0) { $0 + Self.byteCount($1) }
    }

    /// As many as asked for, from first to last.
    private func best() -> [Entry] {
        let sorted = entries.sorted { $0.precedes($1) }
        return Array(keepsLast ? sorted.suffix(limit) : sorted.prefix(limit))
    }

    func merge(_ later: ValueRanking) throws(CommandError) {
        for entry in later.entries {
            try insert(Entry(key: entry.key, number: number + entry.number, value: entry.value))
        }
        number += later.number
    }

    func result(_ run: Evaluator) throws(CommandError) -> RawValue {
        let best = best()
        if isSingle { return try best.first?.value.value(run) ?? .nothing(.null) }
        let base = run.stack.count
        for entry in best {
            if let value = try entry.value.value(run) { try run.push(value) }
        }
        return try run.popArray(from: base)
    }

    var byteCount: Int { bytes + 128 }

    private static func byteCount(_ entry: Entry) -> Int {
        MemoryLayout<Entry>.stride + entry.key.count + 32 + entry.value.byteCount
    }
}
