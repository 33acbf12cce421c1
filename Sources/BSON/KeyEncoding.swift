package import NIOCore

// # Keys: BSON's order as bytes
//
// PostgreSQL's `bytea` compares bytewise. A key is a value (or several, for a compound index) written so that this
// comparison gives the order of `RawValue.compare(to:)`:
//
// - **bytes(a) < bytes(b) exactly when a < b**, and the bytes are equal exactly when a and b compare equal. A unique
//   constraint on the key therefore knows that 1, 1.0 and NumberLong(1) are one `_id`.
// - **No key is the beginning of another one.** So fields are simply concatenated, and all keys with a given first
//   field are those that begin with its bytes.
// - A **descending** field is the same bytes complemented, which turns its order and leaves it free of prefixes.
//
// Keys are stored: a change to anything below makes existing databases unreadable. `KeyEncodingGoldenTests` pins the
// bytes. A key cannot be turned back into its value (1 and 1.0 are the same), nor need it be: the document is at hand.
//
// ## Layout
//
// One byte names the type (`Tag`), in the order of types and with gaps between. Then, by type:
//
//     minKey undefined null maxKey true false    nothing
//     string symbol code     the text with 00 → 01 01 and 01 → 01 02, then 00
//     document               for each element its type's rank, its name, 00, its value's key; then 00
//     array                  for each element its value's key; then 00
//     binary                 length (4 bytes), subtype, content
//     objectId               the 12 bytes
//     date                   8 bytes, sign bit turned
//     timestamp              8 bytes
//     regex                  pattern, 00, options, 00
//     dbPointer              length (4 bytes), name, 00, the 12 bytes
//     code with scope        as code, then as document without its tag
//
// Under a collation the text of strings and symbols, wherever it stands, is the collator's sort key, which ends with
// its only 00, too. Which collation a key was made under is not in the key; the catalog knows it.
//
// All integers are big endian. The escape costs nothing for text without control characters, and unlike the customary
// 00 → 00 FF it keeps 00 for the end alone: the key of "a" does not begin the key of "a\0". The rank before an
// element's name is there because documents compare type before name before value.
//
// ## Numbers
//
// Four types share one order, and it is exact: the double 0.1 is the fraction 0.1000000000000000055511151231257827…,
// which is more than Decimal("0.1"), and 2^53 + 1 as an int64 is no double at all. Writing all of them as decimal
// digits would be exact but makes most doubles 25 bytes and more. Writing them as binary fractions does not end for
// decimals. So the key of a finite number v ≠ 0 goes from coarse to fine, and ends as soon as v is told exactly:
//
// 1. the tag: sign, and the range of |v|: below 1, from 2^63 up, or else how many bytes part 2 has;
// 2. for 1 ≤ |v| < 2^63: the integer part, shifted left by one, plus 1 if there is a fraction, in as few bytes as it
//    takes;
// 3. if there is a fraction or part 2 is missing: the double next to |v| toward zero, its bits shifted left by one
//    (there is no sign), plus 1 if that is not all of |v|;
// 4. if it is not all, which only a decimal can bring about: the exponent of the first decimal digit (2 bytes), and the
//    digits in pairs p without trailing zeros, each as 2p + 1, the last one as 2p.
//
// Each part is a monotonic function of |v| within equal earlier parts, and depends on nothing but |v|. For negative
// numbers the parts (not the tag) are complemented. 5 takes 2 bytes, 300 takes 3, a double with a fraction 10 or so,
// Decimal("12.34") 14.
//
// Rejected: the nearest double first and the rest as a second column (ties depend on the reader), a normal form of
// scaled integers (exponents of ±6000 make numbers of thousands of digits).

/// Writes keys. See the top of this file for what they are.
package struct KeyEncoder {
    package var bytes: [UInt8]

    package init() {
        bytes = []
    }

    package init(reserving count: Int) {
        bytes = []
        bytes.reserveCapacity(count)
    }

    /// Appends the key of one field's value.
    @inline(__always)
    package mutating func append(_ value: RawValue, descending: Bool = false) {
        let start = bytes.count
        append(value, depth: 0, ByteOrder())
        if descending { complement(from: start) }
    }

    /// The same with another order of text. Where there is no text the key is the same as without.
    package mutating func append(_ value: RawValue, descending: Bool = false, by order: some TextOrder) {
        let start = bytes.count
        append(value, depth: 0, order)
        if descending { complement(from: start) }
    }

    /// A field that is not there sorts as null and is found by `{field: null}`: an index gives both the same key.
    package mutating func appendMissing(descending: Bool = false) {
        bytes.append(descending ? ~Tag.null : Tag.null)
    }

    /// The key of a single value: that of `_id`, or of an index with one field.
    package static func encode(_ value: RawValue) -> [UInt8] {
        var encoder = KeyEncoder(reserving: estimate(value))
        encoder.append(value)
        return encoder.bytes
    }

    package static func encode(_ value: RawValue, by order: some TextOrder) -> [UInt8] {
        var encoder = KeyEncoder(reserving: estimate(value))
        encoder.append(value, by: order)
        return encoder.bytes
    }

    package static func encode(_ value: RawValue) -> ByteBuffer {
        ByteBuffer(bytes: encode(value) as [UInt8])
    }

    package static func encode(_ value: Value) -> ByteBuffer {
        value.withRaw { encode($0) }
    }

    /// Enough for most values, so that a key takes one allocation.
    private static func estimate(_ value: RawValue) -> Int {
        value.type == .document ? value.count + value.count / 2 : value.count + 8
    }
}

/// The first byte of each value's key. Never 00 (which ends a document or array) nor FF, so that neither a tag nor its
/// complement collides with a bound made of those.
enum Tag {
    static let minKey: UInt8 = 0x08
    static let undefined: UInt8 = 0x0C
    static let null: UInt8 = 0x10
    // 0x20 … 0x37 are numbers, see NumberTag.
    static let string: UInt8 = 0x50
    static let document: UInt8 = 0x58
    static let array: UInt8 = 0x60
    static let binary: UInt8 = 0x68
    static let objectID: UInt8 = 0x70
    static let `false`: UInt8 = 0x78
    static let `true`: UInt8 = 0x79
    static let date: UInt8 = 0x80
    static let timestamp: UInt8 = 0x88
    static let regex: UInt8 = 0x90
    static let dbPointer: UInt8 = 0x98
    static let javascript: UInt8 = 0xA0
    static let javascriptWithScope: UInt8 = 0xA8
    static let maxKey: UInt8 = 0xF0
    /// After the last element of a document or array.
    static let end: UInt8 = 0x00
}

extension KeyEncoder {
    private mutating func append<Order: TextOrder>(_ value: RawValue, depth: Int, _ strings: Order) {
        switch value.type {
        case .int32: append(integer: Int64(value.load(Int32.self, at: 0)))
        case .int64: append(integer: value.load(Int64.self, at: 0))
        case .double: append(double: Double(bitPattern: value.load(UInt64.self, at: 0)))
        case .decimal128: append(decimal: value.decimal ?? .nan)
        case .objectID: append(Tag.objectID, value.bytes)
        case .string, .symbol: append(Tag.string, value.text, strings)
        case .document: append(document: value.fields, depth: depth, strings)
        case .array: append(array: value.fields, depth: depth, strings)
        case .date: append(Tag.date, value.load(UInt64.self, at: 0) ^ 1 << 63)
        case .timestamp: append(Tag.timestamp, value.load(UInt64.self, at: 0))
        case .null: bytes.append(Tag.null)
        case .bool: bytes.append(value.bool == true ? Tag.true : Tag.false)
        default: appendRare(value, depth, strings)
        }
    }

    private mutating func appendRare<Order: TextOrder>(_ value: RawValue, _ depth: Int, _ strings: Order) {
        switch value.type {
        case .minKey: bytes.append(Tag.minKey)
        case .maxKey: bytes.append(Tag.maxKey)
        case .undefined: bytes.append(Tag.undefined)
        // The payload begins with the length, and then has subtype and content already in the order of comparison.
        case .binary: append(Tag.binary, lengthFirst: value)
        case .dbPointer: append(Tag.dbPointer, lengthFirst: value)
        // Two C strings with their NULs.
        case .regex: append(Tag.regex, value.bytes)
        case .javascript: append(Tag.javascript, value.text, ByteOrder())
        case .javascriptWithScope: append(codeWithScope: value, depth, strings)
        default: break
        }
    }

    private mutating func append<Order: TextOrder>(document: RawDocument, depth: Int, _ strings: Order) {
        bytes.append(Tag.document)
        appendElements(of: document, depth: depth, strings)
    }

    private mutating func appendElements<Order: TextOrder>(of document: RawDocument, depth: Int, _ strings: Order) {
        if depth < RawDocument.depthMax {
            for element in document {
                bytes.append(element.value.type.canonicalTypeRank)
                bytes.append(contentsOf: element.key.bytes)
                bytes.append(0)
                append(element.value, depth: depth + 1, strings)
            }
        }
        bytes.append(Tag.end)
    }

    private mutating func append<Order: TextOrder>(array: RawDocument, depth: Int, _ strings: Order) {
        bytes.append(Tag.array)
        if depth < RawDocument.depthMax {
            for element in array { append(element.value, depth: depth + 1, strings) }
        }
        bytes.append(Tag.end)
    }

    private mutating func append<Order: TextOrder>(codeWithScope value: RawValue, _ depth: Int, _ strings: Order) {
        guard let (code, scope) = value.codeWithScope else { return }
        append(Tag.javascriptWithScope, code, ByteOrder())
        appendElements(of: scope, depth: depth, strings)
    }

    private mutating func append(_ tag: UInt8, _ payload: UnsafeRawBufferPointer) {
        bytes.append(tag)
        bytes.append(contentsOf: payload)
    }

    private mutating func append(_ tag: UInt8, lengthFirst value: RawValue) {
        bytes.append(tag)
        append(bigEndian: UInt64(value.load(UInt32.self, at: 0)), count: 4)
        bytes.append(contentsOf: value.slice(4, value.count - 4))
    }

    private mutating func append(_ tag: UInt8, _ value: UInt64) {
        bytes.append(tag)
        append(bigEndian: value, count: 8)
    }

    private mutating func append<Order: TextOrder>(_ tag: UInt8, _ text: UnsafeRawBufferPointer, _ order: Order) {
        bytes.append(tag)
        order.appendKey(of: text, to: &bytes)
    }

    /// The low `count` bytes of `value`.
    @inline(__always)
    mutating func append(bigEndian value: UInt64, count: Int) {
        let aligned = (value << UInt64(64 - 8 * count)).bigEndian
        withUnsafeBytes(of: aligned) { bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }

    mutating func complement(from start: Int) {
        for index in start..<bytes.count { bytes[index] = ~bytes[index] }
    }
}
