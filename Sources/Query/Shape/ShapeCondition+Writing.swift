internal import BSON

// The filter of a query shape: a filter again, with placeholders.
extension ShapeCondition {
    /// Into a document that is open.
    func write(into builder: inout DocumentBuilder) {
        switch self {
        case .all(let conditions):
            if conditions.isEmpty { return }
            builder.append("$and", documents: conditions) { $0.write(into: &$1) }
        case .any(let branches): builder.append("$or", documents: branches) { $0.write(into: &$1) }
        case .none(let branches): builder.append("$nor", documents: branches) { $0.write(into: &$1) }
        case .not(let condition): condition.writeNegated(into: &builder)
        case .test(let path, let name, let operand):
            Self.write(at: path, into: &builder) { Self.write(name, operand, into: &$0) }
        case .options(let path, let text):
            Self.write(at: path, into: &builder) { $0.append("$options", string: text) }
        case .element(let path, let condition, _):
            Self.write(at: path, into: &builder) { builder in
                builder.beginDocument("$elemMatch")
                condition.write(into: &builder)
                builder.end()
            }
        case .whole(let name, let operand): Self.write(whole: name, operand, into: &builder)
        }
    }

    private func writeNegated(into builder: inout DocumentBuilder) {
        guard case .test(let path, let name, let operand) = self else {
            builder.beginDocument("$not")
            write(into: &builder)
            return builder.end()
        }
        Self.write(at: path, into: &builder) { builder in
            builder.beginDocument("$not")
            Self.write(name, operand, into: &builder)
            builder.end()
        }
    }

    /// - Parameter path: empty where the document that is open is that of the path already.
    private static func write(
        at path: String, into builder: inout DocumentBuilder, _ write: (inout DocumentBuilder) -> Void
    ) {
        guard !path.isEmpty else { return write(&builder) }
        builder.beginDocument(name: path)
        write(&builder)
        builder.end()
    }

    private static func write(_ name: String, _ operand: RawValue, into builder: inout DocumentBuilder) {
        switch name {
        case "$exists": builder.append("$exists", bool: true)
        case "$type":
            // One type, in a list or not.
            let only = operand.array.flatMap { $0.elementCount == 1 ? $0.firstElement?.value : nil }
            builder.append("$type", only ?? operand)
        default: builder.append(name: name, .string(ShapePlaceholder.text(for: operand)))
        }
    }

    private static func write(whole name: String, _ operand: RawValue, into builder: inout DocumentBuilder) {
        switch name {
        case "$expr": builder.append("$expr", shapeOfExpression: operand)
        case "$jsonSchema": builder.append("$jsonSchema", shapeOfSchema: operand)
        default: builder.append(name: name, .string(ShapePlaceholder.text(for: operand)))
        }
    }
}

extension DocumentBuilder {
    mutating func append(_ key: StaticString, shapeOfExpression value: RawValue) {
        append(RawKey(key), shapeOfExpression: value)
    }

    mutating func append(_ key: StaticString, shapeOfSchema value: RawValue) {
        append(RawKey(key), shapeOfOptions: value) { field, builder in
            switch field.key {
            case "enum", "pattern", "title", "description":
                builder.append(field.key, placeholderFor: field.value)
                return true
            default: return false
            }
        }
    }
}
