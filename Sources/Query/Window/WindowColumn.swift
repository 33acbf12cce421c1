internal import BSON
internal import CommandModel

/// A window function on its way through one partition, document by document.
final class WindowColumn {
    private enum State {
        case none
        case accumulator(AccumulatorState)
        case covariance(Covariance)
        case area(WindowArea)
        case average(Number?)
        case line(WindowLine)
        case ranks(Int64)
    }

    let path: ArenaList<RawKey>
    private let function: WindowFunction
    private let frame: WindowFrame
    private var cursor: WindowCursor
    private var state = State.none
    /// The documents that are in the state; nil before the first one.
    private var included: Range<Int>?
    /// The value for the document moved to.
    private(set) var result = KeptValue(.nothing(.null))

    init(_ output: WindowFields.Output) {
        (path, function, frame) = (output.path, output.function, output.frame)
        cursor = WindowCursor(output.frame)
    }

    /// Computes the value of a document, the first or the next one.
    func move(to index: Int, in partition: WindowPartition, _ run: Evaluator) throws(CommandError) {
        switch function {
        case .accumulator(let accumulator): try accumulate(accumulator, index, partition, run)
        case .covariance(let pair, let isSample): try correlate(pair, isSample, index, partition, run)
        case .derivative(let input, let unit):
            let range = try cursor.move(to: index, in: partition)
            try set(try WindowSlope.derivative(of: input, unit, over: range, in: partition, run), run)
        case .integral(let input, let unit): try integrate(input, unit, index, partition, run)
        case .rank, .denseRank, .documentNumber: try rank(index, partition, run)
        case .shift(let output, let amount, let absent):
            let other = index + amount
            guard other >= 0, other < partition.count else { return result.set(absent) }
            try partition.visit(other, run) { () throws(CommandError) in
                result.set(try output.evaluate(run) ?? .nothing(.null))
            }
        case .movingAverage(let input, let alpha): try average(input, alpha, index, partition, run)
        case .linearFill(let input): try fill(input, index, partition, run)
        case .carry(let input):
            try partition.visit(index, run) { () throws(CommandError) in
                if let value = try input.evaluate(run), !value.isNullish { result.set(value) }
            }
        }
    }

    private func set(_ number: Number?, _ run: Evaluator) throws(CommandError) {
        run.begin(.none)
        result.set(try number.map { number throws(CommandError) in try run.scratch.value(number) } ?? .nothing(.null))
    }

    /// What moving from the frame before to the next one takes.
    private enum Step {
        case none
        /// These come in at the end, and nothing leaves.
        case extend(Range<Int>)
        /// Some leave at the beginning.
        case slide(out: Range<Int>, into: Range<Int>)
        case restart
    }

    private func step(to range: Range<Int>) -> Step {
        guard let included, range.lowerBound < included.upperBound || included == range else { return .restart }
        if included == range { return .none }
        if included.lowerBound == range.lowerBound { return .extend(included.upperBound..<range.upperBound) }
        return .slide(
            out: included.lowerBound..<range.lowerBound, into: included.upperBound..<range.upperBound)
    }
}

// Accumulators.
extension WindowColumn {
    private func accumulate(
        _ accumulator: Accumulator, _ index: Int, _ partition: WindowPartition, _ run: Evaluator
    ) throws(CommandError) {
        let range = try cursor.move(to: index, in: partition)
        var isDone = false
        switch step(to: range) {
        case .none: return
        case .extend(let new):
            try add(new, accumulator, partition, run)
            isDone = true
        case .slide(let out, let new):
            isDone = try remove(out, accumulator, partition, run)
            if isDone { try add(new, accumulator, partition, run) }
        case .restart: break
        }
        if !isDone {
            run.begin(.none)
            state = .accumulator(try accumulator.begin(run))
            try add(range, accumulator, partition, run)
        }
        included = range
        run.begin(.none)
        if case .accumulator(let state) = state { result.set(try state.result(run)) }
        if frame.isSliding, accumulator.operation.isDeviation { try settleDeviation(of: range.count, run) }
    }

    /// As MongoDB has it where documents leave the frame: what is not finite leaves no deviation, and that of one
    /// document is an integer.
    private func settleDeviation(of count: Int, _ run: Evaluator) throws(CommandError) {
        if result.isNaN { return result.set(.nothing(.null)) }
        if count == 1, result.isZero { try set(.int32(0), run) }
    }

    private func add(
        _ range: Range<Int>, _ accumulator: Accumulator, _ partition: WindowPartition, _ run: Evaluator
    ) throws(CommandError) {
        guard case .accumulator(var accumulated) = state else { return }
        // Moved, not copied: two copies would share memory.
        state = .none
        for index in range {
            try partition.visit(index, run) { () throws(CommandError) in
                try accumulator.add(to: &accumulated, run)
            }
        }
        state = .accumulator(accumulated)
    }

    /// - Returns: false when some could not be taken out; then the state is of no use any more.
    private func remove(
        _ range: Range<Int>, _ accumulator: Accumulator, _ partition: WindowPartition, _ run: Evaluator
    ) throws(CommandError) -> Bool {
        guard accumulator.operation.canRemove, case .accumulator(var accumulated) = state else { return false }
        state = .none
        for index in range {
            let isRemoved = try partition.visit(index, run) { () throws(CommandError) in
                accumulated.remove(try accumulator.input.evaluate(run))
            }
            guard isRemoved else { return false }
        }
        state = .accumulator(accumulated)
        return true
    }

    private func correlate(
        _ pair: Expression, _ isSample: Bool, _ index: Int, _ partition: WindowPartition, _ run: Evaluator
    ) throws(CommandError) {
        let range = try cursor.move(to: index, in: partition)
        var (new, old) = (range, 0..<0)
        var covariance = Covariance()
        switch step(to: range) {
        case .none: return
        case .extend(let rest): new = rest
        case .slide(let out, let rest): (new, old) = (rest, out)
        case .restart: state = .none
        }
        if case .covariance(let before) = state { covariance = before }
        for index in new {
            guard let numbers = try numbers(pair, index, partition, run) else { continue }
            covariance.add(numbers.0, numbers.1)
        }
        for index in old {
            guard let numbers = try numbers(pair, index, partition, run) else { continue }
            covariance.remove(numbers.0, numbers.1)
        }
        (state, included) = (.covariance(covariance), range)
        try set(covariance.result(isSample: isSample), run)
    }

    private func numbers(
        _ pair: Expression, _ index: Int, _ partition: WindowPartition, _ run: Evaluator
    ) throws(CommandError) -> (Number, Number)? {
        try partition.visit(index, run) { () throws(CommandError) in try pair.evaluate(run)?.pair }
    }

    private func integrate(
        _ input: Expression, _ unit: DateUnit?, _ index: Int, _ partition: WindowPartition, _ run: Evaluator
    ) throws(CommandError) {
        let range = try cursor.move(to: index, in: partition)
        var new = range
        var area = WindowArea()
        switch step(to: range) {
        case .none: return
        case .extend(let rest):
            new = rest
            if case .area(let before) = state { area = before }
        case .slide, .restart: break
        }
        for index in new { try area.add(try WindowSlope.point(of: input, unit, index, in: partition, run)) }
        (state, included) = (.area(area), range)
        try set(range.isEmpty ? nil : area.total, run)
    }
}

// Functions without a frame.
extension WindowColumn {
    private func rank(_ index: Int, _ partition: WindowPartition, _ run: Evaluator) throws(CommandError) {
        var rank: Int64 = 0
        if case .ranks(let before) = state { rank = before }
        let isTied = index > 0 && partition.arePeers(index - 1, index)
        switch function {
        case .denseRank: rank += isTied ? 0 : 1
        case .rank: rank = isTied ? rank : Int64(index) + 1
        default: rank = Int64(index) + 1
        }
        state = .ranks(rank)
        try set(Number(narrowest: rank), run)
    }

    private func average(
        _ input: Expression, _ alpha: Number, _ index: Int, _ partition: WindowPartition, _ run: Evaluator
    ) throws(CommandError) {
        let number = try partition.visit(index, run) { () throws(CommandError) in try input.evaluate(run)?.number }
        guard let number else { return result.set(.nothing(.null)) }
        var average = number.isDecimal ? number : .double(number.asDouble)
        if case .average(let before?) = state {
            average = number.product(alpha).sum(before.product(Number.int32(1).difference(alpha)))
        }
        state = .average(average)
        try set(average, run)
    }

    private func fill(
        _ input: Expression, _ index: Int, _ partition: WindowPartition, _ run: Evaluator
    ) throws(CommandError) {
        var line = WindowLine()
        if case .line(let before) = state { line = before }
        let isGiven = try line.move(to: index, input, in: partition, run)
        state = .line(line)
        if isGiven {
            try partition.visit(index, run) { () throws(CommandError) in
                result.set(try input.evaluate(run) ?? .nothing(.null))
            }
        } else {
            try set(line.value(at: index, in: partition), run)
        }
    }
}

extension WindowFrame {
    /// Whether documents leave it.
    fileprivate var isSliding: Bool {
        switch self {
        case .documents(let lower, _): lower != nil
        case .range(let lower, _): lower != nil
        case .time(let lower, _, _): lower != nil
        case .peers(let fromStart, _): !fromStart
        }
    }
}

extension AccumulatorOperator {
    fileprivate var isDeviation: Bool { self == .stdDevPop || self == .stdDevSamp }

    /// Whether asking an accumulator to take a value out has a point.
    fileprivate var canRemove: Bool {
        switch self {
        case .sum, .average, .count: true
        default: false
        }
    }
}

extension KeptValue {
    fileprivate var isNaN: Bool { withValue { $0.isNaN } }
    fileprivate var isZero: Bool { withValue { $0.number?.isZero ?? false } }
}

extension RawValue {
    /// The numbers of an array that holds two and nothing else.
    fileprivate var pair: (Number, Number)? {
        guard let array, array.elementCount == 2 else { return nil }
        var numbers: [Number] = []
        for element in array {
            guard let number = element.value.number else { return nil }
            numbers.append(number)
        }
        return (numbers[0], numbers[1])
    }
}
