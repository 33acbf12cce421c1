internal import BSON

/// A filter as a tree of conditions, for its shape: what it asks, whatever the values are that it asks for.
///
/// Ways to write the same are one: `{a: 1}` and `{a: {$eq: 1}}`, `{a: 1, b: 2}` and an `$and` of the two. Read from the
/// client's document and not from the compiled filter, which has forgotten the spelling that both shapes keep; what is
/// no filter gives some tree, since nobody asks for its shape before it is compiled.
///
/// The values are borrowed from the filter.
indirect enum ShapeCondition {
    case all([ShapeCondition])
    case any([ShapeCondition])
    case none([ShapeCondition])
    case not(ShapeCondition)
    /// One operator on one path; the path is empty for the elements of an `$elemMatch`.
    case test(path: String, operator: String, operand: RawValue)
    /// The options of a regular expression decide more than a value does.
    case options(path: String, text: String)
    case element(path: String, ShapeCondition, ofDocuments: Bool)
    /// What stands for itself at the top of a filter: `$expr`, `$text`, `$jsonSchema` …
    case whole(operator: String, operand: RawValue)

    init(_ filter: RawDocument) {
        self = .joined(Self.conditions(filter, depth: 0))
    }

    /// More than a filter may nest.
    static let depthMax = 200

    private static func joined(_ conditions: [ShapeCondition]) -> ShapeCondition {
        if let only = conditions.first, conditions.count == 1 { only } else { .all(conditions) }
    }

    private static func conditions(_ filter: RawDocument, depth: Int) -> [ShapeCondition] {
        guard depth < depthMax else { return [] }
        var conditions: [ShapeCondition] = []
        for field in filter {
            switch field.key {
            case "$and": for branch in branches(field.value, depth) { conditions += branch }
            case "$or": conditions.append(.any(branches(field.value, depth).map(joined)))
            case "$nor": conditions.append(.none(branches(field.value, depth).map(joined)))
            case "$comment": continue
            case _ where field.key.startsWithDollar:
                conditions.append(.whole(operator: field.key.string, operand: field.value))
            default: conditions += tests(field.key.string, field.value, depth)
            }
        }
        return conditions
    }

    private static func branches(_ value: RawValue, _ depth: Int) -> [[ShapeCondition]] {
        guard let array = value.array else { return [] }
        return array.map { element in element.value.document.map { conditions($0, depth: depth + 1) } ?? [] }
    }

    /// What is asked of one path.
    private static func tests(_ path: String, _ value: RawValue, _ depth: Int) -> [ShapeCondition] {
        guard value.type != .regex else { return regex(path, value) }
        guard let operators = value.document, operators.isOperators else {
            return [.test(path: path, operator: "$eq", operand: value)]
        }
        guard depth < depthMax else { return [] }
        var tests: [ShapeCondition] = []
        for field in operators { tests += test(path, field, depth) }
        return tests
    }

    private static func test(_ path: String, _ field: RawElement, _ depth: Int) -> [ShapeCondition] {
        let value = field.value
        switch field.key {
        case "$ne": return [.not(.test(path: path, operator: "$eq", operand: value))]
        case "$nin": return [.not(.test(path: path, operator: "$in", operand: value))]
        case "$not": return [.not(joined(tests(path, value, depth + 1)))]
        case "$exists":
            let exists = ShapeCondition.test(path: path, operator: "$exists", operand: value)
            return [value.isTruthy ? exists : .not(exists)]
        case "$all":
            return (value.array.map { Array($0) } ?? []).flatMap { tests(path, $0.value, depth + 1) }
        case "$elemMatch": return [element(path, value, depth)]
        case "$regex":
            return value.type == .regex ? regex(path, value) : [.test(path: path, operator: "$regex", operand: value)]
        case "$options": return [.options(path: path, text: value.string ?? "")]
        default: return [.test(path: path, operator: field.key.string, operand: value)]
        }
    }

    private static func element(_ path: String, _ value: RawValue, _ depth: Int) -> ShapeCondition {
        let inner = value.document ?? RawDocument.none
        let ofDocuments = !inner.isOperators
        let conditions = ofDocuments ? conditions(inner, depth: depth + 1) : tests("", value, depth + 1)
        return .element(path: path, joined(conditions), ofDocuments: ofDocuments)
    }

    private static func regex(_ path: String, _ value: RawValue) -> [ShapeCondition] {
        let test = ShapeCondition.test(path: path, operator: "$regex", operand: value)
        guard let options = value.regex?.options, !options.isEmpty else { return [test] }
        return [test, .options(path: path, text: String(decoding: options, as: UTF8.self))]
    }
}

extension RawDocument {
    /// `{$gt: 1, …}`, and neither a value nor a condition on fields.
    fileprivate var isOperators: Bool {
        guard let key = firstElement?.key, key.startsWithDollar else { return false }
        return switch key {
        case "$ref", "$id", "$db", "$and", "$or", "$nor", "$expr": false
        default: true
        }
    }
}
