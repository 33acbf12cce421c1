internal import BSON
internal import CommandModel

// Bounds as `explain` shows them, in MongoDB's form: `[1, 5)`, `["a", "b")`, `[MinKey, MaxKey]`.

extension IntervalSet {
    /// In the order in which an index has the values.
    func texts(isDescending: Bool) -> [String] {
        isDescending ? intervals.reversed().map { $0.text(isDescending: true) } : intervals.map { $0.text() }
    }
}

extension ValueInterval {
    func text(isDescending: Bool = false) -> String {
        let low = (edge: lower.edge.text, isIncluded: !lower.isAfter)
        let high = (edge: upper.edge.text, isIncluded: upper.isAfter)
        let (first, last) = isDescending ? (high, low) : (low, high)
        return "\(first.isIncluded ? "[" : "(")\(first.edge), \(last.edge)\(last.isIncluded ? "]" : ")")"
    }
}

extension BoundEdge {
    fileprivate var text: String {
        switch self {
        case .value(let value):
            if let double = value.double, double.isInfinite { return double < 0 ? "-inf.0" : "inf.0" }
            return ShellText.of(value)
        case .text(let bytes): return Value.string(String(decoding: bytes, as: UTF8.self)).withRaw(ShellText.of)
        case .least(let type): return type.least
        case .greatest(let type): return type.greatest
        case .negativeInfinity: return "-inf.0"
        }
    }
}

extension BSONType {
    fileprivate var least: String {
        switch self {
        case .minKey: "MinKey"
        case .undefined: "undefined"
        case .null: "null"
        case .double, .int32, .int64, .decimal128: "nan"
        case .string, .symbol: "\"\""
        case .document: "{}"
        case .array: "[]"
        case .binary: "BinData(0, )"
        case .objectID: "ObjectId('000000000000000000000000')"
        case .bool: "false"
        case .date: "new Date(-9223372036854775808)"
        case .timestamp: "Timestamp(0, 0)"
        case .regex: "//"
        case .dbPointer: "DBRef(\"\", ObjectId('000000000000000000000000'))"
        case .javascript: "\"\""
        case .javascriptWithScope: "CodeWScope( , {})"
        case .maxKey: "MaxKey"
        }
    }

    /// Of a type without a greatest value this is the least of the next one.
    fileprivate var greatest: String {
        switch self {
        case .minKey, .undefined, .null, .maxKey: least
        case .double, .int32, .int64, .decimal128: "inf.0"
        case .string, .symbol: BSONType.document.least
        case .document: BSONType.array.least
        case .array: BSONType.binary.least
        case .binary: BSONType.objectID.least
        case .objectID: "ObjectId('ffffffffffffffffffffffff')"
        case .bool: "true"
        case .date: "new Date(9223372036854775807)"
        case .timestamp: "Timestamp(4294967295, 4294967295)"
        case .regex: BSONType.dbPointer.least
        case .dbPointer: BSONType.javascript.least
        case .javascript: BSONType.javascriptWithScope.least
        case .javascriptWithScope: BSONType.maxKey.least
        }
    }

    /// Whether ``greatest`` belongs to the type.
    var hasGreatest: Bool {
        switch self {
        case .string, .symbol, .document, .array, .binary, .regex, .dbPointer, .javascript, .javascriptWithScope: false
        default: true
        }
    }
}
