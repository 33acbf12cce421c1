internal import BSON
internal import CommandModel

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

// `$add`, `$subtract` (both also of dates), `$multiply`, `$divide`, `$mod`.
extension ArithmeticOperator {
    static func add(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        var sum = Number.int32(0)
        var date: Int64?
        for index in 0..<operands.count {
            guard let operand = try operands[index].evaluate(run), !operand.isNullish else { return .nothing(.null) }
            if let number = operand.number {
                sum = sum.adding(number) ?? .double(sum.asDouble + number.asDouble)
            } else if let milliseconds = operand.date {
                guard date == nil else {
                    throw CommandError(ErrorCode(16612), "only one date allowed in an $add expression")
                }
                date = milliseconds
            } else {
                throw CommandError(
                    .typeMismatch, "$add only supports numeric or date types, not \(operand.type.alias)")
            }
        }
        guard let date else { return try run.scratch.value(sum) }
        return try run.scratch.date(try moved(date, by: sum))
    }

    static func subtract(_ left: RawValue, _ right: RawValue, _ run: Evaluator) throws(CommandError) -> RawValue {
        if let minuend = left.number, let subtrahend = right.number {
            return try run.scratch.value(
                minuend.subtracting(subtrahend) ?? .double(minuend.asDouble - subtrahend.asDouble))
        }
        if let minuend = left.date, let subtrahend = right.date {
            let (difference, overflow) = minuend.subtractingReportingOverflow(subtrahend)
            guard !overflow else { throw dateOverflow("$subtract") }
            return try run.scratch.int64(difference)
        }
        guard let date = left.date, let number = right.number else {
            throw CommandError(
                .typeMismatch, "can't $subtract \(right.type.alias) from \(left.type.alias)")
        }
        return try run.scratch.date(try moved(date, by: try negated(number)))
    }

    private static func negated(_ number: Number) throws(CommandError) -> Number {
        switch number {
        case .int32(let value): return .int64(-Int64(value))
        case .int64(.min): throw dateOverflow("$subtract")
        case .int64(let value): return .int64(-value)
        case .double(let value): return .double(-value)
        case .decimal(let value): return .decimal(value.negated)
        }
    }

    /// Halves of milliseconds go away from zero.
    private static func moved(_ date: Int64, by number: Number) throws(CommandError) -> Int64 {
        let milliseconds: Int64? =
            switch number {
            case .int32(let value): Int64(value)
            case .int64(let value): value
            case .double(let value): Int64(exactly: value.rounded(.toNearestOrAwayFromZero))
            case .decimal(let value): value.rounded(places: 0, .toNearestOrAwayFromZero).int64Exact
            }
        guard let milliseconds else { throw dateOverflow("$add") }
        let (result, overflow) = date.addingReportingOverflow(milliseconds)
        guard !overflow else { throw dateOverflow("$add") }
        return result
    }

    private static func dateOverflow(_ name: StaticString) -> CommandError {
        CommandError(.overflow, "date overflow in \(name)")
    }

    static func multiply(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        var product = Number.int32(1)
        for index in 0..<operands.count {
            guard let operand = try operands[index].evaluate(run), !operand.isNullish else { return .nothing(.null) }
            guard let number = operand.number else {
                throw CommandError(.typeMismatch, "$multiply only supports numeric types, not \(operand.type.alias)")
            }
            product = product.multiplied(by: number) ?? .double(product.asDouble * number.asDouble)
        }
        return try run.scratch.value(product)
    }

    static func divide(_ left: RawValue, _ right: RawValue, _ run: Evaluator) throws(CommandError) -> Number {
        guard let dividend = left.number, let divisor = right.number else {
            throw CommandError(
                .typeMismatch, "$divide only supports numeric types, not \(left.type.alias) and \(right.type.alias)")
        }
        guard !divisor.isZero else {
            throw CommandError(run.isGrouping ? ErrorCode(4_848_401) : .badValue, "can't $divide by zero")
        }
        if dividend.isDecimal || divisor.isDecimal {
            return .decimal(dividend.asDecimal.divided(by: divisor.asDecimal))
        }
        return .double(dividend.asDouble / divisor.asDouble)
    }

    /// With the sign of the dividend.
    static func remainder(_ left: RawValue, _ right: RawValue, _ run: Evaluator) throws(CommandError) -> Number {
        guard let dividend = left.number, let divisor = right.number else {
            throw CommandError(
                ErrorCode(16611), "$mod only supports numeric types, not \(left.type.alias) and \(right.type.alias)")
        }
        let isDecimal = dividend.isDecimal || divisor.isDecimal
        guard !divisor.isZero else {
            let code = run.isGrouping ? 4_848_403 : isDecimal ? 5_733_415 : 16610
            throw CommandError(ErrorCode(Int32(code)), "can't $mod by zero")
        }
        if isDecimal { return .decimal(dividend.asDecimal.remainder(dividingBy: divisor.asDecimal)) }
        switch (dividend, divisor) {
        case (.double, _), (_, .double): return .double(fmod(dividend.asDouble, divisor.asDouble))
        case (.int32(let value), .int32(let other)):
            return .int32(value.remainderReportingOverflow(dividingBy: other).partialValue)
        default:
            let (value, other) = (dividend.asInt64Exact ?? 0, divisor.asInt64Exact ?? 1)
            return .int64(value.remainderReportingOverflow(dividingBy: other).partialValue)
        }
    }
}
