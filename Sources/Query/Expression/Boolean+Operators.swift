internal import BSON
internal import CommandModel

/// `$and $or $not`. Operands after the one that decides are not evaluated.
enum BooleanOperator {
    case and, or, not

    static let rules: [OperatorRule] = [
        .variadic("$and", .boolean(.and)), .variadic("$or", .boolean(.or)), .exactly(1, "$not", .boolean(.not)),
    ]

    /// What a constant among the operands decides, wherever it stands; nil when none does.
    func decided(by operands: ArenaList<Expression>) -> Bool? {
        let deciding: Bool
        switch self {
        case .and: deciding = false
        case .or: deciding = true
        case .not: return nil
        }
        let isDecided = operands.nodes.contains { operand in
            switch operand {
            case .constant(let value): value.isTruthy == deciding
            case .missing: !deciding
            default: false
            }
        }
        return isDecided ? deciding : nil
    }

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        switch self {
        case .and:
            for index in 0..<operands.count {
                guard try operands[index].evaluate(run).isTruthy else { return try run.bool(false) }
            }
            return try run.bool(true)
        case .or:
            for index in 0..<operands.count {
                if try operands[index].evaluate(run).isTruthy { return try run.bool(true) }
            }
            return try run.bool(false)
        case .not: return try run.bool(!operands[0].evaluate(run).isTruthy)
        }
    }
}
