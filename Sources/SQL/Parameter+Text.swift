internal import NIOCore

extension Parameter {
    /// Bytes of a value that are shown; of what is longer the beginning is.
    private static let shownBytesMax = 256

    /// For people to read: numbers and texts as they are, bytes as PostgreSQL writes them.
    package var shown: String {
        switch self {
        case .null: "NULL"
        case .bool(let value): String(value)
        case .int4(let value): String(value)
        case .int8(let value): String(value)
        case .float8(let value): String(value)
        case .xid(let value): String(value)
        case .text(let text), .json(let text), .jsonb(let text): Self.cut(text)
        case .bytea(let buffer): Self.hex(buffer.readableBytesView)
        case .bytes(let bytes): Self.hex(bytes)
        case .boolArray(let values): Self.list(values) { String($0) }
        case .int4Array(let values): Self.list(values) { String($0) }
        case .int8Array(let values): Self.list(values) { String($0) }
        case .xidArray(let values): Self.list(values) { String($0) }
        case .textArray(let values): Self.list(values, Self.cut)
        case .byteaArray(let values): Self.list(values) { Self.hex($0.readableBytesView) }
        case .nullableByteaArray(let values): Self.list(values) { $0.map { Self.hex($0.readableBytesView) } ?? "NULL" }
        case .bytesArray(let values): Self.list(values) { Self.hex($0) }
        }
    }

    private static let shownElementsMax = 20

    private static func list<T>(_ values: [T], _ show: (T) -> String) -> String {
        let more = values.count > shownElementsMax ? ",… \(values.count)" : ""
        return "{" + values.prefix(shownElementsMax).map(show).joined(separator: ",") + more + "}"
    }

    private static func cut(_ text: String) -> String {
        text.utf8.count <= shownBytesMax ? text : String(text.prefix(shownBytesMax)) + "…"
    }

    private static func hex(_ bytes: some Collection<UInt8>) -> String {
        var text = "\\x"
        for byte in bytes.prefix(shownBytesMax) {
            if byte < 16 { text += "0" }
            text += String(byte, radix: 16)
        }
        return bytes.count > shownBytesMax ? text + "…" : text
    }
}
