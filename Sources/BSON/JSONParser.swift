/// A parsed JSON text. Members keep their order, and names may repeat, as in BSON.
indirect enum JSON {
    case null
    case bool(Bool)
    /// As it was spelled: its type is decided by who reads it.
    case number(String)
    case string(String)
    case array([JSON])
    case object([Member])

    struct Member {
        let name: String
        let value: JSON
    }
}

/// A strict parser of JSON (RFC 8259) with bounded depth.
struct JSONParser {
    private let bytes: [UInt8]
    private var offset = 0
    private var depth = 0

    init(_ text: String) { bytes = Array(text.utf8) }

    /// One value and nothing behind it.
    mutating func document() throws(ExtendedJSONError) -> JSON {
        let json = try value()
        skipSpace()
        guard offset == bytes.count else { throw error("unexpected text after the value") }
        return json
    }

    /// A level of documents is one of JSON, and the innermost value may add two: `{"$date":{"$numberLong":…}}`.
    private static let depthMax = RawDocument.depthMax + 2

    private mutating func value() throws(ExtendedJSONError) -> JSON {
        skipSpace()
        switch current {
        case UInt8(ascii: "{"): return .object(try nested { parser throws(ExtendedJSONError) in try parser.members() })
        case UInt8(ascii: "["): return .array(try nested { parser throws(ExtendedJSONError) in try parser.items() })
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func nested<R>(
        _ body: (inout Self) throws(ExtendedJSONError) -> R
    ) throws(ExtendedJSONError) -> R {
        guard depth < Self.depthMax else { throw error("nested too deeply") }
        depth += 1
        offset += 1
        let result = try body(&self)
        depth -= 1
        return result
    }

    private mutating func members() throws(ExtendedJSONError) -> [JSON.Member] {
        var members: [JSON.Member] = []
        while try !ends(with: "}", isFirst: members.isEmpty) {
            skipSpace()
            let name = try string()
            skipSpace()
            try take(":")
            members.append(JSON.Member(name: name, value: try value()))
        }
        return members
    }

    private mutating func items() throws(ExtendedJSONError) -> [JSON] {
        var items: [JSON] = []
        while try !ends(with: "]", isFirst: items.isEmpty) { items.append(try value()) }
        return items
    }

    /// Takes the closing bracket, or else the comma that must stand before every value but the first.
    private mutating func ends(with bracket: Unicode.Scalar, isFirst: Bool) throws(ExtendedJSONError) -> Bool {
        skipSpace()
        if current == UInt8(ascii: bracket) {
            offset += 1
            return true
        }
        if !isFirst { try take(",") }
        return false
    }
}

// Tokens.
extension JSONParser {
    private var current: UInt8? { offset < bytes.count ? bytes[offset] : nil }

    private func error(_ what: String) -> ExtendedJSONError {
        ExtendedJSONError("malformed JSON at offset \(offset): \(what)")
    }

    private mutating func skipSpace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) throws(ExtendedJSONError) {
        guard current == UInt8(ascii: character) else { throw error("expected '\(character)'") }
        offset += 1
    }

    private mutating func word(_ word: String, _ json: JSON) throws(ExtendedJSONError) -> JSON {
        guard bytes[offset...].starts(with: word.utf8) else { throw error("unknown word") }
        offset += word.utf8.count
        return json
    }

    /// `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`
    private mutating func number() throws(ExtendedJSONError) -> String {
        let start = offset
        if current == UInt8(ascii: "-") { offset += 1 }
        let leading = current
        let whole = skipDigits()
        guard whole > 0, whole == 1 || leading != UInt8(ascii: "0") else { throw error("expected a value") }
        if current == UInt8(ascii: ".") {
            offset += 1
            guard skipDigits() > 0 else { throw error("expected digits") }
        }
        if let byte = current, byte | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { offset += 1 }
            guard skipDigits() > 0 else { throw error("expected digits") }
        }
        return String(decoding: bytes[start..<offset], as: UTF8.self)
    }

    private mutating func skipDigits() -> Int {
        let start = offset
        while let byte = current, byte >= 48, byte <= 57 { offset += 1 }
        return offset - start
    }

    private mutating func string() throws(ExtendedJSONError) -> String {
        try take("\"")
        var text: [UInt8] = []
        while let byte = current {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(into: &text)
            case 0..<0x20: throw error("control character in a string")
            default: text.append(byte)
            }
        }
        throw error("unterminated string")
    }

    private mutating func escape(into text: inout [UInt8]) throws(ExtendedJSONError) {
        guard let byte = current else { throw error("unterminated string") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "u"): text.append(contentsOf: UTF8.encode(try scalar()).map(Array.init) ?? [])
        default: throw error("unknown escape")
        }
    }

    /// One `\uXXXX`, or two that are a surrogate pair.
    private mutating func scalar() throws(ExtendedJSONError) -> Unicode.Scalar {
        let first = try codeUnit()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00, bytes[offset...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) else {
            throw error("lone surrogate")
        }
        offset += 2
        let second = try codeUnit()
        guard second >= 0xDC00, second < 0xE000,
            let scalar = Unicode.Scalar(0x1_0000 + (first - 0xD800) << 10 + (second - 0xDC00))
        else { throw error("lone surrogate") }
        return scalar
    }

    private mutating func codeUnit() throws(ExtendedJSONError) -> UInt32 {
        guard bytes.count - offset >= 4 else { throw error("expected four hexadecimal digits") }
        var unit: UInt32 = 0
        for byte in bytes[offset..<offset + 4] {
            guard let nibble = nibble(byte) else { throw error("expected four hexadecimal digits") }
            unit = unit << 4 | UInt32(nibble)
        }
        offset += 4
        return unit
    }
}
