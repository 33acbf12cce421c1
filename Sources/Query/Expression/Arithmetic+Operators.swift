internal import BSON
internal import CommandModel

/// Arithmetic: `$add` …
enum ArithmeticOperator {
    case add

    static let rules: [OperatorRule] = [.variadic("$add", .arithmetic(.add))]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        switch self {
        case .add: try Self.add(operands, run)
        }
    }

    private static func add(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        var sum = Number.int32(0)
        for index in 0..<operands.count {
            let operand = try operands[index].evaluate(run)
            guard let operand, !(operand as RawValue?).isNullish else { return .nothing(.null) }
            guard let number = operand.number else {
                throw CommandError(
                    ErrorCode(16554), "$add only supports numeric or date types, not \(operand.type.alias)")
            }
            sum = sum.adding(number) ?? .double(sum.asDouble + number.asDouble)
        }
        return try run.scratch.value(sum)
    }
}
