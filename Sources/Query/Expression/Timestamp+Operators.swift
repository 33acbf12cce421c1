internal import BSON
internal import CommandModel

/// `$tsSecond $tsIncrement`: the halves of a timestamp.
enum TimestampOperator {
    case second, increment

    static let rules: [OperatorRule] = [
        .exactly(1, "$tsSecond", .timestamp(.second)), .exactly(1, "$tsIncrement", .timestamp(.increment)),
    ]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let value = try operands[0].evaluate(run)
        if value.isNullish { return .nothing(.null) }
        guard let timestamp = value?.timestamp else {
            let (code, name): (Int32, String) = self == .second ? (5_687_301, "$tsSecond") : (5_687_302, "$tsIncrement")
            throw CommandError(
                ErrorCode(code), "Argument to \(name) must be a timestamp, but is \(value.typeName)")
        }
        return try run.scratch.int64(Int64(self == .second ? timestamp >> 32 : timestamp & 0xFFFF_FFFF))
    }
}
