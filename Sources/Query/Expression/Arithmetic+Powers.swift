internal import BSON
internal import CommandModel

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

// `$sqrt $exp $ln $log10 $log $pow $sigmoid`: decimals yield decimals, all others doubles; so does, in MongoDB, the
// logarithm of a decimal NaN.
extension ArithmeticOperator {
    static func squareRoot(_ number: Number) throws(CommandError) -> Number {
        guard number.asDouble >= 0 || number.isNaN else {
            throw CommandError(ErrorCode(28714), "$sqrt's argument must be greater than or equal to 0")
        }
        if case .decimal(let value) = number { return .decimal(value.squareRoot) }
        return .double(number.asDouble.squareRoot())
    }

    static func exponential(_ number: Number) -> Number {
        if case .decimal(let value) = number { return .decimal(value.exponential) }
        return .double(exp(number.asDouble))
    }

    static func naturalLogarithm(_ number: Number) throws(CommandError) -> Number {
        guard isPositive(number) || number.isNaN else {
            throw CommandError(
                ErrorCode(28766), "$ln's argument must be a positive number, but is \(number.asDouble)")
        }
        if case .decimal(let value) = number, !value.isNaN { return .decimal(value.naturalLogarithm) }
        return .double(log(number.asDouble))
    }

    static func decimalLogarithm(_ number: Number) throws(CommandError) -> Number {
        guard isPositive(number) || number.isNaN else {
            throw CommandError(
                ErrorCode(28761), "$log10's argument must be a positive number, but is \(number.asDouble)")
        }
        if case .decimal(let value) = number, !value.isNaN { return .decimal(value.decimalLogarithm) }
        return .double(log10(number.asDouble))
    }

    static func logarithm(_ left: RawValue, _ right: RawValue) throws(CommandError) -> Number {
        guard let number = left.number else {
            throw CommandError(ErrorCode(28756), "$log's argument must be numeric, not \(left.type.alias)")
        }
        guard let base = right.number else {
            throw CommandError(ErrorCode(28757), "$log's base must be numeric, not \(right.type.alias)")
        }
        guard isPositive(number) || number.isNaN else {
            throw CommandError(
                ErrorCode(28758), "$log's argument must be a positive number, but is \(number.asDouble)")
        }
        guard isPositive(base) && base.compare(to: .int32(1)) != 0 || base.isNaN else {
            throw CommandError(
                ErrorCode(28759), "$log's base must be a positive number not equal to 1, but is \(base.asDouble)")
        }
        if number.isDecimal || base.isDecimal, !number.isNaN, !base.isNaN {
            return .decimal(number.asDecimal.naturalLogarithm.divided(by: base.asDecimal.naturalLogarithm))
        }
        return .double(log(number.asDouble) / log(base.asDouble))
    }

    /// Exact across the types: the least decimal is zero as a double.
    private static func isPositive(_ number: Number) -> Bool { number.compare(to: .int32(0)) > 0 }

    static func sigmoid(_ number: Number) -> Number {
        if case .decimal(let value) = number {
            // NaN would come out with a sign.
            if value.isNaN { return .decimal(.nan) }
            return .decimal(Decimal128.one.divided(by: value.negated.exponential.adding(.one)))
        }
        return .double(1 / (1 + exp(-number.asDouble)))
    }

    static func power(_ left: RawValue, _ right: RawValue) throws(CommandError) -> Number {
        guard let base = left.number else {
            throw CommandError(ErrorCode(28762), "$pow's base must be numeric, not \(left.type.alias)")
        }
        guard let exponent = right.number else {
            throw CommandError(ErrorCode(28763), "$pow's exponent must be numeric, not \(right.type.alias)")
        }
        guard !base.isZero || exponent.compare(to: .int32(0)) >= 0 || exponent.isNaN else {
            throw CommandError(ErrorCode(28764), "$pow cannot take a base of 0 and a negative exponent")
        }
        if base.isDecimal || exponent.isDecimal { return .decimal(power(base.asDecimal, exponent.asDecimal)) }
        if let power = integerPower(base, exponent) { return power }
        return .double(pow(base.asDouble, exponent.asDouble))
    }

    /// MongoDB gives all 34 digits of a decimal power, and a zero without sign: the least zero is added. The largest
    /// decimal is beyond its range already.
    private static func power(_ base: Decimal128, _ exponent: Decimal128) -> Decimal128 {
        let power = base.power(exponent)
        guard power.isFinite else { return power }
        if power.magnitude.compare(to: .greatest) == 0 {
            return power.isNegative ? .negativeInfinity : .infinity
        }
        return power.adding(.leastZero)
    }

    /// Nil where an operand or the result is no integer that fits.
    private static func integerPower(_ base: Number, _ exponent: Number) -> Number? {
        let isNarrow: Bool
        switch (base, exponent) {
        case (.double, _), (_, .double), (.decimal, _), (_, .decimal): return nil
        case (.int32, .int32): isNarrow = true
        default: isNarrow = false
        }
        guard let base = base.asInt64Exact, let exponent = exponent.asInt64Exact,
            let power = integerPower(base, exponent)
        else { return nil }
        return isNarrow ? Number(narrowest: power) : .int64(power)
    }

    private static func integerPower(_ base: Int64, _ exponent: Int64) -> Int64? {
        switch base {
        case 0: return exponent == 0 ? 1 : 0
        case 1: return 1
        case -1: return exponent % 2 == 0 ? 1 : -1
        default: break
        }
        // From 2^64 on nothing fits.
        guard (0..<64).contains(exponent) else { return nil }
        var result: Int64 = 1
        for _ in 0..<exponent {
            let (product, overflow) = result.multipliedReportingOverflow(by: base)
            if overflow { return nil }
            result = product
        }
        return result
    }
}
