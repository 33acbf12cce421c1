internal import BSON

/// What stands for a value in a shape: its type.
enum ShapePlaceholder {
    static func text(for value: RawValue) -> String {
        guard let array = value.array else { return "?\(word(value.type))" }
        guard let first = array.firstElement else { return "[]" }
        let kind = word(first.value.type)
        return array.allSatisfy { word($0.value.type) == kind } ? "?array<?\(kind)>" : "?array<>"
    }

    /// Numbers of all types are one.
    private static func word(_ type: BSONType) -> String { type.isNumber ? "number" : "\(type.alias)" }
}

extension DocumentBuilder {
    mutating func append(_ key: RawKey, string text: String) { append(key, Value.string(text)) }

    mutating func append(_ key: RawKey, placeholderFor value: RawValue) {
        append(key, string: ShapePlaceholder.text(for: value))
    }

    /// A list of documents, each written by `write`.
    mutating func append<Element>(
        _ key: StaticString, documents: [Element], _ write: (Element, inout DocumentBuilder) -> Void
    ) {
        beginArray(key)
        for (index, element) in documents.enumerated() {
            beginDocument(index: index)
            write(element, &self)
            end()
        }
        end()
    }
}

// Expressions: operators and paths stay, constants go.
extension DocumentBuilder {
    mutating func append(_ key: RawKey, shapeOfExpression value: RawValue, depth: Int = 0) {
        guard depth < ShapeCondition.depthMax else { return append(key, placeholderFor: value) }
        if let object = value.document {
            beginDocument(key)
            for field in object {
                if field.key == "$literal" {
                    append(field.key, placeholderFor: field.value)
                } else {
                    append(field.key, shapeOfExpression: field.value, depth: depth + 1)
                }
            }
            end()
        } else if let array = value.array, !array.isOfConstants {
            beginArray(key)
            for element in array { append(element.key, shapeOfExpression: element.value, depth: depth + 1) }
            end()
        } else if value.isExpressionPath {
            append(key, value)
        } else {
            append(key, placeholderFor: value)
        }
    }

    /// What stands for the options of a stage or of `$jsonSchema`: texts are names there, and stay. What `named` does
    /// itself it says so.
    mutating func append(
        _ key: RawKey, shapeOfOptions value: RawValue, depth: Int = 0,
        _ named: (RawElement, inout DocumentBuilder) -> Bool = { _, _ in false }
    ) {
        guard depth < ShapeCondition.depthMax else { return append(key, placeholderFor: value) }
        if let object = value.document {
            beginDocument(key)
            for field in object where !named(field, &self) {
                append(field.key, shapeOfOptions: field.value, depth: depth + 1, named)
            }
            end()
        } else if let array = value.array {
            beginArray(key)
            for element in array { append(element.key, shapeOfOptions: element.value, depth: depth + 1, named) }
            end()
        } else if value.type == .string || value.type == .bool {
            append(key, value)
        } else {
            append(key, placeholderFor: value)
        }
    }
}

extension RawValue {
    fileprivate var isExpressionPath: Bool { type == .string && stringBytes?.first == UInt8(ascii: "$") }
}

extension RawDocument {
    fileprivate var isOfConstants: Bool {
        allSatisfy { $0.value.container == nil && !$0.value.isExpressionPath }
    }
}
