internal import BSON
internal import CommandModel

/// `$let` and `$literal`.
enum VariableOperator {
    /// The operands but the last are the values of the variables from this slot on.
    case bind(firstSlot: Int)

    static let rules: [OperatorRule] = [
        .special("$let", .binding, isFoldable: false), .special("$literal", .literal), .special("$const", .literal),
    ]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        switch self {
        case .bind(let firstSlot):
            let body = operands.count - 1
            // Slots are never shared, so that a value is in nobody's way while the others are computed.
            for index in 0..<body { run[variable: firstSlot + index] = try operands[index].evaluate(run) }
            return try operands[body].evaluate(run)
        }
    }
}
