@testable import BSON

/// A number as all of its decimal digits: slow, and so simple that it can say whether the fast comparisons are right.
struct ExactNumber {
    private enum Kind: Int {
        case nan, negativeInfinity, negative, zero, positive, infinity
    }

    private let kind: Kind
    /// Most significant first, neither beginning nor ending with zero; the first one counts 10^`exponent`.
    private let digits: [UInt8]
    private let exponent: Int

    init(_ number: Number) {
        switch number {
        case .int32(let value): self.init(value < 0, Self.digits(UInt128(value.magnitude)), 0)
        case .int64(let value): self.init(value < 0, Self.digits(UInt128(value.magnitude)), 0)
        case .double(let value): self.init(value)
        case .decimal(let value): self.init(value)
        }
    }

    private init(_ value: Decimal128) {
        guard let parts = value.parts else {
            self.init(special: value.isNaN ? .nan : (value.isNegative ? .negativeInfinity : .infinity))
            return
        }
        self.init(parts.isNegative, Self.digits(parts.coefficient), parts.exponent)
    }

    private init(_ value: Double) {
        guard value.isFinite else {
            self.init(special: value.isNaN ? .nan : (value < 0 ? .negativeInfinity : .infinity))
            return
        }
        let isSubnormal = value.exponentBitPattern == 0
        let significand = value.significandBitPattern | (isSubnormal ? 0 : 1 << 52)
        let power = Int(isSubnormal ? 1 : value.exponentBitPattern) - 1075
        // m × 2^-p = m × 5^p × 10^-p.
        var digits = Self.digits(UInt128(significand))
        var rest = abs(power)
        while rest > 0 {
            let step = min(rest, 20)
            let factor = (0..<step).reduce(1) { product, _ in product * (power < 0 ? 5 : 2) }
            digits = Self.multiply(digits, by: factor)
            rest -= step
        }
        self.init(value < 0, digits, min(power, 0))
    }

    private init(special kind: Kind) {
        self.init(kind, [], 0)
    }

    private init(_ kind: Kind, _ digits: [UInt8], _ exponent: Int) {
        self.kind = kind
        self.digits = digits
        self.exponent = exponent
    }

    /// `scale` is the exponent of the last digit.
    private init(_ isNegative: Bool, _ all: [UInt8], _ scale: Int) {
        guard let first = all.firstIndex(where: { $0 != 0 }), let last = all.lastIndex(where: { $0 != 0 }) else {
            self.init(special: .zero)
            return
        }
        self.init(isNegative ? .negative : .positive, Array(all[first...last]), scale + all.count - 1 - first)
    }

    private static func digits(_ value: UInt128) -> [UInt8] { String(value).utf8.map { $0 - 48 } }

    private static func multiply(_ digits: [UInt8], by factor: Int) -> [UInt8] {
        var product = digits
        var carry = 0
        for index in digits.indices.reversed() {
            carry += Int(digits[index]) * factor
            product[index] = UInt8(carry % 10)
            carry /= 10
        }
        return carry > 0 ? Self.digits(UInt128(carry)) + product : product
    }

    func compare(to other: ExactNumber) -> Int {
        if kind != other.kind { return kind.rawValue < other.kind.rawValue ? -1 : 1 }
        let magnitudes =
            exponent != other.exponent
            ? (exponent < other.exponent ? -1 : 1) : orderOfBytes(digits, other.digits)
        return kind == .negative ? -magnitudes : magnitudes
    }
}
