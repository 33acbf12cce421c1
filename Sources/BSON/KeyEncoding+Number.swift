// The keys of numbers: the four parts that the top of `KeyEncoding.swift` explains.

/// The first byte of a number's key: everything about it that is not the parts 2 to 4.
private enum NumberTag {
    static let nan: UInt8 = 0x20
    static let negativeInfinity: UInt8 = 0x21
    static let negativeLarge: UInt8 = 0x22
    // 0x23 … 0x2A: negative, integer part of 8 … 1 bytes.
    static let negativeSmall: UInt8 = 0x2B
    static let zero: UInt8 = 0x2C
    static let positiveSmall: UInt8 = 0x2D
    // 0x2E … 0x35: positive, integer part of 1 … 8 bytes.
    static let positiveLarge: UInt8 = 0x36
    static let infinity: UInt8 = 0x37

    static func integer(bytes: Int, _ isNegative: Bool) -> UInt8 {
        isNegative ? negativeSmall - UInt8(bytes) : positiveSmall + UInt8(bytes)
    }

    static func infinity(_ isNegative: Bool) -> UInt8 { isNegative ? negativeInfinity : infinity }
    static func large(_ isNegative: Bool) -> UInt8 { isNegative ? negativeLarge : positiveLarge }
    static func small(_ isNegative: Bool) -> UInt8 { isNegative ? negativeSmall : positiveSmall }
}

extension KeyEncoder {
    @inline(__always)
    mutating func append(integer value: Int64) {
        let magnitude = value.magnitude
        if magnitude == 0 {
            bytes.append(NumberTag.zero)
        } else if magnitude >> 63 == 0 {
            append(integerPart: magnitude, hasFraction: false, isNegative: value < 0)
        } else {
            append(double: -0x1p63)
        }
    }

    mutating func append(double value: Double) {
        if value == 0 { return bytes.append(NumberTag.zero) }
        if value.isNaN { return bytes.append(NumberTag.nan) }
        let isNegative = value < 0
        if value.isInfinite { return bytes.append(NumberTag.infinity(isNegative)) }
        let magnitude = value.magnitude
        if magnitude < 1 {
            bytes.append(NumberTag.small(isNegative))
        } else if magnitude < 0x1p63 {
            let integer = UInt64(magnitude)
            let hasFraction = Double(integer) != magnitude
            append(integerPart: integer, hasFraction: hasFraction, isNegative: isNegative)
            if !hasFraction { return }
        } else {
            bytes.append(NumberTag.large(isNegative))
        }
        append(bitsOf: magnitude, isExact: true, isNegative)
    }

    mutating func append(decimal value: Decimal128) {
        if let integer = value.int64Exact { return append(integer: integer) }
        guard let parts = value.parts else {
            return bytes.append(value.isNaN ? NumberTag.nan : NumberTag.infinity(value.isNegative))
        }
        switch value.magnitude.int64Truncated {
        case nil: bytes.append(NumberTag.large(value.isNegative))
        case 0: bytes.append(NumberTag.small(value.isNegative))
        case let integer?:
            append(integerPart: UInt64(integer), hasFraction: true, isNegative: value.isNegative)
        }
        let (double, isExact) = value.magnitude.doubleTowardZero
        append(bitsOf: double, isExact: isExact, value.isNegative)
        if !isExact { append(digitsOf: parts) }
    }

    /// Part 2, with its tag. `magnitude` is in 1 ..< 2^63.
    @inline(__always)
    private mutating func append(integerPart magnitude: UInt64, hasFraction: Bool, isNegative: Bool) {
        let shifted = magnitude << 1 | (hasFraction ? 1 : 0)
        let count = (64 - shifted.leadingZeroBitCount + 7) / 8
        bytes.append(NumberTag.integer(bytes: count, isNegative))
        append(bigEndian: isNegative ? ~shifted : shifted, count: count)
    }

    /// Part 3.
    private mutating func append(bitsOf magnitude: Double, isExact: Bool, _ isNegative: Bool) {
        let shifted = magnitude.bitPattern << 1 | (isExact ? 0 : 1)
        append(bigEndian: isNegative ? ~shifted : shifted, count: 8)
    }

    /// Part 4. The coefficient is not zero: zero ended as an integer.
    private mutating func append(digitsOf parts: Decimal128.Parts) {
        let start = bytes.count
        let count = decimalDigits(parts.coefficient)
        append(bigEndian: UInt64(bitPattern: Int64(parts.exponent + count + Self.exponentBias)), count: 2)
        appendPairs(of: parts.coefficient, digits: count)
        if parts.isNegative { complement(from: start) }
    }

    /// More than the least exponent, so that the sum is positive.
    private static let exponentBias = 8192

    private mutating func appendPairs(of coefficient: UInt128, digits count: Int) {
        // An even number of digits, so that the first pair begins with the first digit.
        var rest = count.isMultiple(of: 2) ? coefficient : coefficient * 10
        while rest % 100 == 0 { rest /= 100 }
        let start = bytes.count
        var continues: UInt8 = 0
        while rest > 0 {
            bytes.append(UInt8(rest % 100) << 1 | continues)
            continues = 1
            rest /= 100
        }
        bytes[start...].reverse()
    }
}
