package import BSON

/// Values as error messages show them: `{ _id: 1, name: "x" }`, the way the shell writes a document.
///
/// For people to read, not for machines. It is bounded whatever the value is, since it stands in a reply.
package struct ShellText {
    private static let bytesMax = 2_048
    private static let stringBytesMax = 160

    private var text = ""

    package static func of(_ document: RawDocument) -> String {
        var writer = ShellText()
        writer.append(document)
        return writer.text
    }

    package static func of(_ value: RawValue) -> String {
        var writer = ShellText()
        writer.append(value)
        return writer.text
    }

    /// Nothing is opened beyond the bound, so that the depth of nesting is bounded, too.
    private var isFull: Bool { text.utf8.count >= Self.bytesMax }

    private mutating func append(_ document: RawDocument) {
        guard !document.isEmpty else { return text += "{}" }
        text += "{ "
        var isFirst = true
        for field in document {
            if !isFirst { text += ", " }
            isFirst = false
            guard !isFull else {
                text += "…"
                break
            }
            text += "\(field.key.string.prefix(Self.stringBytesMax)): "
            append(field.value)
        }
        text += " }"
    }

    private mutating func appendArray(_ array: RawDocument) {
        guard !array.isEmpty else { return text += "[]" }
        text += "[ "
        var isFirst = true
        for element in array {
            if !isFirst { text += ", " }
            isFirst = false
            guard !isFull else {
                text += "…"
                break
            }
            append(element.value)
        }
        text += " ]"
    }

    private mutating func append(_ value: RawValue) {
        if let document = value.document { return append(document) }
        if let array = value.array { return appendArray(array) }
        if let number = value.number { return append(number) }
        text += Self.scalar(value)
    }

    private mutating func append(_ number: Number) {
        switch number {
        case .int32(let value): text += "\(value)"
        case .int64(let value): text += "\(value)"
        case .double(let value): text += value.isNaN ? "nan" : "\(value)"
        case .decimal(let value): text += value.description
        }
    }

    private static func scalar(_ value: RawValue) -> String {
        switch value.type {
        case .string, .symbol: quoted(value.stringBytes)
        case .objectID: "ObjectId('\(value.objectID?.hexString ?? "")')"
        case .bool: value.bool == true ? "true" : "false"
        case .date: "new Date(\(value.date ?? 0))"
        case .timestamp: timestamp(value.timestamp ?? 0)
        case .binary: binary(value)
        case .regex: regex(value)
        case .null: "null"
        case .undefined: "undefined"
        case .minKey: "MinKey"
        case .maxKey: "MaxKey"
        default: "\(value.type.alias)"
        }
    }

    private static func quoted(_ bytes: UnsafeRawBufferPointer?) -> String {
        guard let bytes else { return "\"\"" }
        guard bytes.count > stringBytesMax else { return "\"\(String(decoding: bytes, as: UTF8.self))\"" }
        return "\"\(String(decoding: bytes.prefix(stringBytesMax - 10), as: UTF8.self))...\""
    }

    private static func timestamp(_ value: UInt64) -> String {
        "Timestamp(\(value >> 32), \(value & 0xFFFF_FFFF))"
    }

    private static func binary(_ value: RawValue) -> String {
        guard let (subtype, data) = value.binary else { return "BinData" }
        let isUUID = subtype == 4 && data.count == 16
        let shown = data.prefix(stringBytesMax / 2)
        var hex = ""
        for (index, byte) in shown.enumerated() {
            if isUUID, [4, 6, 8, 10].contains(index) { hex += "-" }
            hex += String(byte >> 4, radix: 16, uppercase: !isUUID) + String(byte & 15, radix: 16, uppercase: !isUUID)
        }
        if isUUID { return "UUID(\"\(hex)\")" }
        return "BinData(\(subtype), \(hex)\(shown.count < data.count ? "..." : ""))"
    }

    private static func regex(_ value: RawValue) -> String {
        guard let (pattern, options) = value.regex else { return "//" }
        let shown = String(decoding: pattern.prefix(stringBytesMax), as: UTF8.self)
        return "/\(shown)/\(String(decoding: options.prefix(16), as: UTF8.self))"
    }
}
