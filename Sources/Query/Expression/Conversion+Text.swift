internal import BSON
internal import CommandModel

// To text.
extension Conversion {
    func string(_ input: RawValue) throws(CommandError) -> RawValue {
        switch input.type {
        case .string: return input
        case .bool: return try run.scratch.string(input.bool == true ? "true" : "false" as StaticString)
        case .int32, .int64:
            let value = input.number?.asInt64Exact ?? 0
            return try run.scratch.string(String(value, radix: base ?? 10, uppercase: true))
        case .double: return try run.scratch.string(Self.text(of: input.double ?? 0))
        case .decimal128: return try run.scratch.string("\(input.decimal ?? .zero)")
        case .objectID: return try run.scratch.string(input.objectID?.hexString ?? "")
        case .date: return try dateText(input)
        case .binary: return try binaryText(input)
        default: throw unsupported(input)
        }
    }

    /// The shortest text that reads as the same number; an integer without a point.
    static func text(of value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        // Swift writes an exponent from 2^53 on.
        if value.magnitude < 1e16, value != 0, let integer = Int64(exactly: value) { return String(integer) }
        let text = value.description
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    private func binaryText(_ input: RawValue) throws(CommandError) -> RawValue {
        guard let format else {
            throw CommandError(
                ErrorCode(4_341_115), "Format must be specified when converting from 'binData' to 'string'")
        }
        guard let (subtype, data) = input.binary else { throw unsupported(input) }
        let isUUID = subtype == ConversionTarget.uuid && data.count == 16
        switch format {
        case .base64: return try base64(data, isURL: false, input)
        case .auto: return isUUID ? try uuidText(data) : try base64(data, isURL: false, input)
        case .base64URL: return try base64(data, isURL: true, input)
        case .hexadecimal:
            let (value, target) = try text(2 * data.count, input)
            Hexadecimal.encode(data, into: target)
            return value
        case .utf8:
            try Self.checkText(data)
            guard isUTF8(data) else { throw failed(input, "Invalid UTF-8") }
            return try run.scratch.string(data)
        case .uuid:
            guard isUUID else { throw failed(input, "the binData is no UUID") }
            return try uuidText(data)
        }
    }

    private static func checkText(_ data: UnsafeRawBufferPointer) throws(CommandError) {
        guard data.count <= stringMax else {
            throw CommandError(ErrorCode(16493), "a string is longer than \(stringMax) bytes")
        }
    }

    /// Room for a string.
    private func text(_ count: Int, _ input: RawValue) throws(CommandError) -> (RawValue, UnsafeMutableRawBufferPointer)
    {
        guard count <= Self.stringMax else { throw failed(input, "the string is too long") }
        return try run.scratch.string(byteCount: count)
    }

    private func base64(
        _ data: UnsafeRawBufferPointer, isURL: Bool, _ input: RawValue
    ) throws(CommandError) -> RawValue {
        let count = isURL ? (data.count * 4 + 2) / 3 : (data.count + 2) / 3 * 4
        let (value, target) = try text(count, input)
        Base64Text.encode(data, isURL: isURL, into: target)
        return value
    }

    private func uuidText(_ data: UnsafeRawBufferPointer) throws(CommandError) -> RawValue {
        let (value, target) = try run.scratch.string(byteCount: 36)
        var position = 0
        for (index, byte) in data.enumerated() {
            if [4, 6, 8, 10].contains(index) {
                target[position] = UInt8(ascii: "-")
                position += 1
            }
            target[position] = Hexadecimal.lowercase(byte >> 4)
            target[position + 1] = Hexadecimal.lowercase(byte & 15)
            position += 2
        }
        return value
    }
}

// To binary.
extension Conversion {
    func binary(_ input: RawValue) throws(CommandError) -> RawValue {
        switch input.type {
        case .binary:
            guard input.binary?.subtype == target.subtype else { throw failed(input, "the subtypes differ") }
            return input
        case .int32: return try binary(input.int32 ?? 0)
        case .int64: return try binary(input.int64 ?? 0)
        case .double: return try binary((input.double ?? 0).bitPattern)
        case .string: return try parsedBinary(input)
        default: throw unsupported(input)
        }
    }

    private func binary(_ value: some FixedWidthInteger) throws(CommandError) -> RawValue {
        let result: Result<RawValue, CommandError> = withUnsafeBytes(
            of: isBigEndian ? value.bigEndian : value.littleEndian
        ) { raw in
            do throws(CommandError) {
                return .success(try run.scratch.binary(raw, subtype: target.subtype))
            } catch { return .failure(error) }
        }
        return try result.get()
    }

    private func parsedBinary(_ input: RawValue) throws(CommandError) -> RawValue {
        guard let format else {
            throw CommandError(
                ErrorCode(4_341_115), "Format must be specified when converting from 'string' to 'binData'")
        }
        guard let text = input.stringBytes else { throw unsupported(input) }
        guard (format == .uuid) == (target.subtype == ConversionTarget.uuid) else {
            throw failed(input, "the format uuid goes with the subtype of a UUID, and with no other")
        }
        switch format {
        case .utf8: return try run.scratch.binary(text, subtype: target.subtype)
        case .auto: throw failed(input, "the format auto does not say how to read text")
        case .hexadecimal:
            return try decoded(text.count / 2, input) { text.count % 2 == 0 && Hexadecimal.decode(text, into: $0) }
        case .base64, .base64URL:
            let digits = Base64Text.digits(of: text, isURL: format == .base64URL)
            guard let digits else { throw failed(input, "Invalid base64") }
            return try decoded(digits.count * 3 / 4, input) {
                Base64Text.decode(digits, isURL: format == .base64URL, into: $0)
            }
        case .uuid:
            guard text.count == 36 else { throw failed(input, "Invalid UUID") }
            return try decoded(16, input) { Hexadecimal.decodeUUID(text, into: $0) }
        }
    }

    /// Binary of `count` bytes, which `fill` writes unless it refuses.
    private func decoded(
        _ count: Int, _ input: RawValue, _ fill: (UnsafeMutableRawBufferPointer) -> Bool
    ) throws(CommandError) -> RawValue {
        let (value, target) = try run.scratch.binary(byteCount: count, subtype: target.subtype)
        guard fill(target) else { throw failed(input, "the text does not have the format") }
        return value
    }
}

extension Scratch {
    /// Binary of `count` bytes, for the caller to fill.
    fileprivate func binary(
        byteCount count: Int, subtype: UInt8
    ) throws(CommandError) -> (RawValue, UnsafeMutableRawBufferPointer) {
        let start = try allocate(count + 5)
        start.storeBytes(of: Int32(truncatingIfNeeded: count).littleEndian, as: Int32.self)
        start.storeBytes(of: subtype, toByteOffset: 4, as: UInt8.self)
        return (
            RawValue(type: .binary, start: start, count: count + 5),
            UnsafeMutableRawBufferPointer(start: start + 5, count: count)
        )
    }
}
