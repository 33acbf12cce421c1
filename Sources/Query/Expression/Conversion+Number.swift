internal import BSON
internal import CommandModel

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

// To numbers.
extension Conversion {
    func int32(_ input: RawValue) throws(CommandError) -> Int32 {
        if input.type == .date { throw unsupported(input) }
        guard let value = Int32(exactly: try int64(input)) else {
            throw failed(input, "Conversion would overflow target type")
        }
        return value
    }

    func int64(_ input: RawValue) throws(CommandError) -> Int64 {
        switch input.type {
        case .bool: return input.bool == true ? 1 : 0
        case .int32, .int64, .double, .decimal128:
            guard let value = input.number?.asInt64Truncated else {
                throw failed(input, "Conversion would overflow target type")
            }
            return value
        case .date: return input.date ?? 0
        case .string: return try parsedInteger(input)
        case .binary:
            let widths: ClosedRange<Int> = target.type == .int32 ? 1...4 : 1...8
            guard let bits = bits(input, widths) else { throw failed(input, "the length fits no number") }
            return bits
        default: throw unsupported(input)
        }
    }

    func double(_ input: RawValue) throws(CommandError) -> Double {
        switch input.type {
        case .bool: return input.bool == true ? 1 : 0
        case .int32, .int64, .double: return input.number?.asDouble ?? 0
        case .decimal128:
            let value = input.number?.asDouble ?? 0
            guard value.isFinite || !(input.number?.isFinite ?? false) else {
                throw failed(input, "Conversion would overflow target type")
            }
            return value
        case .date: return Double(input.date ?? 0)
        case .string: return try parsedDouble(input)
        case .binary:
            guard let count = input.binary?.data.count, let bits = bits(input, 4...8) else {
                throw failed(input, "the length fits no number")
            }
            return count == 4
                ? Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
                : Double(bitPattern: UInt64(bitPattern: bits))
        default: throw unsupported(input)
        }
    }

    func decimal(_ input: RawValue) throws(CommandError) -> Decimal128 {
        switch input.type {
        case .bool: return Decimal128(input.bool == true ? 1 : 0 as Int64)
        case .int32, .int64, .double, .decimal128: return input.number?.asDecimal ?? .zero
        case .date: return Decimal128(input.date ?? 0)
        case .string: return try parsedDecimal(input)
        default: throw unsupported(input)
        }
    }

    /// Binary of 1, 2, 4 or 8 bytes as an integer, its sign extended; nil for another length.
    private func bits(_ input: RawValue, _ counts: ClosedRange<Int>) -> Int64? {
        guard let data = input.binary?.data, counts.contains(data.count), data.count.nonzeroBitCount == 1 else {
            return nil
        }
        var bits: UInt64 = 0
        for index in 0..<data.count {
            bits = bits << 8 | UInt64(data[isBigEndian ? index : data.count - 1 - index])
        }
        let unused = Int64(64 - 8 * data.count)
        return (Int64(bitPattern: bits) << unused) >> unused
    }
}

// From text. Nothing but the number may stand in it, no blank either.
extension Conversion {
    private func parsedInteger(_ input: RawValue) throws(CommandError) -> Int64 {
        guard let text = input.stringBytes else { throw unsupported(input) }
        let base = Int64(self.base ?? 10)
        let isNegative = text.first == UInt8(ascii: "-")
        let start = isNegative || text.first == UInt8(ascii: "+") ? 1 : 0
        guard text.count > start else { throw failed(input, "Did not consume any digits") }
        var value: Int64 = 0
        for byte in text[start...] {
            guard let digit = Hexadecimal.value(byte), Int64(digit) < base else {
                throw failed(input, "Bad digit in a number")
            }
            // Downwards, where one number more fits.
            let (product, overflows) = value.multipliedReportingOverflow(by: base)
            let (next, overflowsToo) = product.subtractingReportingOverflow(Int64(digit))
            guard !overflows, !overflowsToo else { throw failed(input, "Overflow") }
            value = next
        }
        guard isNegative || value != .min else { throw failed(input, "Overflow") }
        return isNegative ? value : -value
    }

    /// As C reads it, hexadecimal fractions included.
    private func parsedDouble(_ input: RawValue) throws(CommandError) -> Double {
        guard let text = input.stringBytes, let first = text.first else { throw failed(input, "Empty string") }
        if base ?? 10 != 10 { return Double(try parsedInteger(input)) }
        // C skips blanks at the beginning, and takes `nan(…)`.
        guard first > UInt8(ascii: " "), !text.contains(UInt8(ascii: "(")) else {
            throw failed(input, "Failed to parse number")
        }
        // The string ends with NUL, in memory too.
        let start = text.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: CChar.self)
        var end: UnsafeMutablePointer<CChar>?
        errno = 0
        let value = strtod(start, &end)
        guard let end, UnsafePointer(end) == start + text.count else { throw failed(input, "Failed to parse number") }
        // A number so small that it has few digits left is in range for us.
        guard errno != ERANGE || (value.isFinite && value != 0) else { throw failed(input, "Out of range") }
        return value
    }

    private func parsedDecimal(_ input: RawValue) throws(CommandError) -> Decimal128 {
        if base ?? 10 != 10 { return Decimal128(try parsedInteger(input)) }
        let text = input.string ?? ""
        if let exact = Decimal128(text) { return exact }
        guard let value = Decimal128(rounding: text) else { throw failed(input, "Failed to parse number") }
        guard value.isFinite else { throw failed(input, "Conversion would overflow target type") }
        guard value.magnitude.compare(to: Self.leastNormal) >= 0 else {
            throw failed(input, "Conversion would underflow target type")
        }
        return value
    }

    /// What is smaller has fewer than 34 digits.
    private static let leastNormal = Decimal128("1E-6143") ?? .zero
}
