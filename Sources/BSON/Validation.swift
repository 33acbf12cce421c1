/// Why bytes are not a BSON document. `offset` counts from the beginning of the document.
package enum BSONValidationError: Error, Hashable {
    /// A length is negative, too small, or leads beyond what encloses it.
    case invalidLength(offset: Int)
    /// A document, string or field name does not end with NUL where it must.
    case missingTerminator(offset: Int)
    case unknownType(UInt8, offset: Int)
    case invalidBool(UInt8, offset: Int)
    case invalidUTF8(offset: Int)
    case tooDeep(offset: Int)
}

extension BSONValidationError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .invalidLength(let offset): "invalid length in BSON at offset \(offset)"
        case .missingTerminator(let offset): "missing NUL in BSON at offset \(offset)"
        case .unknownType(let byte, let offset): "unrecognized BSON type \(byte) at offset \(offset)"
        case .invalidBool(let byte, let offset): "invalid BSON boolean \(byte) at offset \(offset)"
        case .invalidUTF8(let offset): "invalid UTF-8 in BSON at offset \(offset)"
        case .tooDeep(let offset): "BSON nested more than \(RawDocument.depthMax) levels deep at offset \(offset)"
        }
    }
}

extension RawDocument {
    /// Checks that `bytes` are exactly one well-formed document, down to the deepest value. After that, iteration meets
    /// no malformed element and no accessor reads beyond its value.
    package static func validate(_ bytes: UnsafeRawBufferPointer) throws(BSONValidationError) {
        guard let base = bytes.baseAddress, bytes.count >= 5 else { throw .invalidLength(offset: 0) }
        var validator = Validator(base: base)
        try validator.document(at: 0, limit: bytes.count, isWhole: true)
    }
}

/// One pass from front to back. It recurses once per level, and the level is bounded.
private struct Validator {
    let base: UnsafeRawPointer
    var depth = 0

    /// Checks the document at `start`, which may reach up to `limit` or, if it is the `whole`, must. Gives its end.
    @discardableResult
    mutating func document(at start: Int, limit: Int, isWhole: Bool = false) throws(BSONValidationError) -> Int {
        let length = try length(at: start, minimum: 5, limit: limit, counted: 0)
        let end = start + length
        guard !isWhole || end == limit else { throw .invalidLength(offset: start) }
        guard byte(end - 1) == 0 else { throw .missingTerminator(offset: end - 1) }
        guard depth < RawDocument.depthMax else { throw .tooDeep(offset: start) }
        depth += 1
        var cursor = start + 4
        while cursor < end - 1 { cursor = try element(at: cursor, limit: end - 1) }
        depth -= 1
        return end
    }

    /// Checks the element at `start` and gives where the next one begins. `limit` is where the NUL of the enclosing
    /// document lies: nothing inside may reach it.
    @inline(__always)
    private mutating func element(at start: Int, limit: Int) throws(BSONValidationError) -> Int {
        guard let type = BSONType(rawValue: byte(start)) else {
            throw .unknownType(byte(start), offset: start)
        }
        let value = try cString(at: start + 1, limit: limit)
        switch type {
        case .int32: return try fixed(4, at: value, limit)
        case .double, .date, .timestamp, .int64: return try fixed(8, at: value, limit)
        case .objectID: return try fixed(12, at: value, limit)
        case .string, .javascript, .symbol: return try string(at: value, limit: limit)
        case .document, .array: return try document(at: value, limit: limit)
        case .null, .undefined, .minKey, .maxKey: return value
        case .bool: return try bool(at: value, limit)
        case .decimal128: return try fixed(16, at: value, limit)
        case .binary: return try binary(at: value, limit)
        case .regex: return try cString(at: cString(at: value, limit: limit), limit: limit)
        case .dbPointer: return try fixed(12, at: string(at: value, limit: limit), limit)
        case .javascriptWithScope: return try codeWithScope(at: value, limit)
        }
    }

    private func fixed(_ count: Int, at start: Int, _ limit: Int) throws(BSONValidationError) -> Int {
        guard limit - start >= count else { throw .invalidLength(offset: start) }
        return start + count
    }

    private func bool(at start: Int, _ limit: Int) throws(BSONValidationError) -> Int {
        let end = try fixed(1, at: start, limit)
        guard byte(start) <= 1 else { throw .invalidBool(byte(start), offset: start) }
        return end
    }

    private func string(at start: Int, limit: Int) throws(BSONValidationError) -> Int {
        let length = try length(at: start, minimum: 1, limit: limit, counted: 4)
        let end = start + 4 + length
        guard byte(end - 1) == 0 else { throw .missingTerminator(offset: end - 1) }
        guard isUTF8(base + start + 4, length - 1) else { throw .invalidUTF8(offset: start + 4) }
        return end
    }

    private func cString(at start: Int, limit: Int) throws(BSONValidationError) -> Int {
        guard let length = cStringLength(base + start, limit - start) else {
            throw .missingTerminator(offset: start)
        }
        guard isUTF8(base + start, length) else { throw .invalidUTF8(offset: start) }
        return start + length + 1
    }

    private func binary(at start: Int, _ limit: Int) throws(BSONValidationError) -> Int {
        let length = try length(at: start, minimum: 0, limit: limit, counted: 5)
        // The old subtype repeats the length inside.
        if byte(start + 4) == 2 {
            guard length >= 4, int32(start + 5) == length - 4 else { throw .invalidLength(offset: start + 5) }
        }
        return start + 5 + length
    }

    private mutating func codeWithScope(at start: Int, _ limit: Int) throws(BSONValidationError) -> Int {
        let end = start + (try length(at: start, minimum: 14, limit: limit, counted: 0))
        let scope = try string(at: start + 4, limit: end)
        try document(at: scope, limit: end, isWhole: true)
        return end
    }

    /// The length prefix at `start`; what it counts begins `counted` bytes after `start` (0: the prefix counts itself)
    /// and must end by `limit`.
    @inline(__always)
    private func length(
        at start: Int, minimum: Int, limit: Int, counted: Int
    ) throws(BSONValidationError) -> Int {
        guard limit - start >= max(counted, 4) else { throw .invalidLength(offset: start) }
        let length = int32(start)
        guard length >= minimum, length <= limit - start - counted else { throw .invalidLength(offset: start) }
        return length
    }

    @inline(__always)
    private func byte(_ offset: Int) -> UInt8 { base.load(fromByteOffset: offset, as: UInt8.self) }

    @inline(__always)
    private func int32(_ offset: Int) -> Int {
        Int(Int32(littleEndian: base.loadUnaligned(fromByteOffset: offset, as: Int32.self)))
    }
}
