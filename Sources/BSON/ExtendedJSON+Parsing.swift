internal import NIOCore

// From parsed JSON to BSON. An object whose names are those of a type wrapper (`{"$oid": …}`) is a value of that type,
// and an error when it is malformed; any other object is a document, also one with names like `$set` or `$regex`.

extension DocumentBuilder {
    mutating func append(members: [JSON.Member]) throws(ExtendedJSONError) {
        for member in members {
            try checkCString(member.name)
            try append(named: member.name, member.value)
        }
    }

    private mutating func append(named name: String, _ json: JSON) throws(ExtendedJSONError) {
        switch json {
        case .object(let members):
            if let value = try wrappedValue(members) { return withRawKey(name) { append($0, value) } }
            withRawKey(name) { beginDocument($0) }
            try append(members: members)
            end()
        case .array(let items):
            withRawKey(name) { beginArray($0) }
            for (index, item) in items.enumerated() { try append(named: String(index), item) }
            end()
        default:
            let value = try plainValue(json)
            withRawKey(name) { append($0, value) }
        }
    }
}

private func withRawKey(_ name: String, _ body: (RawKey) -> Void) {
    var name = name
    name.withUTF8 { bytes in
        // Empty text may have no address.
        guard let start = bytes.baseAddress else { return body(RawKey("")) }
        body(RawKey(start: start, count: bytes.count))
    }
}

private func checkCString(_ text: String) throws(ExtendedJSONError) {
    if text.utf8.contains(0) { throw ExtendedJSONError("NUL in a field name or regular expression") }
}

private func plainValue(_ json: JSON) throws(ExtendedJSONError) -> Value {
    switch json {
    case .bool(let value): return .bool(value)
    case .string(let text): return .string(text)
    case .number(let text): return try number(text)
    case .null, .array, .object: return .null
    }
}

/// The narrowest type: an integer without point and exponent is int32 or int64 if it fits, all else is a double.
private func number(_ text: String) throws(ExtendedJSONError) -> Value {
    if let value = Int32(text) { return .int32(value) }
    if let value = Int64(text) { return .int64(value) }
    guard let value = Double(text), value.isFinite else { throw ExtendedJSONError("\(text) is not a double") }
    return .double(value)
}

/// Nil when the object is no wrapper. The wrapper's name may stand anywhere: JSON objects have no order.
private func wrappedValue(_ members: [JSON.Member]) throws(ExtendedJSONError) -> Value? {
    for member in members {
        guard let wrapper = Wrapper(rawValue: member.name) else { continue }
        let rest = members.count > 1 ? members.filter { $0.name != member.name } : []
        guard members.count == rest.count + 1, rest.allSatisfy({ wrapper.companion == $0.name }), rest.count <= 1
        else { throw ExtendedJSONError("unexpected field beside \(member.name)") }
        return try wrapper.value(member.value, companion: rest.first?.value)
    }
    return nil
}

/// The names that make an object a value of another type.
private enum Wrapper: String {
    case objectID = "$oid"
    case int32 = "$numberInt"
    case int64 = "$numberLong"
    case double = "$numberDouble"
    case decimal = "$numberDecimal"
    case date = "$date"
    case timestamp = "$timestamp"
    case binary = "$binary"
    case uuid = "$uuid"
    case regex = "$regularExpression"
    case code = "$code"
    case symbol = "$symbol"
    case dbPointer = "$dbPointer"
    case undefined = "$undefined"
    case minKey = "$minKey"
    case maxKey = "$maxKey"

    /// The one further name that may stand beside it.
    var companion: String? { self == .code ? "$scope" : nil }

    private var malformed: ExtendedJSONError { ExtendedJSONError("malformed \(rawValue)") }

    func value(_ json: JSON, companion: JSON?) throws(ExtendedJSONError) -> Value {
        if let value = try scalar(json) { return value }
        switch self {
        case .date: return .date(try date(json))
        case .timestamp: return try timestamp(json)
        case .binary: return try binary(json)
        case .regex: return try regex(json)
        case .code: return try code(json, scope: companion)
        case .dbPointer: return try dbPointer(json)
        default: throw malformed
        }
    }

    /// The wrappers around a single string, number or word. Nil also when malformed: `value` throws then.
    private func scalar(_ json: JSON) throws(ExtendedJSONError) -> Value? {
        switch (self, json) {
        case (.objectID, .string(let text)): hexDecoded(text, count: 12).map(fixed(.objectID))
        case (.int32, .string(let text)): Int32(text).map(Value.int32)
        case (.int64, .string(let text)): Int64(text).map(Value.int64)
        case (.double, .string(let text)): double(text).map(Value.double)
        case (.decimal, .string(let text)): Decimal128(text).map(Value.decimal)
        case (.uuid, .string(let text)): uuid(text).map { Value.binary($0, subtype: 4) }
        case (.symbol, .string(let text)): Value(type: .symbol, buffer: Value.string(text).buffer)
        case (.undefined, .bool(true)): Value(type: .undefined, buffer: ByteBuffer())
        case (.minKey, .number("1")): .minKey
        case (.maxKey, .number("1")): .maxKey
        default: nil
        }
    }

    private func double(_ text: String) -> Double? {
        switch text {
        case "NaN": return .nan
        case "Infinity": return .infinity
        case "-Infinity": return -.infinity
        default:
            // Swift's own parser also takes hexadecimal, "inf" and the like.
            guard text.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 || "+-.eE".utf8.contains($0) }) else { return nil }
            return Double(text).flatMap { $0.isFinite ? $0 : nil }
        }
    }

    private func uuid(_ text: String) -> [UInt8]? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.map(\.utf8.count) == [8, 4, 4, 4, 12] else { return nil }
        return hexDecoded(parts.joined(), count: 16)
    }

    private func fixed(_ type: BSONType) -> ([UInt8]) -> Value {
        { Value(type: type, buffer: ByteBuffer(bytes: $0)) }
    }
}

// The wrappers with structure inside.
extension Wrapper {
    private func date(_ json: JSON) throws(ExtendedJSONError) -> Int64 {
        switch json {
        case .string(let text):
            if let milliseconds = ISODate.milliseconds(text) { return milliseconds }
        case .object(let members):
            guard members.count == 1, members[0].name == Wrapper.int64.rawValue,
                case .string(let text) = members[0].value, let milliseconds = Int64(text)
            else { break }
            return milliseconds
        default: break
        }
        throw malformed
    }

    private func timestamp(_ json: JSON) throws(ExtendedJSONError) -> Value {
        guard let (seconds, increment) = pair(json, "t", "i"), case .number(let t) = seconds, let t = UInt32(t),
            case .number(let i) = increment, let i = UInt32(i)
        else { throw malformed }
        var buffer = ByteBuffer()
        buffer.writeInteger(UInt64(t) << 32 | UInt64(i), endianness: .little)
        return Value(type: .timestamp, buffer: buffer)
    }

    private func binary(_ json: JSON) throws(ExtendedJSONError) -> Value {
        guard let (data, type) = pair(json, "base64", "subType"), case .string(let text) = data,
            case .string(let subtype) = type, let subtype = UInt8(subtype, radix: 16), let data = Base64.decode(text)
        else { throw malformed }
        return .binary(data, subtype: subtype)
    }

    private func regex(_ json: JSON) throws(ExtendedJSONError) -> Value {
        guard let (pattern, options) = pair(json, "pattern", "options"), case .string(let pattern) = pattern,
            case .string(let options) = options
        else { throw malformed }
        try checkCString(pattern)
        try checkCString(options)
        var buffer = ByteBuffer()
        buffer.writeNullTerminatedString(pattern)
        buffer.writeNullTerminatedString(sortedOptions(options))
        return Value(type: .regex, buffer: buffer)
    }

    private func code(_ json: JSON, scope: JSON?) throws(ExtendedJSONError) -> Value {
        guard case .string(let text) = json else { throw malformed }
        let code = Value.string(text).buffer
        guard let scope else { return Value(type: .javascript, buffer: code) }
        guard case .object(let members) = scope else { throw malformed }
        var builder = DocumentBuilder()
        try builder.append(members: members)
        let document = builder.finish()
        var buffer = ByteBuffer()
        buffer.writeInteger(Int32(truncatingIfNeeded: 4 + code.readableBytes + document.count), endianness: .little)
        buffer.writeImmutableBuffer(code)
        buffer.writeImmutableBuffer(document.buffer)
        return Value(type: .javascriptWithScope, buffer: buffer)
    }

    private func dbPointer(_ json: JSON) throws(ExtendedJSONError) -> Value {
        guard let (name, id) = pair(json, "$ref", "$id"), case .string(let name) = name,
            case .object(let members) = id, members.count == 1, members[0].name == Wrapper.objectID.rawValue,
            case .string(let hex) = members[0].value, let id = hexDecoded(hex, count: 12)
        else { throw malformed }
        var buffer = Value.string(name).buffer
        buffer.writeBytes(id)
        return Value(type: .dbPointer, buffer: buffer)
    }

    /// The two values of an object that has just these two names.
    private func pair(_ json: JSON, _ first: String, _ second: String) -> (JSON, JSON)? {
        guard case .object(let members) = json, members.count == 2 else { return nil }
        guard let one = members.first(where: { $0.name == first }),
            let two = members.first(where: { $0.name == second })
        else { return nil }
        return (one.value, two.value)
    }
}

extension Value {
    /// - Parameter subtype: 0 generic, 4 UUID, 5 MD5; the old 2 gets the inner length it demands.
    package static func binary(_ data: [UInt8], subtype: UInt8) -> Value {
        let isOld = subtype == 2
        var buffer = ByteBuffer()
        buffer.writeInteger(Int32(truncatingIfNeeded: data.count + (isOld ? 4 : 0)), endianness: .little)
        buffer.writeInteger(subtype)
        if isOld { buffer.writeInteger(Int32(truncatingIfNeeded: data.count), endianness: .little) }
        buffer.writeBytes(data)
        return Value(type: .binary, buffer: buffer)
    }
}

/// The bytes that `text` spells in hexadecimal, if there are `count` of them.
package func hexDecoded(_ text: String, count: Int) -> [UInt8]? {
    let digits = Array(text.utf8)
    guard digits.count == count * 2 else { return nil }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    for index in stride(from: 0, to: digits.count, by: 2) {
        guard let high = nibble(digits[index]), let low = nibble(digits[index + 1]) else { return nil }
        bytes.append(high << 4 | low)
    }
    return bytes
}

/// The value of a hexadecimal digit.
func nibble(_ digit: UInt8) -> UInt8? {
    switch digit {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - 48
    case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - 87
    case UInt8(ascii: "A")...UInt8(ascii: "F"): digit - 55
    default: nil
    }
}
