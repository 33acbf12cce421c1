internal import BSON
internal import CommandModel

/// `$map $filter $reduce`: a body that is evaluated for each element of an array, which it sees in variables.
///
/// The memory that a turn leaves behind is taken back while the loop runs, so that what a body computes on the way does
/// not add up over a long array.
enum LoopOperator {
    /// The array, the body; the slots of the element and of its index.
    case map(element: Int, index: Int)
    /// The array, the condition and the limit.
    case filter(element: Int, index: Int)
    /// The array, the initial value and the body; beside the element's the slot of what came out so far.
    case reduce(element: Int, value: Int, index: Int)

    static let rules: [OperatorRule] = [
        .special("$map", .map, isFoldable: false), .special("$filter", .filter, isFoldable: false),
        .special("$reduce", .reduce, isFoldable: false),
    ]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let input = try operands[0].evaluate(run)
        if input.isNullish { return .nothing(.null) }
        switch self {
        case .map(let element, let index):
            let array = try Self.array(input, "$map", 16883)
            return try Self.map(array, operands[1], Slots(element: element, index: index), run)
        case .filter(let element, let index):
            let array = try Self.array(input, "$filter", 28651)
            let limit = try Self.limit(try operands[2].evaluate(run))
            return try Self.filter(array, operands[1], limit, Slots(element: element, index: index), run)
        case .reduce(let element, let value, let index):
            let array = try Self.array(input, "$reduce", 40080)
            run[variable: value] = try operands[1].evaluate(run)
            try Self.reduce(array, operands[2], into: value, Slots(element: element, index: index), run)
            return run[variable: value]
        }
    }

    private static func array(
        _ input: RawValue?, _ name: StaticString, _ code: Int32
    ) throws(CommandError) -> RawDocument {
        guard let array = input?.array else {
            throw CommandError(ErrorCode(code), "input to \(name) must be an array, not \(input.typeName)")
        }
        return array
    }

    private static func limit(_ value: RawValue?) throws(CommandError) -> Int {
        guard let value, !(value as RawValue?).isNullish else { return .max }
        guard let limit = value.number?.asInt32Exact else {
            throw CommandError(
                ErrorCode(327_391),
                "$filter: limit must be represented as a 32-bit integral value: \(value.errorText)")
        }
        guard limit > 0 else {
            throw CommandError(ErrorCode(327_392), "$filter: limit must be greater than 0: \(limit)")
        }
        return Int(limit)
    }

    /// Where the variables of a turn are.
    private struct Slots {
        let element: Int
        let index: Int

        /// Begins a turn.
        func bind(_ value: RawValue, _ position: Int, _ run: Evaluator) throws(CommandError) {
            try run.countTurn()
            run[variable: element] = value
            run[variable: index] = try run.scratch.int32(Int32(truncatingIfNeeded: position))
        }
    }
}

// The loops.
extension LoopOperator {
    private static func map(
        _ array: RawDocument, _ body: Expression, _ slots: Slots, _ run: Evaluator
    ) throws(CommandError) -> RawValue {
        let base = run.stack.count
        var position = 0
        for element in array {
            let mark = run.scratch.mark
            try slots.bind(element.value, position, run)
            let value = try body.evaluate(run) ?? .nothing(.null)
            try run.push(try run.scratch.settle(since: mark, keeping: value) ?? value)
            position += 1
        }
        return try run.popArray(from: base)
    }

    private static func filter(
        _ array: RawDocument, _ condition: Expression, _ limit: Int, _ slots: Slots, _ run: Evaluator
    ) throws(CommandError) -> RawValue {
        let base = run.stack.count
        let mark = run.scratch.mark
        var position = 0
        for element in array {
            try slots.bind(element.value, position, run)
            if try condition.evaluate(run).isTruthy {
                try run.push(element.value)
                if run.stack.count - base == limit { break }
            }
            _ = try run.scratch.settle(since: mark, keeping: nil)
            position += 1
        }
        return try run.popArray(from: base)
    }

    private static func reduce(
        _ array: RawDocument, _ body: Expression, into slot: Int, _ slots: Slots, _ run: Evaluator
    ) throws(CommandError) {
        let mark = run.scratch.mark
        var position = 0
        for element in array {
            try slots.bind(element.value, position, run)
            let value = try body.evaluate(run)
            run[variable: slot] = try run.scratch.settle(since: mark, keeping: value)
            position += 1
        }
    }
}

extension Scratch {
    /// Takes back what was handed out since `mark`, when that has become much compared with the value to keep: so the
    /// cost of moving that is spread over what was made.
    fileprivate func settle(since mark: Mark, keeping value: RawValue?) throws(CommandError) -> RawValue? {
        guard bytes(since: mark) > Self.garbageMax + 4 * (value?.count ?? 0) else { return value }
        return try rewind(to: mark, keeping: value)
    }
}
