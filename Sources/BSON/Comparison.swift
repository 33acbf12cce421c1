#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

extension BSONType {
    /// The place of a value's type in the order of all values; types of one rank compare by value.
    ///
    /// Source: https://www.mongodb.com/docs/manual/reference/bson-type-comparison-order/
    @inlinable
    package var canonicalTypeRank: UInt8 {
        switch self {
        case .minKey: 1
        case .undefined: 2
        case .null: 3
        case .int32, .int64, .double, .decimal128: 4
        case .string, .symbol: 5
        case .document: 6
        case .array: 7
        case .binary: 8
        case .objectID: 9
        case .bool: 10
        case .date: 11
        case .timestamp: 12
        case .regex: 13
        case .dbPointer: 14
        case .javascript: 15
        case .javascriptWithScope: 16
        case .maxKey: 17
        }
    }
}

// The total order of BSON values. `KeyEncoder` repeats this order in bytes; a property test holds the two together.
extension RawValue {
    /// Negative, zero or positive, as `self` comes before, with or after `other`.
    @inline(__always)
    package func compare(to other: RawValue) -> Int { compare(to: other, depth: 0, ByteOrder()) }

    /// The same with another order of text, also of that within documents and arrays. Field names stay bytes.
    package func compare(to other: RawValue, by order: some TextOrder) -> Int {
        compare(to: other, depth: 0, order)
    }

    // Generic, so that for bytes nothing is passed and nothing is asked.
    fileprivate func compare<Order: TextOrder>(to other: RawValue, depth: Int, _ strings: Order) -> Int {
        if let left = number, let right = other.number { return left.compare(to: right) }
        let ranks = order(type.canonicalTypeRank, other.type.canonicalTypeRank)
        return ranks != 0 ? ranks : compareSameRank(other, depth, strings)
    }

    private func compareSameRank<Order: TextOrder>(_ other: RawValue, _ depth: Int, _ strings: Order) -> Int {
        switch type {
        case .minKey, .maxKey, .undefined, .null, .int32, .int64, .double, .decimal128: 0
        case .string, .symbol: strings.compare(text, other.text)
        case .javascript: orderBytes(text, other.text)
        case .document: fields.compare(to: other.fields, depth: depth + 1, strings)
        case .array: fields.compareArray(to: other.fields, depth: depth + 1, strings)
        case .binary: compareBinary(other)
        case .objectID: memcmpOrder(start, other.start, 12)
        case .bool: order(start.load(as: UInt8.self), other.start.load(as: UInt8.self))
        case .date: order(load(Int64.self, at: 0), other.load(Int64.self, at: 0))
        case .timestamp: order(load(UInt64.self, at: 0), other.load(UInt64.self, at: 0))
        case .regex: compareRegex(other)
        case .dbPointer: compareLengthFirst(other)
        case .javascriptWithScope: compareScoped(other, depth, strings)
        }
    }

    /// The length is compared before subtype and content: a longer value is greater, whatever it holds.
    private func compareBinary(_ other: RawValue) -> Int {
        guard let left = binary, let right = other.binary else { return 0 }
        if left.data.count != right.data.count { return order(left.data.count, right.data.count) }
        if left.subtype != right.subtype { return order(left.subtype, right.subtype) }
        return orderBytes(left.data, right.data)
    }

    private func compareRegex(_ other: RawValue) -> Int {
        guard let left = regex, let right = other.regex else { return 0 }
        let patterns = orderBytes(left.pattern, right.pattern)
        return patterns != 0 ? patterns : orderBytes(left.options, right.options)
    }

    private func compareLengthFirst(_ other: RawValue) -> Int {
        count != other.count ? order(count, other.count) : orderBytes(bytes, other.bytes)
    }

    private func compareScoped<Order: TextOrder>(_ other: RawValue, _ depth: Int, _ strings: Order) -> Int {
        guard let left = codeWithScope, let right = other.codeWithScope else { return 0 }
        let codes = orderBytes(left.code, right.code)
        return codes != 0 ? codes : left.scope.compare(to: right.scope, depth: depth + 1, strings)
    }
}

// What comparison and key encoding read; empty when bytes that nobody validated do not hold it.
extension RawValue {
    /// Of a string, symbol or code.
    @inline(__always)
    var text: UnsafeRawBufferPointer { stringBytes ?? UnsafeRawBufferPointer(start: nil, count: 0) }

    /// Of a document or array.
    @inline(__always)
    var fields: RawDocument {
        RawDocument(bytes) ?? RawDocument(unchecked: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// Code (without length and NUL) and scope of JavaScript with scope.
    package var codeWithScope: (code: UnsafeRawBufferPointer, scope: RawDocument)? {
        guard type == .javascriptWithScope, count >= 14 else { return nil }
        let length = Int(load(Int32.self, at: 4))
        guard length >= 1, length <= count - 13 else { return nil }
        guard let scope = RawDocument(slice(8 + length, count - 8 - length)) else { return nil }
        return (slice(8, length - 1), scope)
    }
}

extension RawDocument {
    /// How deeply documents and arrays may nest, the outermost counted: 200 levels below it, as in MongoDB. What
    /// ``validate(_:)`` lets pass respects it; everything that recurses over values stops there, so that no bytes can
    /// exhaust the stack.
    package static let depthMax = 201

    /// Element by element: type, then name, then value; of two with a common beginning the shorter one comes first.
    package func compare(to other: RawDocument) -> Int { compare(to: other, depth: 1, ByteOrder()) }

    /// As ``compare(to:)`` but without the names, which in an array carry nothing.
    package func compareArray(to other: RawDocument) -> Int { compareArray(to: other, depth: 1, ByteOrder()) }

    fileprivate func compare<Order: TextOrder>(to other: RawDocument, depth: Int, _ strings: Order) -> Int {
        guard depth <= Self.depthMax else { return 0 }
        var mine = makeIterator()
        var others = other.makeIterator()
        while let left = mine.next() {
            guard let right = others.next() else { return 1 }
            let ranks = order(left.value.type.canonicalTypeRank, right.value.type.canonicalTypeRank)
            if ranks != 0 { return ranks }
            let names = orderBytes(left.key.bytes, right.key.bytes)
            if names != 0 { return names }
            let values = left.value.compare(to: right.value, depth: depth, strings)
            if values != 0 { return values }
        }
        return others.next() == nil ? 0 : -1
    }

    fileprivate func compareArray<Order: TextOrder>(to other: RawDocument, depth: Int, _ strings: Order) -> Int {
        guard depth <= Self.depthMax else { return 0 }
        var mine = makeIterator()
        var others = other.makeIterator()
        while let left = mine.next() {
            guard let right = others.next() else { return 1 }
            let values = left.value.compare(to: right.value, depth: depth, strings)
            if values != 0 { return values }
        }
        return others.next() == nil ? 0 : -1
    }
}

/// Bytewise, unsigned; of two with a common beginning the shorter one first.
@inline(__always)
func orderBytes(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
    guard let first = left.baseAddress, let second = right.baseAddress else { return order(left.count, right.count) }
    let common = memcmpOrder(first, second, min(left.count, right.count))
    return common != 0 ? common : order(left.count, right.count)
}

@inline(__always)
private func memcmpOrder(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ count: Int) -> Int {
    Int(memcmp(left, right, count))
}
