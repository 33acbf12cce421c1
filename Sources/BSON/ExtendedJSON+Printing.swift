/// Writes extended JSON without insignificant white space.
struct ExtendedJSONPrinter {
    private var output: [UInt8] = []
    private let mode: ExtendedJSONMode
    private var depth = 0

    init(_ mode: ExtendedJSONMode) { self.mode = mode }

    var text: String { String(decoding: output, as: UTF8.self) }

    mutating func write(document: RawDocument) {
        writeContainer("{", "}", document) { printer, element in
            printer.write(quoted: element.key.bytes)
            printer.write(":")
            printer.write(element.value)
        }
    }

    private mutating func write(array: RawDocument) {
        writeContainer("[", "]", array) { $0.write($1.value) }
    }

    private mutating func writeContainer(
        _ opening: StaticString, _ closing: StaticString, _ container: RawDocument,
        _ each: (inout Self, RawElement) -> Void
    ) {
        write(opening)
        depth += 1
        // Deeper than any validated document: bytes from elsewhere are cut rather than followed.
        if depth <= RawDocument.depthMax {
            var isFirst = true
            for element in container {
                if !isFirst { write(",") }
                isFirst = false
                each(&self, element)
            }
        }
        depth -= 1
        write(closing)
    }

    mutating func write(_ value: RawValue) {
        switch value.type {
        case .document: write(document: value.fields)
        case .array: write(array: value.fields)
        case .string: write(quoted: value.text)
        case .null: write("null")
        case .bool: write(value.bool == true ? "true" : "false")
        case .int32, .int64, .double, .decimal128: if let number = value.number { write(number) }
        case .date: write(date: value.load(Int64.self, at: 0))
        case .objectID: write("$oid", hexEncoded(value.bytes))
        default: writeRare(value)
        }
    }

    private mutating func writeRare(_ value: RawValue) {
        switch value.type {
        case .symbol: wrap("$symbol") { $0.write(quoted: value.text) }
        case .javascript: wrap("$code") { $0.write(quoted: value.text) }
        case .javascriptWithScope: write(codeWithScope: value)
        case .undefined: write("{\"$undefined\":true}")
        case .minKey: write("{\"$minKey\":1}")
        case .maxKey: write("{\"$maxKey\":1}")
        case .timestamp:
            let halves = value.load(UInt64.self, at: 0)
            write(string: "{\"$timestamp\":{\"t\":\(halves >> 32),\"i\":\(halves & 0xFFFF_FFFF)}}")
        case .binary: write(binary: value)
        case .regex: write(regex: value)
        case .dbPointer: write(dbPointer: value)
        default: write("null")
        }
    }

    private mutating func write(_ number: Number) {
        let isPlain = mode == .relaxed && number.isFinite
        switch number {
        case .int32(let value): isPlain ? write(string: String(value)) : write("$numberInt", String(value))
        case .int64(let value): isPlain ? write(string: String(value)) : write("$numberLong", String(value))
        case .double(let value): isPlain ? write(string: spell(value)) : write("$numberDouble", spell(value))
        case .decimal(let value): write("$numberDecimal", value.description)
        }
    }

    /// The shortest digits that read back as the same double.
    private func spell(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        return value.description
    }

    private mutating func write(date milliseconds: Int64) {
        wrap("$date") { printer in
            if printer.mode == .relaxed, let text = ISODate.text(milliseconds) {
                printer.write(string: "\"\(text)\"")
            } else {
                printer.write("$numberLong", String(milliseconds))
            }
        }
    }

    private mutating func write(binary value: RawValue) {
        guard let (subtype, content) = value.binary else { return write("null") }
        let data = subtype == 2 && content.count >= 4 ? UnsafeRawBufferPointer(rebasing: content[4...]) : content
        let type = withUnsafeBytes(of: subtype, hexEncoded)
        write(string: "{\"$binary\":{\"base64\":\"\(Base64.encode(data))\",\"subType\":\"\(type)\"}}")
    }

    private mutating func write(regex value: RawValue) {
        guard let (pattern, options) = value.regex else { return write("null") }
        write("{\"$regularExpression\":{\"pattern\":")
        write(quoted: pattern)
        write(",\"options\":")
        var sorted = sortedOptions(String(decoding: options, as: UTF8.self))
        sorted.withUTF8 { write(quoted: UnsafeRawBufferPointer($0)) }
        write("}}")
    }

    private mutating func write(dbPointer value: RawValue) {
        guard value.count >= 17 else { return write("null") }
        write("{\"$dbPointer\":{\"$ref\":")
        write(quoted: value.slice(4, value.count - 17))
        write(",\"$id\":")
        write("$oid", hexEncoded(value.slice(value.count - 12, 12)))
        write("}}")
    }

    private mutating func write(codeWithScope value: RawValue) {
        guard let (code, scope) = value.codeWithScope else { return write("null") }
        write("{\"$code\":")
        write(quoted: code)
        write(",\"$scope\":")
        write(document: scope)
        write("}")
    }
}

// The pieces of JSON.
extension ExtendedJSONPrinter {
    private mutating func write(_ literal: StaticString) {
        output.append(contentsOf: UnsafeBufferPointer(start: literal.utf8Start, count: literal.utf8CodeUnitCount))
    }

    private mutating func write(string: String) { output.append(contentsOf: string.utf8) }

    /// `{"key":…}`
    private mutating func wrap(_ key: StaticString, _ body: (inout Self) -> Void) {
        write("{\"")
        write(key)
        write("\":")
        body(&self)
        write("}")
    }

    /// `{"key":"text"}`, for a text that needs no escapes.
    private mutating func write(_ key: StaticString, _ text: String) {
        wrap(key) { $0.write(string: "\"\(text)\"") }
    }

    private mutating func write(quoted text: UnsafeRawBufferPointer) {
        output.append(UInt8(ascii: "\""))
        for byte in text { write(escaping: byte) }
        output.append(UInt8(ascii: "\""))
    }

    private mutating func write(escaping byte: UInt8) {
        switch byte {
        case UInt8(ascii: "\""): write("\\\"")
        case UInt8(ascii: "\\"): write("\\\\")
        case 0x08: write("\\b")
        case 0x09: write("\\t")
        case 0x0A: write("\\n")
        case 0x0C: write("\\f")
        case 0x0D: write("\\r")
        case 0..<0x20, 0x7F: write(string: "\\u00" + withUnsafeBytes(of: byte, hexEncoded))
        default: output.append(byte)
        }
    }
}

/// Options of a regular expression in the order that BSON wants. By scalar: bytes or characters would not keep the text
/// well-formed, or not keep the order.
func sortedOptions(_ options: String) -> String {
    String(String.UnicodeScalarView(options.unicodeScalars.sorted()))
}
