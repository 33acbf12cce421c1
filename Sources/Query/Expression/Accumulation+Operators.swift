internal import BSON
internal import CommandModel

/// Accumulators as expressions: over their operands, or over the elements of an array. See `Accumulator.swift`.
enum AccumulationOperator {
    /// `$sum`, `$avg` …: of the operands; of a single operand that is an array the elements.
    case over(AccumulatorOperator)
    /// `$firstN`, `$maxN` …: the operands are `input`, an array, and `n`.
    case limited(AccumulatorOperator)
    /// `$median` and `$percentile` of an array or a number.
    case percentiles(AccumulatorOperator, Unmanaged<AccumulatorSettings>)
    /// `$first` and `$last`.
    case element(isLast: Bool)

    static let rules: [OperatorRule] = [
        .variadic("$sum", .accumulation(.over(.sum))), .variadic("$avg", .accumulation(.over(.average))),
        .variadic("$min", .accumulation(.over(.minimum))), .variadic("$max", .accumulation(.over(.maximum))),
        .variadic("$stdDevPop", .accumulation(.over(.stdDevPop))),
        .variadic("$stdDevSamp", .accumulation(.over(.stdDevSamp))),
        .exactly(1, "$first", .accumulation(.element(isLast: false))),
        .exactly(1, "$last", .accumulation(.element(isLast: true))),
        .named("$firstN", .accumulation(.limited(.firstN)), limited),
        .named("$lastN", .accumulation(.limited(.lastN)), limited),
        .named("$minN", .accumulation(.limited(.minN)), limited),
        .named("$maxN", .accumulation(.limited(.maxN)), limited),
        .special("$median", .percentiles(.median)), .special("$percentile", .percentiles(.percentile)),
    ]

    private static let limited = NamedOperands(
        required: ["n", "input"], optional: [], notDocument: ErrorCode(5_787_801), unknown: ErrorCode(5_787_901),
        absent: ErrorCode(5_787_906))

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        switch self {
        case .over(let operation): try Self.over(operation, operands, run)
        case .limited(let operation): try Self.limited(operation, operands, run)
        case .percentiles(let operation, let settings): try Self.percentiles(operation, settings, operands, run)
        case .element(let isLast): try Self.element(isLast, try operands[0].evaluate(run), run)
        }
    }

    private static func over(
        _ operation: AccumulatorOperator, _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        var state = AccumulatorState(operation)
        if operands.count == 1 {
            let operand = try operands[0].evaluate(run)
            if let array = operand?.array {
                for element in array { try add(element.value, to: &state, run) }
            } else {
                try add(operand, to: &state, run)
            }
        } else {
            for index in 0..<operands.count { try add(try operands[index].evaluate(run), to: &state, run) }
        }
        return try owned(state, run)
    }

    /// The expression `$avg` takes an int64 for the nearest double, as in MongoDB; the accumulator of groups is exact.
    private static func add(
        _ value: RawValue?, to state: inout AccumulatorState, _ run: Evaluator
    ) throws(CommandError) {
        try run.spend()
        guard case .average = state, let value, let integer = value.int64 else { return try state.add(value, run) }
        try state.add(try run.scratch.double(Double(integer)), run)
    }

    /// The result in memory that outlives the state.
    private static func owned(_ state: AccumulatorState, _ run: Evaluator) throws(CommandError) -> RawValue {
        let result = try state.result(run)
        try run.spend(bytes: result.count)
        return try run.scratch.copy(result)
    }

    private static func limited(
        _ operation: AccumulatorOperator, _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let limit = try Accumulator.checkedLimit(try operands[0].evaluate(run))
        let input = try operands[1].evaluate(run)
        guard let array = input?.array else {
            throw CommandError(ErrorCode(5_788_200), "Input must be an array, found \(input.typeName)")
        }
        var state = AccumulatorState(operation, limit: limit)
        for element in array { try add(element.value, to: &state, run) }
        return try owned(state, run)
    }

    private static func percentiles(
        _ operation: AccumulatorOperator, _ settings: Unmanaged<AccumulatorSettings>,
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        var state = AccumulatorState(operation, settings)
        let input = try operands[0].evaluate(run)
        if let array = input?.array {
            for element in array { try add(element.value, to: &state, run) }
        } else {
            try state.add(input, run)
        }
        return try owned(state, run)
    }

    private static func element(
        _ isLast: Bool, _ value: RawValue?, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        guard let value, !value.isNullish else { return .nothing(.null) }
        guard let array = value.array else {
            let name = isLast ? "$last" : "$first"
            throw CommandError(ErrorCode(28689), "\(name)'s argument must be an array, but is \(value.type.alias)")
        }
        guard isLast else { return array.firstElement?.value }
        var last: RawValue?
        for element in array {
            try run.spend()
            last = element.value
        }
        return last
    }
}

extension ExpressionCompiler {
    /// `$median` and `$percentile`, written as accumulators are.
    mutating func percentiles(
        _ operation: AccumulatorOperator, _ element: RawElement, _ depth: Int
    ) throws(CommandError) -> Expression {
        let accumulator = try percentileAccumulator(operation, element, depth)
        guard let settings = accumulator.settings else { return .missing }
        return .call(.accumulation(.percentiles(operation, settings)), arena.list([accumulator.input]))
    }
}
