internal import BSON
internal import CommandModel

/// What `$convert` makes of a value.
struct ConversionTarget: Sendable {
    static let uuid: UInt8 = 4

    let type: BSONType
    /// Of binary.
    var subtype: UInt8 = 0

    init(type: BSONType, subtype: UInt8 = 0) {
        (self.type, self.subtype) = (type, subtype)
    }

    /// The operand `to`: a type, or `{type:, subtype:}`.
    ///
    /// - Returns: nil for null.
    init?(_ value: RawValue?) throws(CommandError) {
        guard let value, !(value as RawValue?).isNullish else { return nil }
        guard let document = value.document else {
            type = try Self.type(value)
            return
        }
        guard let type = document["type"] else {
            throw CommandError(.failedToParse, "Missing 'type' in $convert's 'to' argument")
        }
        self.type = try Self.type(type)
        if let subtype = document["subtype"] { self.subtype = try Self.subtype(subtype) }
    }

    private static func type(_ value: RawValue) throws(CommandError) -> BSONType {
        if value.type == .string {
            try Conversion.checkLength(value)
            let name = value.string ?? ""
            let types = BSONType.named(name)
            guard types.count == 1 else { throw CommandError(.badValue, "Unknown type name: \(name.prefix(100))") }
            return types[0]
        }
        guard let number = value.number else {
            throw CommandError(
                .failedToParse, "$convert's 'to' argument must be a string or number, but is \(value.type.alias)")
        }
        guard let code = number.asInt32Exact, let type = type(code: code) else {
            throw CommandError(
                .failedToParse, "In $convert, numeric 'to' argument is not a valid type: \(value.errorText)")
        }
        return type
    }

    /// Nothing converts to the type of number 0, nor to the undefined one.
    private static func type(code: Int32) -> BSONType? {
        switch code {
        case 0: .undefined
        case -1: .minKey
        default: UInt8(exactly: code).flatMap { $0 == BSONType.minKey.rawValue ? nil : BSONType(rawValue: $0) }
        }
    }

    private static func subtype(_ value: RawValue) throws(CommandError) -> UInt8 {
        if value.type == .string { try Conversion.checkLength(value) }
        guard let number = value.number else {
            throw CommandError(
                ErrorCode(4_341_108), "$convert's 'subtype' must be a number, but is \(value.type.alias)")
        }
        guard let code = number.asInt32Exact else {
            throw CommandError(
                ErrorCode(4_341_106), "In $convert, numeric 'subtype' argument is not an integer: \(value.errorText)")
        }
        guard (0...9).contains(code) || (128...255).contains(code) else {
            throw CommandError(
                ErrorCode(4_341_107), "In $convert, numeric value for 'subtype' does not correspond to one: \(code)")
        }
        return UInt8(truncatingIfNeeded: code)
    }
}

/// How text stands for binary.
enum BinaryFormat {
    case base64, base64URL, hexadecimal, utf8, uuid
    /// A UUID for what is one, base64 for the rest.
    case auto

    /// The operand `format`.
    ///
    /// - Returns: nil for null.
    init?(_ value: RawValue?) throws(CommandError) {
        guard let value, !(value as RawValue?).isNullish else { return nil }
        guard value.type == .string, let name = value.stringBytes else {
            throw CommandError(
                ErrorCode(4_341_114), "$convert requires that 'format' be a string, found: \(value.type.alias)")
        }
        try Conversion.checkLength(value)
        switch RawKey(start: UnsafeRawPointer(name.baseAddress.unsafelyUnwrapped), count: name.count) {
        case "base64": self = .base64
        case "base64url": self = .base64URL
        case "hex": self = .hexadecimal
        case "utf8": self = .utf8
        case "uuid": self = .uuid
        case "auto": self = .auto
        default:
            throw CommandError(
                ErrorCode(4_341_125), "Invalid 'format' argument for $convert: \(value.errorText)")
        }
    }
}
