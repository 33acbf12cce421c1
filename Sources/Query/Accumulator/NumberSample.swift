internal import BSON
internal import CommandModel

/// All numbers of a group, for `$median` and `$percentile`.
///
/// MongoDB's method `approximate` may deviate for many values; this one does not, and takes eight bytes for each.
final class NumberSample {
    /// Nil for the median alone, which is no array.
    private let fractions: [Double]?
    private var numbers: [Double] = []

    init(fractions: [Double]?) {
        self.fractions = fractions
    }

    /// What is no number, NaN included, does not count.
    func add(_ value: RawValue?) throws(CommandError) {
        guard let number = value?.number?.asDouble, !number.isNaN else { return }
        numbers.append(number)
        guard byteCount <= AccumulatorState.bytesMax else { throw AccumulatorState.outOfMemory("$percentile") }
    }

    func merge(_ later: NumberSample) throws(CommandError) {
        numbers += later.numbers
        guard byteCount <= AccumulatorState.bytesMax else { throw AccumulatorState.outOfMemory("$percentile") }
    }

    func result(_ run: Evaluator) throws(CommandError) -> RawValue {
        let sorted = numbers.sorted()
        guard let fractions else { return try Self.percentile(0.5, of: sorted, run) }
        let base = run.stack.count
        for fraction in fractions { try run.push(try Self.percentile(fraction, of: sorted, run)) }
        return try run.popArray(from: base)
    }

    /// The least value that at least this part of all does not exceed; null of nothing.
    private static func percentile(
        _ fraction: Double, of sorted: [Double], _ run: Evaluator
    ) throws(CommandError) -> RawValue {
        guard !sorted.isEmpty else { return .nothing(.null) }
        // In 0...1 times a count: in the range of Int.
        let rank = Int((fraction * Double(sorted.count)).rounded(.up))
        return try run.scratch.double(sorted[min(max(rank - 1, 0), sorted.count - 1)])
    }

    var byteCount: Int { numbers.capacity * 8 + 80 }
}
