internal import NIOCore

/// A BSON number of any of the four types, for arithmetic and comparison.
///
/// Arithmetic promotes as MongoDB does: decimal wins over double, double over integers, and two int32 whose result
/// does not fit become an int64. An int64 that overflows has no result, which `$inc` and `$mul` report as an error.
package enum Number: Sendable {
    case int32(Int32)
    case int64(Int64)
    case double(Double)
    case decimal(Decimal128)
}

extension RawValue {
    /// Nil when this is not a number.
    @inline(__always)
    package var number: Number? {
        switch type {
        case .int32: .int32(load(Int32.self, at: 0))
        case .int64: .int64(load(Int64.self, at: 0))
        case .double: .double(Double(bitPattern: load(UInt64.self, at: 0)))
        case .decimal128: decimal.map(Number.decimal)
        default: nil
        }
    }

    package var decimal: Decimal128? {
        decimalHalves.map { Decimal128(low: $0.low, high: $0.high) }
    }
}

// Arithmetic.
extension Number {
    package func adding(_ other: Number) -> Number? {
        switch promoted(with: other) {
        case .integers(let left, let right, let isNarrow):
            Self.integer(left.addingReportingOverflow(right), isNarrow)
        case .doubles(let left, let right): .double(left + right)
        case .decimals(let left, let right): .decimal(left.adding(right))
        }
    }

    package func subtracting(_ other: Number) -> Number? {
        switch promoted(with: other) {
        case .integers(let left, let right, let isNarrow):
            Self.integer(left.subtractingReportingOverflow(right), isNarrow)
        case .doubles(let left, let right): .double(left - right)
        case .decimals(let left, let right): .decimal(left.subtracting(right))
        }
    }

    package func multiplied(by other: Number) -> Number? {
        switch promoted(with: other) {
        case .integers(let left, let right, let isNarrow):
            Self.integer(left.multipliedReportingOverflow(by: right), isNarrow)
        case .doubles(let left, let right): .double(left * right)
        case .decimals(let left, let right): .decimal(left.multiplied(by: right))
        }
    }

    private enum Promoted {
        /// Narrow: both were int32.
        case integers(Int64, Int64, isNarrow: Bool)
        case doubles(Double, Double)
        case decimals(Decimal128, Decimal128)
    }

    private func promoted(with other: Number) -> Promoted {
        if isDecimal || other.isDecimal { return .decimals(asDecimal, other.asDecimal) }
        guard let left = integer, let right = other.integer else { return .doubles(asDouble, other.asDouble) }
        return .integers(left, right, isNarrow: isInt32 && other.isInt32)
    }

    private static func integer(_ result: (partialValue: Int64, overflow: Bool), _ isNarrow: Bool) -> Number? {
        if result.overflow { return nil }
        if isNarrow, let narrow = Int32(exactly: result.partialValue) { return .int32(narrow) }
        return .int64(result.partialValue)
    }
}

// Types and conversions.
extension Number {
    package var type: BSONType {
        switch self {
        case .int32: .int32
        case .int64: .int64
        case .double: .double
        case .decimal: .decimal128
        }
    }

    private var isInt32: Bool { if case .int32 = self { true } else { false } }
    package var isDecimal: Bool { if case .decimal = self { true } else { false } }

    /// The value of an int32 or int64, nil for the other types even when they hold an integer.
    private var integer: Int64? {
        switch self {
        case .int32(let value): Int64(value)
        case .int64(let value): value
        case .double, .decimal: nil
        }
    }

    package var isNaN: Bool {
        switch self {
        case .int32, .int64: false
        case .double(let value): value.isNaN
        case .decimal(let value): value.isNaN
        }
    }

    package var isFinite: Bool {
        switch self {
        case .int32, .int64: true
        case .double(let value): value.isFinite
        case .decimal(let value): value.isFinite
        }
    }

    package var isZero: Bool {
        switch self {
        case .int32(let value): value == 0
        case .int64(let value): value == 0
        case .double(let value): value == 0
        case .decimal(let value): value.isZero
        }
    }

    /// The integer of whatever type, when it is one and fits: 3, 3.0 and Decimal("3.00"), but not 3.5.
    package var asInt64Exact: Int64? {
        switch self {
        case .int32(let value): Int64(value)
        case .int64(let value): value
        case .double(let value): Int64(exactly: value)
        case .decimal(let value): value.int64Exact
        }
    }

    /// Without the fraction; nil for NaN and for what does not fit.
    package var asInt64Truncated: Int64? {
        switch self {
        case .int32(let value): Int64(value)
        case .int64(let value): value
        case .double(let value): value.isFinite ? Int64(exactly: value.rounded(.towardZero)) : nil
        case .decimal(let value): value.int64Truncated
        }
    }

    /// The nearest double.
    package var asDouble: Double {
        switch self {
        case .int32(let value): Double(value)
        case .int64(let value): Double(value)
        case .double(let value): value
        case .decimal(let value): value.doubleValue
        }
    }

    /// As an operand of decimal arithmetic: a double to 15 digits, the others exactly.
    package var asDecimal: Decimal128 {
        switch self {
        case .int32(let value): Decimal128(Int64(value))
        case .int64(let value): Decimal128(value)
        case .double(let value): Decimal128(value)
        case .decimal(let value): value
        }
    }

    package var value: Value {
        switch self {
        case .int32(let value): .int32(value)
        case .int64(let value): .int64(value)
        case .double(let value): .double(value)
        case .decimal(let value): .decimal(value)
        }
    }
}

extension Value {
    package static func decimal(_ value: Decimal128) -> Value {
        var buffer = ByteBuffer()
        buffer.writeInteger(value.low, endianness: .little)
        buffer.writeInteger(value.high, endianness: .little)
        return Value(type: .decimal128, buffer: buffer)
    }
}

extension DocumentBuilder {
    package mutating func append(_ key: RawKey, _ number: Number) {
        append(key, number.value)
    }
}

// Order: exact across the types, no operand is rounded to the other's type. NaN is the lowest number and equal to
// itself, -0 equals 0.
extension Number {
    @inline(__always)
    package func compare(to other: Number) -> Int {
        switch (self, other) {
        case (.int32(let left), .int32(let right)): order(left, right)
        case (.int64(let left), .int64(let right)): order(left, right)
        case (.double(let left), .double(let right)): orderDoubles(left, right)
        default: compareMixed(other)
        }
    }

    @inline(never)
    private func compareMixed(_ other: Number) -> Int {
        switch (self, other) {
        case (.decimal(let left), .decimal(let right)): return left.compare(to: right)
        case (.decimal(let left), .double(let right)): return left.compare(to: right)
        case (.double(let left), .decimal(let right)): return -right.compare(to: left)
        case (.double(let left), .double(let right)): return orderDoubles(left, right)
        case (.double(let left), _): return -orderInteger(other.integer ?? 0, left)
        case (_, .double(let right)): return orderInteger(integer ?? 0, right)
        case (.decimal(let left), _): return left.compare(to: other.asDecimal)
        case (_, .decimal(let right)): return asDecimal.compare(to: right)
        default: return order(integer ?? 0, other.integer ?? 0)
        }
    }
}

@inline(__always)
func order<T: Comparable>(_ left: T, _ right: T) -> Int {
    left < right ? -1 : (left == right ? 0 : 1)
}

@inline(__always)
private func orderDoubles(_ left: Double, _ right: Double) -> Int {
    if left < right { return -1 }
    if left == right { return 0 }
    if left > right { return 1 }
    return (left.isNaN ? 0 : 1) - (right.isNaN ? 0 : 1)
}

private func orderInteger(_ left: Int64, _ right: Double) -> Int {
    guard !right.isNaN else { return 1 }
    if right >= 0x1p63 { return -1 }
    if right < -0x1p63 { return 1 }
    let whole = right.rounded(.towardZero)
    // In range by the two checks above, and whole: the conversion is exact and cannot trap.
    let integer = Int64(whole)
    return left != integer ? order(left, integer) : order(whole, right)
}
