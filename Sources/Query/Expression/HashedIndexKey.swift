internal import BSON

/// The number by which a hashed index of MongoDB holds a value: the first half of an MD5 over a seed and the value, in
/// which numbers count as the integers they truncate to.
enum HashedIndexKey {
    static func of(_ value: RawValue?) -> Int64 {
        var digest = MD5()
        digest.append(Int32(0))
        guard let value else {
            // What is not there is hashed as null.
            digest.append(canonicalType(.null))
            return digest.finish()
        }
        add(value, named: nil, 0, to: &digest)
        return digest.finish()
    }

    /// Under a collation texts that it makes no difference between have one hash.
    static func of(_ value: RawValue?, collator: Collator?) -> Int64 {
        guard let collator, let value, value.holdsText else { return of(value) }
        var digest = MD5()
        KeyEncoder.encode(value, by: collator).withUnsafeBytes { digest.append($0) }
        return digest.finish()
    }

    /// The recursion is as deep as documents nest.
    private static func add(_ value: RawValue, named key: RawKey?, _ depth: Int, to digest: inout MD5) {
        guard depth <= RawDocument.depthMax else { return }
        digest.append(canonicalType(value.type))
        if let key {
            digest.append(key.bytes)
            digest.append(UInt8(0))
        }
        if let number = value.number {
            digest.append(integer(number))
        } else if let document = value.container {
            add(document, depth, to: &digest)
        } else if let (code, scope) = value.codeWithScope {
            digest.append(code)
            digest.append(UInt8(0))
            add(scope, depth, to: &digest)
        } else {
            digest.append(value.bytes)
        }
    }

    private static func add(_ document: RawDocument, _ depth: Int, to digest: inout MD5) {
        for element in document { add(element.value, named: element.key, depth + 1, to: &digest) }
        // The end of the document counts as an element without name.
        digest.append(Int32(0))
        digest.append(UInt8(0))
    }

    private static func integer(_ number: Number) -> Int64 {
        if number.isNaN { return 0 }
        return number.asInt64Truncated ?? (number.asDouble < 0 ? .min : .max)
    }

    private static func canonicalType(_ type: BSONType) -> Int32 {
        switch type {
        case .minKey: -1
        case .undefined: 0
        case .null: 5
        case .int32, .int64, .double, .decimal128: 10
        case .string, .symbol: 15
        case .document: 20
        case .array: 25
        case .binary: 30
        case .objectID: 35
        case .bool: 40
        case .date: 45
        case .timestamp: 47
        case .regex: 50
        case .dbPointer: 55
        case .javascript: 60
        case .javascriptWithScope: 65
        case .maxKey: 127
        }
    }
}
