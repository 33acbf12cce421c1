internal import CDecimal

/// IEEE 754 decimal128 in the binary integer encoding, as BSON stores it: 34 digits, exponents -6176 … 6111.
///
/// Arithmetic and the conversions from and to binary floating point are those of Intel's library. Taking a value
/// apart, printing and parsing are done here: the text form is BSON's own (specifications/source/bson-decimal128),
/// not Intel's.
///
/// The bits are kept as they came: several of them may mean one number (`1.0` and `1.00`), and an encoding that is not
/// canonical (a coefficient above 34 digits) reads as zero, as IEEE 754 demands.
package struct Decimal128: Sendable {
    package let low: UInt64
    package let high: UInt64

    @inline(__always)
    package init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    /// `coefficient` must be below 10^34 and `exponent` in -6176 … 6111.
    init(isNegative: Bool, coefficient: UInt128, exponent: Int) {
        precondition(coefficient <= Self.coefficientMax && Self.exponentRange.contains(exponent))
        low = UInt64(truncatingIfNeeded: coefficient)
        high =
            UInt64(truncatingIfNeeded: coefficient >> 64) | UInt64(exponent + Self.bias) << 49
            | (isNegative ? Self.signBit : 0)
    }

    static let bias = 6176
    static let exponentRange = -6176...6111
    static let digitsMax = 34
    static let coefficientMax: UInt128 = 9_999_999_999_999_999_999_999_999_999_999_999
    private static let signBit: UInt64 = 1 << 63

    package static let nan = Decimal128(low: 0, high: 0x7C00 << 48)
    package static let infinity = Decimal128(low: 0, high: 0x7800 << 48)
    package static let negativeInfinity = Decimal128(low: 0, high: 0xF800 << 48)
    package static let zero = Decimal128(low: 0, high: UInt64(bias) << 49)
}

// What the bits mean.
extension Decimal128 {
    /// A finite value is `coefficient × 10^exponent`.
    struct Parts {
        var isNegative: Bool
        var coefficient: UInt128
        var exponent: Int
    }

    package var isNegative: Bool { high & Self.signBit != 0 }
    package var isNaN: Bool { high & 0x7C00 << 48 == 0x7C00 << 48 }
    package var isInfinite: Bool { high & 0x7C00 << 48 == 0x7800 << 48 }
    package var isFinite: Bool { high & 0x7800 << 48 != 0x7800 << 48 }
    package var isZero: Bool { parts.map { $0.coefficient == 0 } ?? false }

    /// Nil for NaN and the infinities.
    var parts: Parts? {
        guard isFinite else { return nil }
        // Two set bits below the sign announce the second layout, whose coefficients all exceed 34 digits.
        if high & 0x6000 << 48 == 0x6000 << 48 {
            return Parts(isNegative: isNegative, coefficient: 0, exponent: Int(high >> 47 & 0x3FFF) - Self.bias)
        }
        let coefficient = UInt128(high & 0x1_FFFF_FFFF_FFFF) << 64 | UInt128(low)
        return Parts(
            isNegative: isNegative, coefficient: coefficient <= Self.coefficientMax ? coefficient : 0,
            exponent: Int(high >> 49 & 0x3FFF) - Self.bias)
    }

    package var negated: Decimal128 { Decimal128(low: low, high: high ^ Self.signBit) }
    package var magnitude: Decimal128 { Decimal128(low: low, high: high & ~Self.signBit) }
}

// Arithmetic: rounds half to even.
extension Decimal128 {
    package func adding(_ other: Decimal128) -> Decimal128 {
        Decimal128(cdecimal_add(low, high, other.low, other.high))
    }

    package func subtracting(_ other: Decimal128) -> Decimal128 {
        Decimal128(cdecimal_subtract(low, high, other.low, other.high))
    }

    package func multiplied(by other: Decimal128) -> Decimal128 {
        Decimal128(cdecimal_multiply(low, high, other.low, other.high))
    }

    package func divided(by other: Decimal128) -> Decimal128 {
        Decimal128(cdecimal_divide(low, high, other.low, other.high))
    }

    /// With the sign of the dividend, as `fmod`.
    package func remainder(dividingBy other: Decimal128) -> Decimal128 {
        Decimal128(cdecimal_fmod(low, high, other.low, other.high))
    }

    /// The nearest value with this exponent; NaN when that needs more than 34 digits.
    package func quantized(exponent: Int, _ rule: FloatingPointRoundingRule = .toNearestOrEven) -> Decimal128 {
        guard Self.exponentRange.contains(exponent) else { return .nan }
        let model = Decimal128(isNegative: false, coefficient: 1, exponent: exponent)
        return Decimal128(cdecimal_quantize(low, high, model.low, model.high, Self.mode(rule)))
    }

    /// Rounds to `places` decimal places; negative ones count to the left of the point.
    package func rounded(places: Int, _ rule: FloatingPointRoundingRule = .toNearestOrEven) -> Decimal128 {
        guard let parts, parts.exponent < -places else { return self }
        return quantized(exponent: -places, rule)
    }

    init(_ result: cdecimal_result) {
        self.init(low: result.low, high: result.high)
    }

    private static func mode(_ rule: FloatingPointRoundingRule) -> UInt32 {
        switch rule {
        case .toNearestOrAwayFromZero: UInt32(CDECIMAL_TIES_AWAY)
        case .up: UInt32(CDECIMAL_TOWARD_POSITIVE)
        case .down: UInt32(CDECIMAL_TOWARD_NEGATIVE)
        case .towardZero: UInt32(CDECIMAL_TOWARD_ZERO)
        default: UInt32(CDECIMAL_TIES_TO_EVEN)
        }
    }
}

// Conversions.
extension Decimal128 {
    /// Exact.
    package init(_ value: Int64) {
        self.init(cdecimal_from_int64(value))
    }

    /// To 15 significant digits, as MongoDB's arithmetic does where a double meets a decimal: 0.1 becomes
    /// 0.100000000000000, not the 55 digits of the binary fraction.
    package init(_ value: Double) {
        let nearest = Decimal128(cdecimal_from_double(value))
        guard let parts = nearest.parts, parts.coefficient != 0 else {
            // The double's own zero has an exponent that MongoDB does not keep.
            self = value == 0 ? (value.sign == .minus ? Decimal128.zero.negated : .zero) : nearest
            return
        }
        let exponent = parts.exponent + decimalDigits(parts.coefficient) - Self.doubleDigits
        let rounded = nearest.quantized(exponent: exponent)
        // 9.999… may have become 10.00…, one digit more.
        let isWider = rounded.parts.map { decimalDigits($0.coefficient) > Self.doubleDigits } ?? false
        self = isWider ? nearest.quantized(exponent: exponent + 1) : rounded
    }

    private static let doubleDigits = 15

    /// The nearest decimal to the double's exact value: 34 digits.
    package init(nearest value: Double) {
        self.init(cdecimal_from_double(value))
    }

    /// The integer, when this is one and fits.
    package var int64Exact: Int64? {
        let result = cdecimal_to_int64(low, high)
        return result.flags == 0 ? result.value : nil
    }

    /// Cuts off the fraction; nil when it does not fit, or NaN.
    package var int64Truncated: Int64? {
        let result = cdecimal_to_int64(low, high)
        return result.flags & UInt32(CDECIMAL_INVALID) == 0 ? result.value : nil
    }

    /// The nearest double.
    package var doubleValue: Double {
        cdecimal_to_double(low, high, UInt32(CDECIMAL_TIES_TO_EVEN)).value
    }

    /// The double next to it in the direction of zero, and whether that is the very same number. What is beyond the
    /// largest double is that one, inexactly.
    var doubleTowardZero: (value: Double, isExact: Bool) {
        let result = cdecimal_to_double(low, high, UInt32(CDECIMAL_TOWARD_ZERO))
        return (result.value, result.flags & UInt32(CDECIMAL_INEXACT) == 0)
    }
}

// Order. NaN is below all numbers and equal to itself, as everywhere in BSON's order.
extension Decimal128 {
    package func compare(to other: Decimal128) -> Int {
        if isNaN || other.isNaN { return (isNaN ? 0 : 1) - (other.isNaN ? 0 : 1) }
        if cdecimal_equal(low, high, other.low, other.high) != 0 { return 0 }
        return cdecimal_less(low, high, other.low, other.high) != 0 ? -1 : 1
    }

    /// Exact: the double is not rounded to a decimal, nor the decimal to a double.
    package func compare(to other: Double) -> Int {
        if isNaN || other.isNaN { return (isNaN ? 0 : 1) - (other.isNaN ? 0 : 1) }
        let truncated = doubleTowardZero
        if truncated.value != other { return truncated.value < other ? -1 : 1 }
        return truncated.isExact ? 0 : (isNegative ? -1 : 1)
    }
}

/// How many decimal digits `value` has; one for zero.
func decimalDigits(_ value: UInt128) -> Int {
    var count = 1
    var rest = value
    while rest >= 10 {
        rest /= 10
        count += 1
    }
    return count
}
