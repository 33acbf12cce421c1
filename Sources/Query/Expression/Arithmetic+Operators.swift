internal import BSON
internal import CommandModel

/// Arithmetic: `$add $subtract $multiply $divide $mod`, powers and logarithms, rounding.
///
/// A result has the widest type of the operands. An int32 that does not fit becomes an int64, an int64 a double. Null
/// and what is not there make the result null.
enum ArithmeticOperator {
    case add, subtract, multiply, divide, remainder
    case absolute, squareRoot, exponential, naturalLogarithm, decimalLogarithm, logarithm, power, sigmoid
    case ceiling, floor, round, truncate
    case random

    static let rules: [OperatorRule] = [
        .variadic("$add", .arithmetic(.add)), .exactly(2, "$subtract", .arithmetic(.subtract)),
        .variadic("$multiply", .arithmetic(.multiply)), .exactly(2, "$divide", .arithmetic(.divide)),
        .exactly(2, "$mod", .arithmetic(.remainder)), .exactly(1, "$abs", .arithmetic(.absolute)),
        .exactly(1, "$sqrt", .arithmetic(.squareRoot)), .exactly(1, "$exp", .arithmetic(.exponential)),
        .exactly(1, "$ln", .arithmetic(.naturalLogarithm)), .exactly(1, "$log10", .arithmetic(.decimalLogarithm)),
        .exactly(2, "$log", .arithmetic(.logarithm)), .exactly(2, "$pow", .arithmetic(.power)),
        .special("$sigmoid", .sigmoid), .exactly(1, "$ceil", .arithmetic(.ceiling)),
        .exactly(1, "$floor", .arithmetic(.floor)), .list("$round", .arithmetic(.round), 1...2),
        .list("$trunc", .arithmetic(.truncate), 1...2), .special("$rand", .random, isFoldable: false),
    ]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        switch self {
        case .add: return try Self.add(operands, run)
        case .multiply: return try Self.multiply(operands, run)
        case .subtract, .divide, .remainder, .logarithm, .power:
            let left = try operands[0].evaluate(run)
            let right = try operands[1].evaluate(run)
            guard let left, let right, !left.isNullish, !right.isNullish else { return .nothing(.null) }
            return try binary(left, right, run)
        case .round, .truncate: return try round(operands, run)
        case .random: return try run.scratch.double(Double.random(in: 0..<1))
        default:
            guard let value = try operands[0].evaluate(run), !value.isNullish else { return .nothing(.null) }
            return try run.scratch.value(try unary(value, run))
        }
    }

    private func binary(_ left: RawValue, _ right: RawValue, _ run: Evaluator) throws(CommandError) -> RawValue {
        switch self {
        case .subtract: return try Self.subtract(left, right, run)
        case .divide: return try run.scratch.value(try Self.divide(left, right, run))
        case .remainder: return try run.scratch.value(try Self.remainder(left, right, run))
        case .logarithm: return try run.scratch.value(try Self.logarithm(left, right))
        default: return try run.scratch.value(try Self.power(left, right))
        }
    }

    private func unary(_ value: RawValue, _ run: Evaluator) throws(CommandError) -> Number {
        guard let number = value.number else { throw notNumeric(value) }
        switch self {
        case .absolute: return try Self.absolute(number)
        case .squareRoot: return try Self.squareRoot(number)
        case .exponential: return Self.exponential(number)
        case .naturalLogarithm: return try Self.naturalLogarithm(number)
        case .decimalLogarithm: return try Self.decimalLogarithm(number)
        case .sigmoid: return Self.sigmoid(number)
        case .ceiling: return Self.whole(number, .up)
        default: return Self.whole(number, .down)
        }
    }

    private func notNumeric(_ value: RawValue) -> CommandError {
        let code = self == .sigmoid ? ErrorCode.typeMismatch : ErrorCode(28765)
        return CommandError(code, "\(name) only supports numeric types, not \(value.type.alias)")
    }

    private var name: StaticString {
        switch self {
        case .absolute: "$abs"
        case .squareRoot: "$sqrt"
        case .exponential: "$exp"
        case .naturalLogarithm: "$ln"
        case .decimalLogarithm: "$log10"
        case .sigmoid: "$sigmoid"
        case .ceiling: "$ceil"
        case .floor: "$floor"
        case .round: "$round"
        case .truncate: "$trunc"
        default: "arithmetic"
        }
    }

    private static func absolute(_ number: Number) throws(CommandError) -> Number {
        switch number {
        case .int32(let value): return Number(narrowest: abs(Int64(value)))
        case .int64(.min): throw CommandError(ErrorCode(28680), "can't take $abs of long long min")
        case .int64(let value): return .int64(abs(value))
        case .double(let value): return .double(abs(value))
        case .decimal(let value): return .decimal(value.magnitude)
        }
    }
}

extension RawValue {
    @inline(__always)
    var isNullish: Bool { type == .null || type == .undefined }
}

// `$rand` and `$sigmoid`.
extension ExpressionCompiler {
    /// The operand is what stands there: an array is no list of operands.
    mutating func sigmoid(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        .call(.arithmetic(.sigmoid), arena.list([try compile(element.value, depth: depth + 1)]))
    }

    /// `{$rand: {}}`: a number in 0..<1, another one each time.
    func random(_ element: RawElement) throws(CommandError) -> Expression {
        guard let operand = element.value.container else {
            throw CommandError(ErrorCode(10065), "invalid parameter: expected an object ($rand)")
        }
        guard operand.isEmpty else {
            throw CommandError(ErrorCode(3_040_501), "$rand does not currently accept arguments")
        }
        return .call(.arithmetic(.random), arena.list([]))
    }
}
