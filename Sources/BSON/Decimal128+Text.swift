// The text form of decimals.
//
// Source: specifications/source/bson-decimal128, "Conversion from/to string".

extension Decimal128: CustomStringConvertible {
    package var description: String {
        guard let parts else { return isNaN ? "NaN" : (isNegative ? "-Infinity" : "Infinity") }
        let digits = String(parts.coefficient)
        let sign = parts.isNegative ? "-" : ""
        let scientific = parts.exponent + digits.utf8.count - 1
        if parts.exponent > 0 || scientific < -6 { return sign + Self.scientific(digits, scientific) }
        return sign + Self.plain(digits, fraction: -parts.exponent)
    }

    private static func scientific(_ digits: String, _ exponent: Int) -> String {
        let fraction = digits.utf8.count > 1 ? "." + digits.dropFirst() : ""
        return "\(digits.prefix(1))\(fraction)E\(exponent < 0 ? "" : "+")\(exponent)"
    }

    private static func plain(_ digits: String, fraction count: Int) -> String {
        guard count > 0 else { return digits }
        let zeros = String(repeating: "0", count: max(0, count - digits.utf8.count + 1))
        let padded = zeros + digits
        return "\(padded.dropLast(count)).\(padded.suffix(count))"
    }
}

extension Decimal128 {
    /// Parses `text` exactly; nil when it is no decimal or has more digits, or a greater exponent, than fit.
    package init?(_ text: String) {
        guard let (value, isExact) = Self.parse(text), isExact else { return nil }
        self = value
    }

    /// Parses `text`, to the nearest decimal if it must be (ties to even, too large is infinite); nil when it is no
    /// decimal.
    package init?(rounding text: String) {
        guard let (value, _) = Self.parse(text) else { return nil }
        self = value
    }

    private static func parse(_ text: String) -> (value: Decimal128, isExact: Bool)? {
        var scanner = DecimalScanner(Array(text.utf8))
        let isNegative = scanner.sign()
        if let special = scanner.special() {
            return (isNegative ? special.negated : special, true)
        }
        guard var number = scanner.number() else { return nil }
        number.fitDigits()
        number.fitExponent()
        if number.exponent > exponentRange.upperBound {
            return (isNegative ? .negativeInfinity : .infinity, false)
        }
        let value = Decimal128(isNegative: isNegative, coefficient: number.coefficient, exponent: number.exponent)
        return (value, number.isExact)
    }
}

/// A parsed number on its way to 34 digits.
private struct UnroundedDecimal {
    /// Up to 38 leading digits: what 128 bits hold.
    var coefficient: UInt128 = 0
    var exponent = 0
    /// Digits behind those in `coefficient` were not all zero.
    var hasRest = false
    var isExact = true

    mutating func append(_ digit: UInt8, isFraction: Bool) {
        if coefficient < Self.full {
            coefficient = coefficient * 10 + UInt128(digit)
            if isFraction { exponent -= 1 }
        } else {
            hasRest = hasRest || digit != 0
            if !isFraction { exponent += 1 }
        }
    }

    private static let full: UInt128 = 10_000_000_000_000_000_000_000_000_000_000_000_000

    /// Rounds to 34 digits, or fewer where the exponent would be too small. In one step: rounding twice is wrong.
    mutating func fitDigits() {
        isExact = !hasRest
        guard coefficient > 0 || hasRest else { return clampZero() }
        let excess = max(
            decimalDigits(coefficient) - Decimal128.digitsMax, Decimal128.exponentRange.lowerBound - exponent)
        guard excess > 0 else { return }
        drop(excess)
        if coefficient > Decimal128.coefficientMax { drop(1) }
    }

    private mutating func drop(_ count: Int) {
        exponent += count
        // More than all digits: what is left is less than half.
        guard count <= 38 else {
            isExact = false
            coefficient = 0
            return
        }
        let (quotient, remainder) = coefficient.quotientAndRemainder(dividingBy: powerOfTen(count))
        let half = powerOfTen(count) / 2
        let isTie = remainder == half && !hasRest
        let roundsUp = isTie ? quotient & 1 == 1 : remainder >= half
        isExact = isExact && remainder == 0
        coefficient = quotient + (roundsUp ? 1 : 0)
    }

    /// Writes an exponent that is too large as zeros of the coefficient, as many as there is room for.
    mutating func fitExponent() {
        guard coefficient > 0 else { return clampZero() }
        while exponent > Decimal128.exponentRange.upperBound, coefficient <= Decimal128.coefficientMax / 10 {
            coefficient *= 10
            exponent -= 1
        }
    }

    private mutating func clampZero() {
        exponent = min(max(exponent, Decimal128.exponentRange.lowerBound), Decimal128.exponentRange.upperBound)
    }
}

/// 10^`exponent` for exponents up to 38.
func powerOfTen(_ exponent: Int) -> UInt128 {
    var power: UInt128 = 1
    for _ in 0..<exponent { power *= 10 }
    return power
}

private struct DecimalScanner {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    mutating func sign() -> Bool {
        guard current == UInt8(ascii: "-") || current == UInt8(ascii: "+") else { return false }
        offset += 1
        return bytes[offset - 1] == UInt8(ascii: "-")
    }

    func special() -> Decimal128? {
        // Letters differ from their small forms in one bit; what else that bit changes is no letter of these words.
        switch String(decoding: bytes[offset...].map { $0 | 0x20 }, as: UTF8.self) {
        case "nan": .nan
        case "inf", "infinity": .infinity
        default: nil
        }
    }

    /// Digits with at most one point, then maybe an exponent, then the end.
    mutating func number() -> UnroundedDecimal? {
        var number = UnroundedDecimal()
        var digits = 0
        var isFraction = false
        while let byte = current {
            if let digit = digit(byte) {
                number.append(digit, isFraction: isFraction)
                digits += 1
            } else if byte == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else {
                break
            }
            offset += 1
        }
        guard digits > 0, let exponent = exponent(), current == nil else { return nil }
        number.exponent += exponent
        return number
    }

    /// Zero if there is none, nil if it is malformed.
    private mutating func exponent() -> Int? {
        guard let byte = current, byte | 0x20 == UInt8(ascii: "e") else { return 0 }
        offset += 1
        let isNegative = sign()
        guard current != nil else { return nil }
        var value = 0
        while let byte = current {
            guard let digit = digit(byte) else { return nil }
            // Beyond this every number is zero or too large, however many digits it has.
            value = min(value * 10 + Int(digit), 1_000_000_000_000)
            offset += 1
        }
        return isNegative ? -value : value
    }

    private func digit(_ byte: UInt8) -> UInt8? {
        byte >= 48 && byte <= 57 ? byte - 48 : nil
    }
}
