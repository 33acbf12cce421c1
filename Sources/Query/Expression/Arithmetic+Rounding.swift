internal import BSON
internal import CommandModel

// `$ceil $floor`, and `$round $trunc` to decimal places.
extension ArithmeticOperator {
    /// A decimal whose digits do not reach the point becomes NaN, as in MongoDB.
    static func whole(_ number: Number, _ rule: FloatingPointRoundingRule) -> Number {
        switch number {
        case .int32, .int64: number
        case .double(let value): .double(value.rounded(rule))
        case .decimal(let value): .decimal(value.quantized(exponent: 0, rule))
        }
    }

    func round(_ operands: ArenaList<Expression>, _ run: Evaluator) throws(CommandError) -> RawValue? {
        let value = try operands[0].evaluate(run)
        guard let value, !value.isNullish else { return .nothing(.null) }
        let name = self == .round ? "$round" : "$trunc"
        var places = 0
        if operands.count > 1 {
            let operand = try operands[1].evaluate(run)
            guard let operand, !operand.isNullish else { return .nothing(.null) }
            guard value.number != nil else { throw Self.notRoundable(value, name) }
            places = try Self.places(operand, name)
        }
        guard let number = value.number else { throw Self.notRoundable(value, name) }
        return try run.scratch.value(
            try Self.rounded(number, places, self == .round ? .toNearestOrEven : .towardZero))
    }

    private static func notRoundable(_ value: RawValue, _ name: String) -> CommandError {
        CommandError(ErrorCode(51081), "\(name) only supports numeric types, not \(value.type.alias)")
    }

    private static func places(_ value: RawValue, _ name: String) throws(CommandError) -> Int {
        guard let number = value.number else {
            throw CommandError(ErrorCode(16004), "can't convert from BSON type \(value.type.alias) to int")
        }
        if case .double(let value) = number, !value.isFinite || abs(value) >= 0x1p31 {
            throw CommandError(
                ErrorCode(31109), "Can't coerce out of range value \(value) to int")
        }
        guard let places = number.asInt64Exact else {
            throw CommandError(ErrorCode(51082), "precision argument to  \(name) must be a integral value")
        }
        guard (-20...100).contains(places) else {
            throw CommandError(
                ErrorCode(51083), "cannot apply \(name) with precision value \(places) value must be in [-20, 100]")
        }
        return Int(places)
    }

    /// - Parameter places: after the point; negative ones count to the left of it.
    private static func rounded(
        _ number: Number, _ places: Int, _ rule: FloatingPointRoundingRule
    ) throws(CommandError) -> Number {
        switch number {
        case .int32(let value): return Number(narrowest: try rounded(Int64(value), places, rule))
        case .int64(let value): return .int64(try rounded(value, places, rule))
        case .double(let value): return .double(rounded(value, places, rule))
        case .decimal(let value): return .decimal(rounded(value, places, rule))
        }
    }

    /// With zeros up to the place as far as there is room for them.
    private static func rounded(
        _ value: Decimal128, _ places: Int, _ rule: FloatingPointRoundingRule
    ) -> Decimal128 {
        let result = value.quantized(exponent: -places, rule)
        return result.isNaN ? value : result
    }

    /// By way of a decimal: 2.015 is a little more than that, and has to become 2.02.
    private static func rounded(_ value: Double, _ places: Int, _ rule: FloatingPointRoundingRule) -> Double {
        if places == 0 || !value.isFinite { return value.rounded(rule) }
        let result = Decimal128(nearest: value).rounded(places: places, rule)
        return result.isFinite ? result.doubleValue : value
    }

    private static func rounded(
        _ value: Int64, _ places: Int, _ rule: FloatingPointRoundingRule
    ) throws(CommandError) -> Int64 {
        guard places < 0 else { return value }
        // 10^20 is the largest, far within 128 bits.
        let unit = (0 ..< -places).reduce(Int128(1)) { power, _ in power * 10 }
        let rest = Int128(value) % unit
        var result = Int128(value) - rest
        if rule == .toNearestOrEven {
            let twice = 2 * rest.magnitude
            let isOdd = (result / unit) % 2 != 0
            if twice > unit.magnitude || twice == unit.magnitude && isOdd { result += value < 0 ? -unit : unit }
        }
        guard let fitting = Int64(exactly: result) else {
            throw CommandError(
                ErrorCode(51080), "invalid conversion from Decimal128 result in $round resulting from arguments")
        }
        return fitting
    }
}
