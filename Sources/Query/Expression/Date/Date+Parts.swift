internal import BSON
internal import CommandModel

/// What one operator takes from a date.
enum DatePart: CaseIterable {
    case year, month, dayOfMonth, dayOfYear, dayOfWeek, week, isoWeekYear, isoWeek, isoDayOfWeek
    case hour, minute, second, millisecond

    static let rules: [OperatorRule] = allCases.map { part in OperatorRule(part.name, .special(.datePart(part))) }

    var name: StaticString {
        switch self {
        case .year: "$year"
        case .month: "$month"
        case .dayOfMonth: "$dayOfMonth"
        case .dayOfYear: "$dayOfYear"
        case .dayOfWeek: "$dayOfWeek"
        case .week: "$week"
        case .isoWeekYear: "$isoWeekYear"
        case .isoWeek: "$isoWeek"
        case .isoDayOfWeek: "$isoDayOfWeek"
        case .hour: "$hour"
        case .minute: "$minute"
        case .second: "$second"
        case .millisecond: "$millisecond"
        }
    }

    func value(of local: LocalTime) -> Int64 {
        switch self {
        case .year: local.date.year
        case .month: local.date.month
        case .dayOfMonth: local.date.day
        case .dayOfYear: local.dayOfYear
        case .dayOfWeek: local.dayOfWeek
        case .week: local.week
        case .isoWeekYear: local.isoWeekYear
        case .isoWeek: local.isoWeek
        case .isoDayOfWeek: local.isoDayOfWeek
        case .hour: local.hour
        case .minute: local.minute
        case .second: local.second
        case .millisecond: local.millisecond
        }
    }
}

// `$year` …, `$dateToParts`, `$dateFromParts`.
extension DateOperator {
    /// Operands: date, time zone.
    static func part(
        _ part: DatePart, _ operands: ArenaList<Expression>, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        let value = try operands[0].evaluate(run)
        let place = try operands[1].evaluate(run)
        guard !value.isNullish, !isNull(operands[1], place) else { return .nothing(.null) }
        let instant = try date(value)
        let number = part.value(of: try zone(operands[1], place, run).local(instant))
        return try part == .isoWeekYear
            ? run.scratch.int64(number) : run.scratch.int32(Int32(truncatingIfNeeded: number))
    }

    /// Operands: date, time zone, whether the week is counted.
    static func toParts(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let value = try operands[0].evaluate(run)
        let place = try operands[1].evaluate(run)
        let iso = try operands[2].evaluate(run)
        guard !value.isNullish, !isNull(operands[1], place), !isNull(operands[2], iso) else { return .nothing(.null) }
        guard let isISO = operands[2].isGiven ? iso?.bool : false else {
            throw CommandError(ErrorCode(40521), "iso8601 must evaluate to a bool, found \(iso.typeName)")
        }
        let zone = try zone(operands[1], place, run)
        let local = zone.local(try date(value))
        let base = run.stack.count
        if isISO {
            try push("isoWeekYear", local.isoWeekYear, run)
            try push("isoWeek", local.isoWeek, run)
            try push("isoDayOfWeek", local.isoDayOfWeek, run)
        } else {
            try push("year", local.date.year, run)
            try push("month", local.date.month, run)
            try push("day", local.date.day, run)
        }
        try push("hour", local.hour, run)
        try push("minute", local.minute, run)
        try push("second", local.second, run)
        try push("millisecond", local.millisecond, run)
        return try run.popDocument(from: base)
    }

    private static func push(_ name: StaticString, _ number: Int64, _ run: Evaluator) throws(CommandError) {
        let value = try run.scratch.int32(Int32(truncatingIfNeeded: number))
        try run.stack.push(RawElement(key: RawKey(name), value: value))
    }
}

extension DateOperator {
    /// The names of the operands of `$dateFromParts`, in their order.
    static let partNames: [StaticString] = [
        "year", "month", "day", "hour", "minute", "second", "millisecond", "timezone",
    ]
    static let isoPartNames: [StaticString] =
        ["isoWeekYear", "isoWeek", "isoDayOfWeek", "hour", "minute", "second", "millisecond", "timezone"]

    /// Operands: as ``partNames`` or ``isoPartNames`` have them.
    static func fromParts(
        _ operands: ArenaList<Expression>, isISO: Bool, _ run: Evaluator
    ) throws(CommandError) -> RawValue? {
        var parts: (Int64, Int64, Int64, Int64, Int64, Int64, Int64) = (0, 1, 1, 0, 0, 0, 0)
        let isComplete = try withUnsafeParts(&parts) { parts throws(CommandError) in
            for index in 0..<parts.count where operands[index].isGiven {
                guard let number = try part(index, operands[index], isISO, run) else { return false }
                parts[index] = number
            }
            return true
        }
        let place = try operands[7].evaluate(run)
        guard isComplete, !isNull(operands[7], place) else { return .nothing(.null) }
        let zone = try zone(operands[7], place, run)
        let (year, month, day, hour, minute, second, millisecond) = parts
        let days = isISO ? LocalTime.isoYearStart(year) + (month - 1) * 7 + day - 1 : Self.days(year, month, day)
        let (seconds, overflow) = second.multipliedReportingOverflow(by: 1000)
        let (rest, isBeyond) = seconds.addingReportingOverflow(millisecond)
        let (carry, within) = rest.floorDivided(by: LocalTime.dayMilliseconds)
        let local = LocalTime(days: days + carry, milliseconds: within + hour * 3_600_000 + minute * 60_000)
        guard !overflow, !isBeyond, let instant = zone.instant(of: local) else {
            throw CommandError(ErrorCode(159, "DurationOverflow"), "the parts are beyond what a date can hold")
        }
        return try run.scratch.date(instant)
    }

    private static func withUnsafeParts<R>(
        _ parts: inout (Int64, Int64, Int64, Int64, Int64, Int64, Int64),
        _ body: (UnsafeMutableBufferPointer<Int64>) throws(CommandError) -> R
    ) throws(CommandError) -> R {
        let result: Result<R, CommandError> = withUnsafeMutableBytes(of: &parts) { bytes in
            do throws(CommandError) {
                return .success(try body(bytes.assumingMemoryBound(to: Int64.self)))
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    /// Months and days count on beyond the year and the month.
    private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let (years, rest) = (month - 1).floorDivided(by: 12)
        return CivilDate(year: year + years, month: rest + 1, day: 1).days + day - 1
    }

    /// - Returns: nil for null.
    private static func part(
        _ index: Int, _ operand: Expression, _ isISO: Bool, _ run: Evaluator
    ) throws(CommandError) -> Int64? {
        let value = try operand.evaluate(run)
        if value.isNullish { return nil }
        let name = (isISO ? isoPartNames : partNames)[index]
        guard let number = value?.number?.asInt64Exact else {
            throw CommandError(ErrorCode(40515), "'\(name)' must evaluate to an integer, found \(value.typeName)")
        }
        switch index {
        case 0:
            guard (1...9999).contains(number) else {
                throw CommandError(
                    ErrorCode(isISO ? 31095 : 40523), "'\(name)' must be in the range 1 to 9999, found \(number)")
            }
        case 1...4:
            guard (-32_768...32_767).contains(number) else {
                throw CommandError(
                    ErrorCode(31034), "'\(name)' must be in the range -32768 to 32767, found \(number)")
            }
        default: break
        }
        return number
    }
}
