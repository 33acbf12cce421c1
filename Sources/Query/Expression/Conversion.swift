internal import BSON
internal import CommandModel

/// One conversion: from a value that is not null to another type.
///
/// Source: https://www.mongodb.com/docs/manual/reference/operator/aggregation/convert/
struct Conversion {
    let target: ConversionTarget
    var format: BinaryFormat?
    var isBigEndian = false
    /// In which digits of a number are written.
    var base: Int?
    let run: Evaluator

    init(target: ConversionTarget, format: BinaryFormat? = nil, run: Evaluator) {
        (self.target, self.format, self.run) = (target, format, run)
    }

    /// As long as a string may be at most, its end not counted.
    static let stringMax = 16 * 1024 * 1024 - 1

    func convert(_ input: RawValue) throws(CommandError) -> RawValue {
        try Self.checkLength(input)
        switch target.type {
        case .bool: return try run.bool(truth(input))
        case .int32: return try run.scratch.int32(int32(input))
        case .int64: return try run.scratch.int64(int64(input))
        case .double: return try run.scratch.double(double(input))
        case .decimal128: return try run.scratch.decimal(decimal(input))
        case .date: return try run.scratch.date(date(input))
        case .objectID: return try run.scratch.objectID(objectID(input))
        case .string: return try string(input)
        case .binary: return try binary(input)
        default: throw unsupported(input)
        }
    }

    /// Everything but zero and false is true, the empty string too.
    private func truth(_ input: RawValue) -> Bool { input.isTruthy }

    // MARK: options

    static func isBigEndian(_ value: RawValue?) throws(CommandError) -> Bool {
        guard let value, !(value as RawValue?).isNullish else { return false }
        guard value.type == .string else {
            throw CommandError(
                ErrorCode(9_130_001), "$convert requires that 'byteOrder' be a string, found: \(value.type.alias)")
        }
        try checkLength(value)
        switch value.string {
        case "little": return false
        case "big": return true
        default:
            throw CommandError(
                ErrorCode(9_130_002), "Invalid 'byteOrder' argument for $convert: \(value.errorText)")
        }
    }

    static func base(_ value: RawValue?) throws(CommandError) -> Int? {
        guard let value, !(value as RawValue?).isNullish else { return nil }
        guard let base = value.number?.asInt32Exact else {
            throw CommandError(
                ErrorCode(3_501_300), "In $convert, 'base' must be an integer, found: \(value.errorText)")
        }
        guard [2, 8, 10, 16].contains(base) else {
            throw CommandError(ErrorCode(3_501_301), "In $convert, 'base' must be 2, 8, 10 or 16, found: \(base)")
        }
        return Int(base)
    }

    // MARK: errors

    static func checkLength(_ value: RawValue) throws(CommandError) {
        guard value.type == .string, (value.stringBytes?.count ?? 0) > stringMax else { return }
        throw CommandError(ErrorCode(16493), "a string is longer than \(stringMax) bytes")
    }

    func unsupported(_ input: RawValue) -> CommandError {
        failure(
            "Unsupported conversion from \(input.type.alias) to \(target.type.alias) in $convert with no onError value")
    }

    func failed(_ input: RawValue, _ why: String) -> CommandError {
        failure(
            "Failed to convert \(input.errorText) to \(target.type.alias) in $convert with no onError value: \(why)")
    }

    private func failure(_ message: String) -> CommandError {
        CommandError(ErrorCode(241, "ConversionFailure"), message)
    }
}

// Dates and object ids.
extension Conversion {
    private func date(_ input: RawValue) throws(CommandError) -> Int64 {
        switch input.type {
        case .date: return input.date ?? 0
        case .int64: return input.int64 ?? 0
        case .double, .decimal128:
            guard let milliseconds = input.number?.asInt64Truncated else { throw failed(input, "out of range") }
            return milliseconds
        case .timestamp: return Int64(truncatingIfNeeded: (input.timestamp ?? 0) >> 32) * 1000
        case .objectID:
            // Its seconds are a signed number.
            return Int64(Int32(truncatingIfNeeded: (input.objectID?.high ?? 0) >> 32)) * 1000
        case .string: return try parsedDate(input)
        default: throw unsupported(input)
        }
    }

    private func objectID(_ input: RawValue) throws(CommandError) -> ObjectID {
        if let id = input.objectID { return id }
        guard input.type == .string, let text = input.stringBytes else { throw unsupported(input) }
        guard text.count == 24 else { throw failed(input, "an object id has 24 hexadecimal digits") }
        var bytes: (UInt64, UInt64) = (0, 0)
        let isValid = withUnsafeMutableBytes(of: &bytes) { Hexadecimal.decode(text, into: $0) }
        guard isValid else { throw failed(input, "an object id has 24 hexadecimal digits") }
        return withUnsafeBytes(of: bytes) { ObjectID(UnsafeRawBufferPointer(rebasing: $0[..<12])) }
    }
}
