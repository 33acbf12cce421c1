internal import BSON

/// Writes the account of a failed validation, MongoDB's `errInfo`: for people to read, and so bounded, whatever the
/// document and the validator are. What is too large to be shown is left out and said to be `truncated`.
///
/// Source: https://www.mongodb.com/docs/manual/core/schema-validation/
struct ValidationReport {
    private static let bytesMax = 1024 * 1024
    private static let valueBytesMax = 64 * 1024
    private static let valuesMax = 100

    var builder = DocumentBuilder()

    /// Lists end here.
    var isFull: Bool { builder.count > Self.bytesMax }

    mutating func operatorName(_ name: String) { builder.append("operatorName", string: name) }

    mutating func reason(_ reason: StaticString) { builder.append("reason", string: "\(reason)") }

    /// What the validator demands, as it was written.
    mutating func specifiedAs(_ fields: [RawElement]) {
        guard fields.reduce(0, { $0 + $1.value.count }) <= Self.valueBytesMax else { return truncated() }
        builder.beginDocument("specifiedAs")
        for field in fields { builder.append(field) }
        builder.end()
    }

    /// The values that did not fulfil it.
    mutating func considered(_ values: [RawValue], showsTypes: Bool = false) {
        guard values.count > 1 else {
            if let value = values.first { considered(value, showsType: showsTypes) }
            return
        }
        self.values("consideredValues", values)
        guard showsTypes else { return }
        var types: [String] = []
        for type in values.map({ "\($0.type.alias)" }) where !types.contains(type) { types.append(type) }
        guard types.count > 1 else { return builder.append("consideredType", string: types[0]) }
        names("consideredTypes", types)
    }

    mutating func considered(_ value: RawValue, showsType: Bool = false) {
        append("consideredValue", value)
        if showsType { builder.append("consideredType", string: "\(value.type.alias)") }
    }

    mutating func append(_ key: StaticString, _ value: RawValue) {
        if value.count <= Self.valueBytesMax { builder.append(key, value) } else { truncated() }
    }

    mutating func values(_ key: StaticString, _ values: [RawValue]) {
        builder.beginArray(key)
        let shown = values.filter { $0.count <= Self.valueBytesMax }.prefix(Self.valuesMax)
        for (index, value) in shown.enumerated() where !isFull { builder.append(index: index, value) }
        builder.end()
        if shown.count < values.count { truncated() }
    }

    mutating func names(_ key: StaticString, _ names: [String]) {
        builder.beginArray(key)
        for (index, name) in names.enumerated() where !isFull { builder.append(index: index, string: name) }
        builder.end()
    }

    mutating func truncated() { builder.append("truncated", bool: true) }
}
