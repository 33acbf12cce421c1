internal import BSON
internal import CommandModel

/// What `$setWindowFields` computes for a field.
enum WindowFunction {
    case accumulator(Accumulator)
    /// Of an expression that yields pairs.
    case covariance(Expression, isSample: Bool)
    case derivative(Expression, DateUnit?)
    case integral(Expression, DateUnit?)
    case rank, denseRank, documentNumber
    /// The value at another document, so many behind this one; a constant where there is none.
    case shift(Expression, by: Int, absent: RawValue)
    case movingAverage(Expression, alpha: Number)
    case linearFill(Expression)
    /// The last value that was not null.
    case carry(Expression)

    /// Whether it looks at the numbers or dates in `sortBy`.
    var needsPositions: Bool {
        switch self {
        case .derivative, .integral, .linearFill: true
        default: false
        }
    }
}

/// Where a window function stands: it may look at these.
struct WindowFunctionCompiler {
    let field: RawElement
    let sortBy: SortPattern
    /// Whether there is a `sortBy`, be it empty.
    let namesOrder: Bool
    private var function: RawElement?
    private var window: RawValue?
    private var unknown: String?

    init(field: RawElement, sortBy: SortPattern, namesOrder: Bool) throws(CommandError) {
        (self.field, self.sortBy, self.namesOrder) = (field, sortBy, namesOrder)
        guard let document = field.value.document else {
            throw WindowFrame.refused("The field '\(field.key.string)' must be an object")
        }
        for part in document {
            if part.key == "window" {
                window = part.value
            } else if part.key.startsWithDollar, function == nil {
                function = part
            } else {
                unknown = part.key.string
            }
        }
    }

    func compile(_ compiler: inout ExpressionCompiler) throws(CommandError) -> (WindowFunction, WindowFrame) {
        guard let function else { throw WindowFrame.refused("Expected a $-prefixed window function") }
        let name = function.key.string
        if let ranking = try ranking(function) { return (ranking, .everything) }
        if let unknown { throw WindowFrame.refused("Window function \(name) found an unknown argument: \(unknown)") }
        if let frameless = try frameless(function, &compiler) {
            guard window == nil else {
                throw WindowFrame.refused("'window' field is not allowed in \(name)")
            }
            return (frameless, .everything)
        }
        let compiled = try framed(function, &compiler)
        let frame = try window.map { value throws(CommandError) in
            try WindowFrame(compiling: value, sortBy: sortBy, namesOrder: namesOrder)
        }
        return (compiled, frame ?? .everything)
    }

    /// `$rank`, `$denseRank`, `$documentNumber`, which take nothing.
    private func ranking(_ element: RawElement) throws(CommandError) -> WindowFunction? {
        let function: WindowFunction
        switch element.key {
        case "$rank": function = .rank
        case "$denseRank": function = .denseRank
        case "$documentNumber": function = .documentNumber
        default: return nil
        }
        let name = element.key.string
        guard unknown == nil, window == nil else {
            throw CommandError(ErrorCode(5_371_601), "Rank style window functions take no other arguments: \(name)")
        }
        guard sortBy.fields.count == 1 else {
            throw CommandError(
                ErrorCode(5_371_602),
                "\(name) must be specified with a top level sortBy expression with exactly one"
                    + " element")
        }
        guard let argument = element.value.document, argument.isEmpty else {
            throw CommandError(ErrorCode(5_371_603), "\(name) must be specified with '{}' as the value")
        }
        return function
    }

    private func frameless(
        _ element: RawElement, _ compiler: inout ExpressionCompiler
    ) throws(CommandError) -> WindowFunction? {
        switch element.key {
        case "$shift": return try shift(element, &compiler)
        case "$expMovingAvg": return try movingAverage(element, &compiler)
        case "$locf": return .carry(try compiler.compile(element.value))
        case "$linearFill":
            guard sortBy.fields.count == 1 else {
                throw CommandError(
                    ErrorCode(605_001),
                    "$linearFill must be specified with a top level sortBy expression with exactly one element")
            }
            return .linearFill(try compiler.compile(element.value))
        default: return nil
        }
    }

    private func framed(
        _ element: RawElement, _ compiler: inout ExpressionCompiler
    ) throws(CommandError) -> WindowFunction {
        switch element.key {
        case "$covariancePop": return .covariance(try compiler.compile(element.value), isSample: false)
        case "$covarianceSamp": return .covariance(try compiler.compile(element.value), isSample: true)
        case "$derivative":
            guard window != nil else {
                throw WindowFrame.refused("$derivative requires explicit window bounds")
            }
            let (input, unit) = try slope(element, &compiler)
            return .derivative(input, unit)
        case "$integral":
            let (input, unit) = try slope(element, &compiler)
            return .integral(input, unit)
        case "$mergeObjects": throw Self.unrecognized(element)
        default:
            guard AccumulatorOperator.all[element.key.string] != nil else { throw Self.unrecognized(element) }
            return .accumulator(try compiler.compileAccumulator(element, in: .window))
        }
    }

    private static func unrecognized(_ element: RawElement) -> CommandError {
        WindowFrame.refused("Unrecognized window function, \(element.key.string)")
    }
}

// Operands.
extension WindowFunctionCompiler {
    private func operands(_ element: RawElement) throws(CommandError) -> RawDocument {
        guard let document = element.value.document else {
            throw WindowFrame.refused("Argument to \(element.key.string) must be an object")
        }
        return document
    }

    private func unexpected(_ operand: RawElement, of element: RawElement) -> CommandError {
        WindowFrame.refused("\(element.key.string) got unexpected argument: \(operand.key.string)")
    }

    /// `{output:, by:, default:}`
    private func shift(
        _ element: RawElement, _ compiler: inout ExpressionCompiler
    ) throws(CommandError) -> WindowFunction {
        guard !sortBy.fields.isEmpty else { throw WindowFrame.refused("'$shift' requires a sortBy") }
        var output: Expression?
        var amount: Int64?
        var absent = RawValue.nothing(.null)
        for operand in try operands(element) {
            switch operand.key {
            case "output": output = try compiler.compile(operand.value)
            case "by":
                amount = operand.value.number?.asInt64Exact
                guard amount != nil else {
                    throw WindowFrame.refused("'$shift:by' field must be an integer: \(operand.value.errorText)")
                }
            case "default":
                switch try compiler.compile(operand.value) {
                case .constant(let value): absent = value
                case .missing: break
                default: throw WindowFrame.refused("'$shift:default' expression must yield a constant value.")
                }
            default: throw unexpected(operand, of: element)
            }
        }
        guard let output, let amount else {
            throw WindowFrame.refused("$shift requires 'output' and 'by'")
        }
        return .shift(output, by: Int(min(max(amount, -0x8000_0000), 0x8000_0000)), absent: absent)
    }

    /// `{input:, N:}` or `{input:, alpha:}`
    private func movingAverage(
        _ element: RawElement, _ compiler: inout ExpressionCompiler
    ) throws(CommandError) -> WindowFunction {
        guard !sortBy.fields.isEmpty else {
            throw WindowFrame.refused("$expMovingAvg requires an explicit 'sortBy'")
        }
        var input: Expression?
        var alphas: [Number] = []
        for operand in try operands(element) {
            switch operand.key {
            case "input": input = try compiler.compile(operand.value)
            case "N": alphas.append(try Self.alpha(count: operand.value))
            case "alpha": alphas.append(try Self.alpha(operand.value))
            default: throw unexpected(operand, of: element)
            }
        }
        guard let input, alphas.count == 1, let alpha = alphas.first else {
            throw WindowFrame.refused("$expMovingAvg requires 'input' and exactly one of 'N' and 'alpha'")
        }
        return .movingAverage(input, alpha: alpha)
    }

    private static func alpha(count value: RawValue) throws(CommandError) -> Number {
        guard let count = value.number?.asInt64Exact, count > 0 else {
            throw WindowFrame.refused("'N' field must be a positive integer, but found \(value.errorText)")
        }
        return .double(2 / (Double(count) + 1))
    }

    private static func alpha(_ value: RawValue) throws(CommandError) -> Number {
        guard let alpha = value.number, alpha.asDouble > 0, alpha.asDouble < 1 else {
            throw WindowFrame.refused("'alpha' must be between 0 and 1 (exclusive), found \(value.errorText)")
        }
        return alpha
    }

    /// `{input:, unit:}`
    private func slope(
        _ element: RawElement, _ compiler: inout ExpressionCompiler
    ) throws(CommandError) -> (Expression, DateUnit?) {
        guard sortBy.fields.count == 1 else {
            throw WindowFrame.refused("\(element.key.string) requires a sortBy with exactly one element")
        }
        var input: Expression?
        var unit: DateUnit?
        for operand in try operands(element) {
            switch operand.key {
            case "input": input = try compiler.compile(operand.value)
            case "unit":
                unit = try WindowFrame.unit(operand.value)
                guard unit?.milliseconds != nil else {
                    throw CommandError(ErrorCode(5_490_710), "unit must be 'week' or smaller")
                }
            default: throw unexpected(operand, of: element)
            }
        }
        guard let input else { throw WindowFrame.refused("\(element.key.string) requires an 'input' expression") }
        return (input, unit)
    }
}

extension DateUnit {
    /// How long a unit is; nil where that depends on the calendar.
    var milliseconds: Int64? {
        switch measure {
        case .months: nil
        case .days(let days): days * 86_400_000
        case .milliseconds(let milliseconds): milliseconds
        }
    }
}
