internal import BSON
internal import CommandModel

// `$dateAdd $dateSubtract $dateDiff $dateTrunc`.
extension DateOperator {
    /// Operands: date, unit, amount, time zone.
    static func shift(
        _ operands: ArenaList<Expression>, isBack: Bool, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let start = try operands[0].evaluate(run)
        let unitName = try operands[1].evaluate(run)
        let amountValue = try operands[2].evaluate(run)
        let place = try operands[3].evaluate(run)
        guard !start.isNullish, !unitName.isNullish, !amountValue.isNullish, !isNull(operands[3], place) else {
            return .nothing(.null)
        }
        let instant = try date(start, 5_166_403)
        let unit = try unit(unitName)
        let amount = try amount(amountValue, isBack)
        let zone = try zone(operands[3], place, run)
        guard amount >= -unit.amountMax, amount <= unit.amountMax else {
            throw CommandError(ErrorCode(5_976_500), "invalid 'amount' parameter value: \(amount) \(unit)")
        }
        guard let result = unit.add(amount, to: instant, in: zone) else {
            throw CommandError(ErrorCode(5_166_406), "the sum is beyond what a date can hold")
        }
        return try run.scratch.date(result)
    }

    private static func amount(_ value: RawValue?, _ isBack: Bool) throws(CommandError) -> Int64 {
        guard let amount = value?.number?.asInt64Exact else {
            throw CommandError(ErrorCode(5_166_405), "expects 'amount' to be an integer, found \(value.typeName)")
        }
        guard isBack else { return amount }
        guard amount != .min else {
            throw CommandError(ErrorCode(6_045_000), "invalid 'amount' parameter value: \(amount)")
        }
        return -amount
    }

    /// Operands: start, end, unit, time zone, start of week.
    static func difference(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let start = try operands[0].evaluate(run)
        let end = try operands[1].evaluate(run)
        let unitName = try operands[2].evaluate(run)
        let place = try operands[3].evaluate(run)
        let week = try operands[4].evaluate(run)
        guard !start.isNullish, !end.isNullish, !unitName.isNullish, !isNull(operands[3], place) else {
            return .nothing(.null)
        }
        let unit = try unit(unitName)
        if isNull(operands[4], week), unit == .week { return .nothing(.null) }
        let first = try date(start, 5_166_307)
        let last = try date(end, 5_166_307)
        let zone = try zone(operands[3], place, run)
        let startOfWeek = unit == .week ? try startOfWeek(operands[4], week) : 7
        guard let count = unit.difference(from: first, to: last, in: zone, startOfWeek: startOfWeek) else {
            throw CommandError(ErrorCode(5_166_308), "the difference is beyond what a long can hold")
        }
        return try run.scratch.int64(count)
    }

    /// Operands: date, unit, bin size, time zone, start of week.
    static func truncate(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let dateValue = try operands[0].evaluate(run)
        let unitName = try operands[1].evaluate(run)
        let bin = try operands[2].evaluate(run)
        let place = try operands[3].evaluate(run)
        let week = try operands[4].evaluate(run)
        guard !dateValue.isNullish, !unitName.isNullish, !isNull(operands[2], bin), !isNull(operands[3], place) else {
            return .nothing(.null)
        }
        let unit = try unit(unitName)
        // A constant null yields null whatever the unit is, unless all is constant: so it is with MongoDB.
        let isNullForAll = operands[4].isConstant && !operands[0].isConstant
        if isNull(operands[4], week), unit == .week || isNullForAll { return .nothing(.null) }
        let instant = try date(dateValue, 5_166_307)
        let binSize = try binSize(operands[2], bin)
        let zone = try zone(operands[3], place, run)
        let startOfWeek = unit == .week ? try startOfWeek(operands[4], week) : 7
        let start: Int64
        do throws(DateUnit.TruncationError) {
            start = try unit.truncate(instant, binSize: binSize, in: zone, startOfWeek: startOfWeek)
        } catch {
            throw truncationFailed(error, unit)
        }
        return try run.scratch.date(start)
    }

    private static func binSize(_ operand: Expression, _ value: RawValue?) throws(CommandError) -> Int64 {
        guard operand.isGiven else { return 1 }
        guard let size = value?.number?.asInt64Exact else {
            throw CommandError(ErrorCode(5_439_017), "expects 'binSize' to be an integer, found \(value.typeName)")
        }
        guard size > 0 else {
            throw CommandError(ErrorCode(5_439_018), "expects 'binSize' to be greater than 0, found \(size)")
        }
        return size
    }

    private static func truncationFailed(_ error: DateUnit.TruncationError, _ unit: DateUnit) -> CommandError {
        switch (error, unit.measure) {
        case (.binTooLarge, .milliseconds): CommandError(ErrorCode(5_439_002), "'binSize' is too large")
        case (.binTooLarge, _): CommandError(ErrorCode(5_439_006), "'binSize' is too large")
        case (.outOfRange, _): CommandError(ErrorCode(5_439_005), "the bin begins before what a date can hold")
        }
    }
}
