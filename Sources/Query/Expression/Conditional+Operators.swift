internal import BSON
internal import CommandModel

/// `$cond $ifNull $switch`. Only what is chosen is evaluated.
enum ConditionalOperator {
    case condition, ifNull, choice

    static let rules: [OperatorRule] = [
        .special("$cond", .condition), .special("$ifNull", .ifNull), .special("$switch", .choice),
    ]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        switch self {
        case .condition:
            try operands[try operands[0].evaluate(run).isTruthy ? 1 : 2].evaluate(run)
        case .ifNull: try Self.firstNotNull(operands, run)
        case .choice: try Self.firstTrue(operands, run)
        }
    }

    private static func firstNotNull(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        for index in 0..<operands.count - 1 {
            let value = try operands[index].evaluate(run)
            if !value.isNullish { return value }
        }
        return try operands[operands.count - 1].evaluate(run)
    }

    private static func firstTrue(
        _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let fallback = operands[operands.count - 1]
        for index in stride(from: 0, to: operands.count - 1, by: 2)
        where try operands[index].evaluate(run).isTruthy {
            return try operands[index + 1].evaluate(run)
        }
        guard fallback.isGiven else {
            let isConstant = stride(from: 0, to: operands.count - 1, by: 2).allSatisfy { operands[$0].isConstant }
            throw CommandError(
                ErrorCode(isConstant ? 40069 : 40066),
                "$switch could not find a matching branch for an input, and no default was specified."
            )
        }
        return try fallback.evaluate(run)
    }
}

extension ExpressionCompiler {
    mutating func ifNull(_ element: RawElement, _ depth: Int) throws(CommandError) -> Expression {
        let values = element.value.array?.map(\.value) ?? [element.value]
        guard values.count >= 2 else {
            throw CommandError(
                ErrorCode(1_257_300), "$ifNull needs at least two arguments, had: \(values.count)")
        }
        let operands = try list(values, depth)
        for operand in operands.nodes { try checkConstant(operand) }
        return .call(.conditional(.ifNull), operands)
    }
}
