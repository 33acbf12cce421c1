internal import BSON
internal import CommandModel

// # Accumulators
//
// What `$group`, `$bucket`, `$setWindowFields` and the expressions `$sum: [1, 2]` … compute over many values. One
// implementation serves all of them:
//
// - `ExpressionCompiler.compileAccumulator` turns `field: {$sum: expression}` into an ``Accumulator``: a trivial value
//   with the operator and its compiled operands, for the program's arena like other nodes.
// - `accumulator.begin(group:run)` makes the ``AccumulatorState`` of one group. Forty bytes in place; only operators
//   that keep more than a number or a small value own memory beside it.
// - `accumulator.add(to: &state, run)` evaluates the operands for the document at which the evaluator stands and adds
//   them. Numbers cost no allocation.
// - `state.result(run)` gives the value, which lies in the state or in the evaluator's scratch memory: it must be used
//   before the state changes or the evaluator turns to the next document. Asking does not change the state.
// - `state.merge(other)` takes in the state of a part of the same group that comes later in the order of documents.
// - `state.remove(value)` undoes `add` for a window that slides on, where that is exact; it tells whether it could.
// - `state.byteCount` is the memory in use, for whoever bounds it.
//
//     var state = try accumulator.begin(group: id, run)
//     for document in documents {
//         run.begin(document)
//         try accumulator.add(to: &state, run)
//     }
//     let value = try state.result(run)
//
// A state is moved, never copied: two copies would share the memory of a long value.

/// A compiled accumulator: an operator and its operands.
struct Accumulator {
    let operation: AccumulatorOperator
    /// What is accumulated; the output of `$top` and its kin.
    let input: Expression
    /// The `n` of `$firstN` and its kin, which may depend on the group's `_id` but on no document.
    let count: Expression
    /// What some operators have beside.
    let settings: Unmanaged<AccumulatorSettings>?
}

/// An order for `$top` and its kin, fractions for `$percentile`. Kept by the program's arena.
final class AccumulatorSettings: Sendable {
    let sortBy: SortPattern
    /// In 0…1.
    let fractions: [Double]

    init(sortBy: SortPattern = .none, fractions: [Double] = []) {
        (self.sortBy, self.fractions) = (sortBy, fractions)
    }
}

enum AccumulatorOperator {
    case sum, average, count
    case stdDevPop, stdDevSamp, median, percentile
    case minimum, maximum, minN, maxN
    case first, last, firstN, lastN
    case top, topN, bottom, bottomN
    case push, addToSet, setUnion, concatArrays, mergeObjects
}

extension Accumulator {
    /// The state of a group without documents.
    ///
    /// - Parameter group: the group's `_id`, whose fields `n` sees; nil outside of groups.
    func begin(group: RawValue? = nil, _ run: Evaluator) throws(CommandError) -> AccumulatorState {
        if group != nil { run.isGrouping = true }
        guard count.isGiven else { return AccumulatorState(operation, settings) }
        return AccumulatorState(operation, limit: try limit(group, run), settings)
    }

    private func limit(_ group: RawValue?, _ run: Evaluator) throws(CommandError) -> Int {
        if case .constant(let value) = count { return try Self.checkedLimit(value) }
        let root = run[variable: Evaluator.rootSlot]
        defer { run[variable: Evaluator.rootSlot] = root }
        run[variable: Evaluator.rootSlot] =
            group?.type == .document ? group : RawValue(type: .document, bytes: RawDocument.none.bytes)
        return try Self.checkedLimit(try count.evaluate(run))
    }

    /// As `n` must be: a whole number from 1 on.
    static func checkedLimit(_ value: RawValue?) throws(CommandError) -> Int {
        guard let number = value?.number?.asInt64Exact, number > 0 else {
            throw CommandError(
                ErrorCode(7_548_606), "'n' must be a positive integral value, found \(value?.errorText ?? "missing")")
        }
        return Int(number)
    }

    /// Adds what the operands yield for the evaluator's document.
    @inline(__always)
    func add(to state: inout AccumulatorState, _ run: Evaluator) throws(CommandError) {
        let value = try input.evaluate(run)
        if let settings, operation.isRanked {
            let root = run[variable: Evaluator.rootSlot]?.document ?? .none
            return try state.add(value, key: settings.takeUnretainedValue().sortBy.key(of: root))
        }
        try state.add(value, run)
    }
}

extension AccumulatorOperator {
    /// Whether documents compete by a `sortBy`.
    @inline(__always)
    var isRanked: Bool {
        switch self {
        case .top, .topN, .bottom, .bottomN: true
        default: false
        }
    }

    /// By the name in a specification, with its dollar.
    static let all: [String: AccumulatorOperator] = [
        "$sum": .sum, "$avg": .average, "$count": .count, "$stdDevPop": .stdDevPop, "$stdDevSamp": .stdDevSamp,
        "$median": .median, "$percentile": .percentile, "$min": .minimum, "$max": .maximum, "$minN": .minN,
        "$maxN": .maxN, "$first": .first, "$last": .last, "$firstN": .firstN, "$lastN": .lastN, "$top": .top,
        "$topN": .topN, "$bottom": .bottom, "$bottomN": .bottomN, "$push": .push, "$addToSet": .addToSet,
        "$setUnion": .setUnion, "$concatArrays": .concatArrays, "$mergeObjects": .mergeObjects,
    ]
}
