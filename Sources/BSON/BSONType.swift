/// The element types of BSON, by their byte on the wire.
///
/// Source: https://bsonspec.org/spec.html
@usableFromInline
package enum BSONType: UInt8, Sendable, Hashable {
    case double = 0x01
    case string = 0x02
    case document = 0x03
    case array = 0x04
    case binary = 0x05
    case undefined = 0x06
    case objectID = 0x07
    case bool = 0x08
    case date = 0x09
    case null = 0x0A
    case regex = 0x0B
    case dbPointer = 0x0C
    case javascript = 0x0D
    case symbol = 0x0E
    case javascriptWithScope = 0x0F
    case int32 = 0x10
    case timestamp = 0x11
    case int64 = 0x12
    case decimal128 = 0x13
    case maxKey = 0x7F
    case minKey = 0xFF

    /// The name that MongoDB uses in error messages and that `$type` accepts as an alias.
    package var alias: StaticString {
        switch self {
        case .double: "double"
        case .string: "string"
        case .document: "object"
        case .array: "array"
        case .binary: "binData"
        case .undefined: "undefined"
        case .objectID: "objectId"
        case .bool: "bool"
        case .date: "date"
        case .null: "null"
        case .regex: "regex"
        case .dbPointer: "dbPointer"
        case .javascript: "javascript"
        case .symbol: "symbol"
        case .javascriptWithScope: "javascriptWithScope"
        case .int32: "int"
        case .timestamp: "timestamp"
        case .int64: "long"
        case .decimal128: "decimal"
        case .maxKey: "maxKey"
        case .minKey: "minKey"
        }
    }

    @inlinable
    package var isNumber: Bool {
        switch self {
        case .double, .int32, .int64, .decimal128: true
        default: false
        }
    }

    /// The length in bytes of the value of this type that starts at `start`, or nil when it does not fit into
    /// `available` bytes. Checks lengths only, not what is inside.
    @inline(__always)
    package func payloadLength(at start: UnsafeRawPointer, available: Int) -> Int? {
        let length: Int
        switch self {
        case .null, .undefined, .maxKey, .minKey: length = 0
        case .bool: length = 1
        case .int32: length = 4
        case .double, .date, .timestamp, .int64: length = 8
        case .objectID: length = 12
        case .decimal128: length = 16
        case .string, .javascript, .symbol:
            guard available >= 5, let count = Self.length(at: start, minimum: 1) else { return nil }
            length = 4 + count
        case .document, .array:
            guard available >= 5, let count = Self.length(at: start, minimum: 5) else { return nil }
            length = count
        case .javascriptWithScope:
            guard available >= 14, let count = Self.length(at: start, minimum: 14) else { return nil }
            length = count
        case .binary:
            guard available >= 5, let count = Self.length(at: start, minimum: 0) else { return nil }
            length = 5 + count
        case .dbPointer:
            guard available >= 17, let count = Self.length(at: start, minimum: 1) else { return nil }
            length = 4 + count + 12
        case .regex:
            guard let pattern = cStringLength(start, available) else { return nil }
            guard let options = cStringLength(start + pattern + 1, available - pattern - 1) else { return nil }
            length = pattern + options + 2
        }
        return length <= available ? length : nil
    }

    @inline(__always)
    private static func length(at start: UnsafeRawPointer, minimum: Int) -> Int? {
        let count = Int(Int32(littleEndian: start.loadUnaligned(as: Int32.self)))
        return count >= minimum ? count : nil
    }
}
