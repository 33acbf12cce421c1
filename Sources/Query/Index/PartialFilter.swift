internal import BSON
internal import CommandModel

/// `partialFilterExpression`: of the language of filters the part that plans can reason about.
///
/// Source: https://www.mongodb.com/docs/manual/core/index-partial/
enum PartialFilter {
    static func check(_ filter: Document, collator: Collator?) throws(CommandError) {
        try filter.withRaw { raw throws(CommandError) in
            guard raw["$text"] == nil else {
                throw CommandError(.badValue, "$text is not allowed in this context")
            }
            _ = try Filter(compiling: raw, collator: collator)
            try check(raw)
        }
    }

    /// The compiler has bounded how deep it nests.
    private static func check(_ filter: RawDocument) throws(CommandError) {
        for element in filter {
            switch element.key {
            case "$and", "$or":
                for branch in element.value.array ?? .none { try check(branch.value.document ?? .none) }
            case "$comment": continue
            case _ where element.key.startsWithDollar: throw unsupported(element.key.string)
            default: try checkCondition(element.value)
            }
        }
    }

    private static func checkCondition(_ condition: RawValue) throws(CommandError) {
        guard condition.type != .regex else { throw unsupported("$regex") }
        for test in condition.operatorDocument ?? .none {
            switch test.key {
            case "$eq" where test.value.type != .regex: continue
            case "$lt", "$lte", "$gt", "$gte", "$in", "$type", "$geoWithin", "$within", "$geoIntersects": continue
            case "$exists" where test.value.isTruthy: continue
            case "$all":
                for value in test.value.array ?? .none
                where value.value.type == .regex
                    || value.value.operatorDocument != nil
                { throw unsupported("$all of conditions") }
            default: throw unsupported(test.key.string)
            }
        }
    }

    private static func unsupported(_ name: String) -> CommandError {
        CommandError(.cannotCreateIndex, "Expression not supported in partial index: \(name.prefix(100))")
    }
}

// Telling filters apart.
extension PartialFilter {
    /// What a filter says, whatever the order of its conditions: filters with the same form match the same documents.
    static func form(_ filter: RawDocument) -> [[UInt8]] {
        conditions(filter).sorted { $0.lexicographicallyPrecedes($1) }
    }

    private static func conditions(_ filter: RawDocument) -> [[UInt8]] {
        filter.flatMap { element -> [[UInt8]] in
            switch element.key {
            case "$and": return (element.value.array ?? .none).flatMap { conditions($0.value.document ?? .none) }
            case "$or":
                let branches = (element.value.array ?? .none).map { form($0.value.document ?? .none) }
                return [tagged("$or", branches.map { $0.flatMap(framed) }.sorted { $0.lexicographicallyPrecedes($1) })]
            case "$comment": return []
            default: return fieldConditions(element)
            }
        }
    }

    private static func fieldConditions(_ element: RawElement) -> [[UInt8]] {
        let path = Array(element.key.bytes)
        guard let operators = element.value.operatorDocument else {
            return [condition(path, RawKey("$eq"), element.value)]
        }
        return operators.map { condition(path, $0.key, $0.value) }
    }

    private static func condition(_ path: [UInt8], _ name: RawKey, _ value: RawValue) -> [UInt8] {
        framed(path) + framed(Array(name.bytes)) + [value.type.rawValue] + Array(value.bytes)
    }

    private static func tagged(_ name: StaticString, _ parts: [[UInt8]]) -> [UInt8] {
        framed(Array(RawKey(name).bytes)) + parts.flatMap(framed)
    }

    /// With its length before it, so that what stands beside it cannot be taken for a part of it.
    private static func framed(_ bytes: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: UInt32(truncatingIfNeeded: bytes.count).bigEndian) { Array($0) } + bytes
    }
}
