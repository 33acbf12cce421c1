internal import BSON
internal import CommandModel

// Specifications of accumulators.
extension ExpressionCompiler {
    /// Where an accumulator stands.
    enum AccumulatorContext {
        /// An array is no operand: `{$sum: [1, 2]}` is refused, lest someone takes it for the expression.
        case group
        case window
    }

    /// Of a stage: `field: {$sum: expression}`. The field's name is checked, too.
    mutating func compileAccumulator(field: RawElement) throws(CommandError) -> Accumulator {
        let name = field.key.string
        guard let document = field.value.document, let first = document.firstElement, first.key.startsWithDollar else {
            throw CommandError(ErrorCode(40234), "The field '\(name)' must be an accumulator object")
        }
        guard !field.key.containsDot else {
            throw CommandError(ErrorCode(40235), "The field name '\(name)' cannot contain '.'")
        }
        guard !field.key.startsWithDollar else {
            throw CommandError(ErrorCode(40236), "The field name '\(name)' cannot be an operator name")
        }
        guard document.elementCount == 1 else {
            throw CommandError(ErrorCode(40238), "The field '\(name)' must specify one accumulator")
        }
        return try compileAccumulator(first, in: .group)
    }

    /// The operator and its operand: `$sum: expression`.
    mutating func compileAccumulator(
        _ element: RawElement, in context: AccumulatorContext
    ) throws(CommandError) -> Accumulator {
        let name = element.key.string
        if context == .group, element.value.type == .array {
            throw CommandError(ErrorCode(40237), "The \(name) accumulator is a unary operator")
        }
        guard let operation = AccumulatorOperator.all[name] else {
            if name == "$accumulator" {
                throw CommandError(.notImplemented, "$accumulator is not supported: there is no JavaScript here")
            }
            throw CommandError(ErrorCode(15952), "unknown group operator '\(name)'")
        }
        switch operation {
        case .count: return try countAccumulator(element)
        case .firstN, .lastN, .minN, .maxN: return try limitedAccumulator(operation, element)
        case .top, .topN, .bottom, .bottomN: return try rankedAccumulator(operation, element)
        case .median, .percentile: return try percentileAccumulator(operation, element)
        default:
            return Accumulator(
                operation: operation, input: try compile(element.value), count: .notGiven, settings: nil)
        }
    }

    private func countAccumulator(_ element: RawElement) throws(CommandError) -> Accumulator {
        guard let document = element.value.document, document.isEmpty else {
            throw CommandError(
                .typeMismatch, "$count takes no arguments, i.e. $count:{}, but found \(element.value.errorText)")
        }
        return Accumulator(operation: .count, input: .missing, count: .notGiven, settings: nil)
    }

    /// `{input:, n:}`.
    private mutating func limitedAccumulator(
        _ operation: AccumulatorOperator, _ element: RawElement
    ) throws(CommandError) -> Accumulator {
        let name = element.key.string
        guard let document = element.value.document else {
            throw CommandError(ErrorCode(5_787_900), "specification must be an object; found \(name)")
        }
        var (input, count) = (Expression.notGiven, Expression.notGiven)
        for part in document {
            switch part.key {
            case "input": input = try compile(part.value)
            case "n": count = try compile(part.value)
            default:
                throw CommandError(ErrorCode(5_787_901), "Unknown argument for \(name) operator: \(part.key.string)")
            }
        }
        guard count.isGiven else { throw CommandError(ErrorCode(5_787_906), "Missing value for 'n'") }
        guard input.isGiven else { throw CommandError(ErrorCode(5_787_907), "Missing value for 'input'") }
        try Self.checkLimit(count)
        return Accumulator(operation: operation, input: input, count: count, settings: nil)
    }

    /// A wrong constant is refused at once, whether or not there is a document.
    private static func checkLimit(_ count: Expression) throws(CommandError) {
        if case .constant(let value) = count { _ = try Accumulator.checkedLimit(value) }
    }

    /// `{sortBy:, output:}`, and `n` for those that have it.
    private mutating func rankedAccumulator(
        _ operation: AccumulatorOperator, _ element: RawElement
    ) throws(CommandError) -> Accumulator {
        let name = element.key.string
        guard let document = element.value.document else {
            throw CommandError(ErrorCode(5_788_001), "specification must be an object; found \(name)")
        }
        let hasCount = operation == .topN || operation == .bottomN
        var (output, count) = (Expression.notGiven, Expression.notGiven)
        var sortBy: RawDocument?
        for part in document {
            switch part.key {
            case "output": output = try compile(part.value)
            case "sortBy":
                guard let pattern = part.value.document else {
                    throw CommandError(ErrorCode(10065), "invalid parameter: expected an object (sortBy)")
                }
                sortBy = pattern
            case "n" where hasCount: count = try compile(part.value)
            default:
                throw CommandError(ErrorCode(5_788_002), "Unknown argument for \(name) operator: \(part.key.string)")
            }
        }
        guard count.isGiven || !hasCount else { throw CommandError(ErrorCode(5_788_003), "Missing value for 'n'") }
        guard output.isGiven else { throw CommandError(ErrorCode(5_788_004), "Missing value for 'output'") }
        guard let sortBy else { throw CommandError(ErrorCode(5_788_005), "Missing value for 'sortBy'") }
        try Self.checkLimit(count)
        let settings = AccumulatorSettings(sortBy: try SortPattern(compiling: sortBy, collator: order.collator))
        return Accumulator(operation: operation, input: output, count: count, settings: arena.keep(settings))
    }

    /// `{input:, method:}`, and `p` for `$percentile`.
    mutating func percentileAccumulator(
        _ operation: AccumulatorOperator, _ element: RawElement, _ depth: Int = 0
    ) throws(CommandError) -> Accumulator {
        let name = element.key.string
        guard let document = element.value.document else {
            throw CommandError(
                ErrorCode(operation == .median ? 7_436_100 : 7_429_703),
                "specification must be an object; found \(name)")
        }
        var input = Expression.notGiven
        var method: RawValue?
        var fractions: [Double]?
        for part in document {
            switch part.key {
            case "input": input = try compile(part.value, depth: depth + 1)
            case "method": method = part.value
            case "p" where operation == .percentile: fractions = try self.fractions(part.value)
            default:
                throw CommandError(
                    ErrorCode(40415), "BSON field '\(name).\(part.key.string)' is an unknown field.")
            }
        }
        guard input.isGiven else { throw Self.absent(name, "input") }
        guard fractions != nil || operation == .median else { throw Self.absent(name, "p") }
        guard let method else { throw Self.absent(name, "method") }
        try Self.checkMethod(method, name)
        return Accumulator(
            operation: operation, input: input, count: .notGiven,
            settings: arena.keep(AccumulatorSettings(fractions: fractions ?? [0.5])))
    }

    private static func absent(_ name: String, _ field: StaticString) -> CommandError {
        CommandError(ErrorCode(40414), "BSON field '\(name).\(field)' is missing but a required field")
    }

    private static func checkMethod(_ method: RawValue, _ name: String) throws(CommandError) {
        guard let text = method.string else {
            throw CommandError(
                .typeMismatch,
                "BSON field '\(name).method' is the wrong type '\(method.type.alias)', expected type "
                    + "'string'")
        }
        guard text == "approximate" else {
            throw CommandError(.badValue, "Currently only 'approximate' can be used as a percentile 'method'.")
        }
    }

    /// An expression of constants that is an array of numbers in 0…1.
    private mutating func fractions(_ value: RawValue) throws(CommandError) -> [Double] {
        guard case .constant(let constant) = try compile(value), let array = constant.array, !array.isEmpty else {
            throw CommandError(
                ErrorCode(7_750_301),
                "The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found "
                    + value.errorText)
        }
        var fractions: [Double] = []
        for element in array {
            guard let number = element.value.number else {
                throw CommandError(
                    ErrorCode(7_750_302),
                    "The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found "
                        + element.value.errorText)
            }
            let fraction = number.asDouble
            guard fraction >= 0, fraction <= 1 else {
                throw CommandError(
                    ErrorCode(7_750_303),
                    "The $percentile 'p' field must be an array of numbers from [0.0, 1.0], but found \(fraction)")
            }
            fractions.append(fraction)
        }
        return fractions
    }
}
