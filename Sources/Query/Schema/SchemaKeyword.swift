/// The keywords of JSON Schema draft 4 that a schema may hold, and MongoDB's `bsonType`. Rules are checked, and
/// failures told, in this order.
///
/// Source: https://www.mongodb.com/docs/manual/reference/operator/query/jsonSchema/
enum SchemaKeyword: String, CaseIterable {
    case bsonType, type, `enum`
    case allOf, anyOf, oneOf, not
    case minimum, exclusiveMinimum, maximum, exclusiveMaximum, multipleOf
    case minLength, maxLength, pattern
    case minItems, maxItems, uniqueItems, items, additionalItems
    case properties, patternProperties, additionalProperties, required, minProperties, maxProperties, dependencies
    case title, description

    /// Keywords of the standard that MongoDB does not know either.
    static let unsupported: Set<String> = ["$ref", "$schema", "default", "definitions", "format", "id"]

    /// Keywords of client-side encryption.
    static let encryption: Set<String> = ["encrypt", "encryptMetadata"]
}
