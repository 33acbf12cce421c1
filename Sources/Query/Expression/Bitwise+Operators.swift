internal import BSON
internal import CommandModel

/// `$bitAnd $bitOr $bitXor $bitNot`: of int32 and int64; with an int64 among them the result is one.
enum BitwiseOperator {
    case and, or, exclusiveOr, not

    static let rules: [OperatorRule] = [
        .variadic("$bitAnd", .bitwise(.and)), .variadic("$bitOr", .bitwise(.or)),
        .variadic("$bitXor", .bitwise(.exclusiveOr)), .exactly(1, "$bitNot", .bitwise(.not)),
    ]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        var bits: Int64 = self == .and ? -1 : 0
        var isNarrow = true
        var isNull = false
        for index in 0..<operands.count {
            let operand = try operands[index].evaluate(run)
            guard let operand, !operand.isNullish else {
                isNull = true
                continue
            }
            let value = try integer(operand)
            if operand.type == .int64 { isNarrow = false }
            switch self {
            case .and: bits &= value
            case .or: bits |= value
            case .exclusiveOr: bits ^= value
            case .not: bits = ~value
            }
        }
        if isNull { return .nothing(.null) }
        return try isNarrow ? run.scratch.int32(Int32(truncatingIfNeeded: bits)) : run.scratch.int64(bits)
    }

    private func integer(_ operand: RawValue) throws(CommandError) -> Int64 {
        if let value = operand.int32 { return Int64(value) }
        if let value = operand.int64 { return value }
        throw CommandError(.typeMismatch, "\(name) only supports int and long operands, not \(operand.type.alias)")
    }

    private var name: StaticString {
        switch self {
        case .and: "$bitAnd"
        case .or: "$bitOr"
        case .exclusiveOr: "$bitXor"
        case .not: "$bitNot"
        }
    }
}
