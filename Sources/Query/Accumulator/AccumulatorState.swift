internal import BSON
internal import CommandModel

/// What an accumulator knows of one group so far. See `Accumulator.swift`.
enum AccumulatorState {
    case sum(NumericSum)
    case average(NumericSum, count: Int64)
    case count(Int64)
    case deviation(Deviation, isSample: Bool)
    case extreme(KeptValue, isMaximum: Bool)
    case first(KeptValue)
    case last(KeptValue)
    case list(ValueList, isConcatenation: Bool)
    case set(DistinctValues, isUnion: Bool)
    case fields(MergedFields)
    case row(ValueRow)
    case ranking(ValueRanking)
    case percentiles(NumberSample)

    /// As much memory as one group's list, set … may take.
    static let bytesMax = 100 * 1024 * 1024

    /// - Parameter limit: how many values operators with an `n` keep.
    init(_ operation: AccumulatorOperator, limit: Int = 1, _ settings: Unmanaged<AccumulatorSettings>? = nil) {
        switch operation {
        case .sum: self = .sum(NumericSum())
        case .average: self = .average(NumericSum(), count: 0)
        case .count: self = .count(0)
        case .stdDevPop: self = .deviation(Deviation(), isSample: false)
        case .stdDevSamp: self = .deviation(Deviation(), isSample: true)
        case .minimum: self = .extreme(KeptValue(), isMaximum: false)
        case .maximum: self = .extreme(KeptValue(), isMaximum: true)
        case .first: self = .first(KeptValue())
        case .last: self = .last(KeptValue())
        case .push: self = .list(ValueList(), isConcatenation: false)
        case .concatArrays: self = .list(ValueList(), isConcatenation: true)
        case .addToSet: self = .set(DistinctValues(), isUnion: false)
        case .setUnion: self = .set(DistinctValues(), isUnion: true)
        case .mergeObjects: self = .fields(MergedFields())
        case .firstN: self = .row(ValueRow(limit: limit, keepsLast: false))
        case .lastN: self = .row(ValueRow(limit: limit, keepsLast: true))
        case .minN: self = .ranking(ValueRanking(limit: limit, by: .ascendingValue))
        case .maxN: self = .ranking(ValueRanking(limit: limit, by: .descendingValue))
        case .top: self = .ranking(ValueRanking(limit: 1, by: .key, isSingle: true))
        case .topN: self = .ranking(ValueRanking(limit: limit, by: .key))
        case .bottom: self = .ranking(ValueRanking(limit: 1, by: .key, keepsLast: true, isSingle: true))
        case .bottomN: self = .ranking(ValueRanking(limit: limit, by: .key, keepsLast: true))
        case .median: self = .percentiles(NumberSample(fractions: nil))
        case .percentile:
            self = .percentiles(NumberSample(fractions: settings?.takeUnretainedValue().fractions ?? []))
        }
    }
}

// Adding.
extension AccumulatorState {
    /// Adds a value; nil where there is none.
    mutating func add(_ value: RawValue?, _ run: Evaluator) throws(CommandError) {
        switch self {
        case .sum(var sum):
            guard let number = value?.number else { return }
            sum.add(number)
            self = .sum(sum)
        case .average(var sum, let count):
            guard let number = value?.number else { return }
            sum.add(number)
            self = .average(sum, count: count + 1)
        case .count(let count): self = .count(count + 1)
        case .deviation(var deviation, let isSample):
            guard let number = value?.number else { return }
            deviation.add(number.asDouble)
            self = .deviation(deviation, isSample: isSample)
        case .extreme(let kept, let isMaximum): try addExtreme(value, kept, isMaximum, run)
        case .first(var kept):
            guard !kept.isSet else { return }
            kept.set(value ?? .nothing(.null))
            self = .first(kept)
        case .last(var kept):
            kept.set(value ?? .nothing(.null))
            self = .last(kept)
        default: try addToMany(value, run)
        }
    }

    /// Adds a value that competes by a key: `$top` and its kin.
    mutating func add(_ value: RawValue?, key: [UInt8]) throws(CommandError) {
        guard case .ranking(let ranking) = self else { return }
        try ranking.add(value ?? .nothing(.null), key: key)
    }

    private mutating func addExtreme(
        _ value: RawValue?, _ kept: KeptValue, _ isMaximum: Bool, _ run: Evaluator
    ) throws(CommandError) {
        guard let value, !value.isNullish else { return }
        if kept.isSet {
            let order = kept.withValue { kept in run.compare(value, kept) }
            guard isMaximum ? order > 0 : order < 0 else { return }
        }
        var kept = kept
        kept.set(value)
        self = .extreme(kept, isMaximum: isMaximum)
    }

    private func addToMany(_ value: RawValue?, _ run: Evaluator) throws(CommandError) {
        switch self {
        case .list(let list, isConcatenation: false):
            if let value { try list.append(value) }
        case .list(let list, isConcatenation: true):
            for element in try Self.elements(value, "$concatArrays") { try list.append(element.value) }
        case .set(let set, isUnion: false):
            if let value { try set.insert(value, run.order) }
        case .set(let set, isUnion: true):
            for element in try Self.elements(value, "$setUnion") { try set.insert(element.value, run.order) }
        case .fields(let fields): try fields.merge(value)
        case .row(let row): try row.add(value ?? .nothing(.null))
        case .ranking(let ranking): try ranking.add(value, run.order)
        case .percentiles(let sample): try sample.add(value)
        default: return
        }
    }

    private static func elements(_ value: RawValue?, _ name: StaticString) throws(CommandError) -> RawDocument {
        guard let value else { return .none }
        guard let array = value.array else {
            throw CommandError(.typeMismatch, "\(name) requires array inputs, but found \(value.type.alias)")
        }
        return array
    }

    static func outOfMemory(_ name: StaticString) -> CommandError {
        CommandError(
            .exceededMemoryLimit,
            "\(name) used too much memory and cannot spill to disk. Memory limit: "
                + "\(bytesMax) bytes")
    }
}

// Results.
extension AccumulatorState {
    /// The value of what was added, valid until the state changes or the evaluator turns to another document.
    func result(_ run: Evaluator) throws(CommandError) -> RawValue {
        switch self {
        case .sum(let sum): return try run.scratch.value(sum.total)
        case .average(let sum, let count):
            guard let average = sum.average(of: count) else { return .nothing(.null) }
            return try run.scratch.value(average)
        case .count(let count): return try run.scratch.value(Number(narrowest: count))
        case .deviation(let deviation, let isSample):
            guard let value = isSample ? deviation.sample : deviation.population else { return .nothing(.null) }
            return try run.scratch.double(value)
        case .extreme(let kept, _), .first(let kept), .last(let kept):
            return try kept.value(run) ?? .nothing(.null)
        case .list(let list, _): return list.array
        case .set(let set, _): return set.array
        case .fields(let fields): return try fields.document(run)
        case .row(let row): return try row.array(run)
        case .ranking(let ranking): return try ranking.result(run)
        case .percentiles(let sample): return try sample.result(run)
        }
    }

    /// The bytes in use, those of the state itself included.
    var byteCount: Int { MemoryLayout<AccumulatorState>.stride + bytesBeside }

    private var bytesBeside: Int {
        switch self {
        case .sum(let sum), .average(let sum, count: _): sum.byteCount
        case .count, .deviation: 0
        case .extreme(let kept, _), .first(let kept), .last(let kept): kept.byteCount
        case .list(let list, _): list.byteCount
        case .set(let set, _): set.byteCount
        case .fields(let fields): fields.byteCount
        case .row(let row): row.byteCount
        case .ranking(let ranking): ranking.byteCount
        case .percentiles(let sample): sample.byteCount
        }
    }
}

// Parts of a group, and windows.
extension AccumulatorState {
    /// Takes in the state that the same accumulator has of later documents of the group.
    mutating func merge(_ other: AccumulatorState, _ run: Evaluator) throws(CommandError) {
        switch (self, other) {
        case (.sum(var sum), .sum(let later)):
            sum.merge(later)
            self = .sum(sum)
        case (.average(var sum, let count), .average(let later, let laterCount)):
            sum.merge(later)
            self = .average(sum, count: count + laterCount)
        case (.count(let count), .count(let later)): self = .count(count + later)
        case (.deviation(var deviation, let isSample), .deviation(let later, _)):
            deviation.merge(later)
            self = .deviation(deviation, isSample: isSample)
        case (.extreme(let kept, let isMaximum), .extreme(let later, _)):
            try addExtreme(try later.value(run), kept, isMaximum, run)
        case (.first(let kept), .first): if !kept.isSet { self = other }
        case (.last, .last(let later)): if later.isSet { self = other }
        default: try mergeMany(other, run)
        }
    }

    private func mergeMany(_ other: AccumulatorState, _ run: Evaluator) throws(CommandError) {
        switch (self, other) {
        case (.list(let list, _), .list(let later, _)):
            for element in later.elements { try list.append(element.value) }
        case (.set(let set, _), .set(let later, _)):
            for element in later.elements { try set.insert(element.value, run.order) }
        case (.fields(let fields), .fields(let later)): try fields.merge(later)
        case (.row(let row), .row(let later)): try row.merge(later)
        case (.ranking(let ranking), .ranking(let later)): try ranking.merge(later)
        case (.percentiles(let sample), .percentiles(let later)): try sample.merge(later)
        default: preconditionFailure("states of different accumulators")
        }
    }

    /// Undoes the addition of a value, of those still in it the first one added.
    ///
    /// - Returns: false when that cannot be done exactly, and the state is as before: the caller then begins a new one.
    mutating func remove(_ value: RawValue?) -> Bool {
        switch self {
        case .sum(var sum):
            guard let number = value?.number else { return true }
            guard sum.remove(number) else { return false }
            self = .sum(sum)
        case .average(var sum, let count):
            guard let number = value?.number else { return true }
            guard sum.remove(number) else { return false }
            self = .average(sum, count: count - 1)
        case .count(let count): self = .count(count - 1)
        default: return false
        }
        return true
    }
}
