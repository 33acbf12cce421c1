internal import BSON
internal import CommandModel

/// `$cmp $eq $ne $gt $gte $lt $lte`: by the order of all values, across types.
enum ComparisonOperator {
    case compare, equal, notEqual, greater, greaterOrEqual, less, lessOrEqual

    static let rules: [OperatorRule] = [
        .exactly(2, "$cmp", .comparison(.compare)), .exactly(2, "$eq", .comparison(.equal)),
        .exactly(2, "$ne", .comparison(.notEqual)), .exactly(2, "$gt", .comparison(.greater)),
        .exactly(2, "$gte", .comparison(.greaterOrEqual)), .exactly(2, "$lt", .comparison(.less)),
        .exactly(2, "$lte", .comparison(.lessOrEqual)),
    ]

    func evaluate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let (left, right) = (try operands[0].evaluate(run), try operands[1].evaluate(run))
        try run.spend(bytes: min(left?.count ?? 0, right?.count ?? 0))
        let order = run.compare(left, right)
        switch self {
        case .compare: return try run.scratch.int32(Int32(order.signum()))
        case .equal: return try run.bool(order == 0)
        case .notEqual: return try run.bool(order != 0)
        case .greater: return try run.bool(order > 0)
        case .greaterOrEqual: return try run.bool(order >= 0)
        case .less: return try run.bool(order < 0)
        case .lessOrEqual: return try run.bool(order <= 0)
        }
    }
}
