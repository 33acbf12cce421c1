internal import BSON

/// A sum of numbers that does not depend on their order as far as numbers of 106 bits go.
///
/// Integers and doubles are added as a pair of doubles whose second one holds what the first one cannot; decimals are
/// added apart, and both meet only in the total. So a sum of integers is exact beyond the range of an int64, where it
/// becomes a double, and 1e100 + 1 - 1e100 is 1.
///
/// Source: T. J. Dekker, A floating-point technique for extending the available precision (1971); D. E. Knuth, The Art
/// of Computer Programming, volume 2, 4.2.2, theorem B.
struct NumericSum {
    /// In place of the decimal itself, which few sums have and all would carry.
    private final class DecimalPart {
        var total = Decimal128.zero
    }

    private var high = 0.0
    private var low = 0.0
    private var decimal: DecimalPart?
    private var type = BSONType.int32

    mutating func add(_ number: Number) {
        switch number {
        case .int32(let value): add(Double(value))
        case .int64(let value):
            widen(to: .int64)
            add(value)
        case .double(let value):
            widen(to: .double)
            add(value)
        case .decimal(let value):
            type = .decimal128
            if decimal == nil { decimal = DecimalPart() }
            decimal?.total = (decimal?.total ?? .zero).adding(value)
        }
    }

    @inline(__always)
    private mutating func widen(to other: BSONType) {
        switch (type, other) {
        case (.int32, _), (.int64, .double): type = other
        default: break
        }
    }

    /// Both halves of the integer are doubles exactly.
    private mutating func add(_ value: Int64) {
        let rest = value & 0xFFFF_FFFF
        add(Double(value - rest))
        add(Double(rest))
    }

    @inline(__always)
    private mutating func add(_ value: Double) {
        let sum = high + value
        guard sum.isFinite else {
            // Infinity and NaN stay what plain addition makes of them: their rest would be NaN.
            (high, low) = (sum, 0)
            return
        }
        let part = sum - high
        let rest = (high - (sum - part)) + (value - part) + low
        high = sum + rest
        low = rest - (high - sum)
        if !high.isFinite { low = 0 }
    }

    mutating func merge(_ other: NumericSum) {
        add(other.high)
        add(other.low)
        if let part = other.decimal?.total {
            add(.decimal(part))
        } else {
            widen(to: other.type)
        }
    }

    /// - Returns: false where the sum would not be what it was without the number.
    mutating func remove(_ number: Number) -> Bool {
        guard type == .int32, case .int32(let value) = number else { return false }
        add(-Double(value))
        return true
    }

    var byteCount: Int { decimal == nil ? 0 : 48 }
}

// Results.
extension NumericSum {
    /// In the widest type of the numbers; an integer too large for its type in the next one.
    var total: Number {
        switch type {
        case .decimal128: .decimal(decimalTotal)
        case .double: .double(high + low)
        default: integerTotal
        }
    }

    private var integerTotal: Number {
        // A sum of integers is finite, and from 2^53 on both doubles are whole.
        guard abs(high) <= 0x1p64, let value = Int64(exactly: Int128(high) + Int128(low)) else {
            return .double(high + low)
        }
        return type == .int32 ? Number(narrowest: value) : .int64(value)
    }

    private var decimalTotal: Decimal128 {
        let others =
            high.isFinite ? Decimal128(nearest: high).adding(Decimal128(nearest: low)) : Decimal128(nearest: high)
        return (decimal?.total ?? .zero).adding(others)
    }

    /// A double, or a decimal if one was among the numbers; nil of none.
    func average(of count: Int64) -> Number? {
        guard count > 0 else { return nil }
        if type == .decimal128 { return .decimal(decimalTotal.divided(by: Decimal128(count))) }
        return .double((high + low) / Double(count))
    }
}

extension Number {
    /// An int32 if it fits.
    init(narrowest value: Int64) {
        self = Int32(exactly: value).map { .int32($0) } ?? .int64(value)
    }
}
