internal import BSON

extension RawValue {
    @inline(__always)
    var isNaN: Bool {
        switch type {
        case .double: double?.isNaN ?? false
        case .decimal128: decimal?.isNaN ?? false
        default: false
        }
    }

    /// What MongoDB calls a true value: everything but false, zero, null and undefined.
    var isTruthy: Bool {
        switch type {
        case .bool: bool ?? false
        case .null, .undefined: false
        case .int32, .int64, .double, .decimal128: !(number?.isZero ?? true)
        default: true
        }
    }

    /// The value as an error message shows it, shortened: a message must not repeat megabytes.
    var errorText: String {
        switch type {
        case .string: "\"\(stringBytes.map { String(decoding: $0.prefix(100), as: UTF8.self) } ?? "")\""
        case .int32: "\(int32 ?? 0)"
        case .int64: "\(int64 ?? 0)"
        case .double: "\(double ?? 0)"
        case .bool: "\(bool ?? false)"
        case .null: "null"
        case .objectID: "ObjectId('\(objectID?.hexString ?? "")')"
        case .array: array.map { $0.isEmpty ? "[]" : "[ … ]" } ?? "[]"
        case .document: document.map(\.errorText) ?? "{}"
        default: "\(type.alias)"
        }
    }
}

extension RawDocument {
    /// A few fields of the document as an error message shows it.
    var errorText: String {
        if isEmpty { return "{}" }
        let shown = prefix(3).map { "\($0.key.string): \($0.value.type == .document ? "{ … }" : $0.value.errorText)" }
        return "{ \(shown.joined(separator: ", ")) }"
    }
}
