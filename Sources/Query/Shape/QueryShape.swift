package import BSON
package import CommandModel
internal import Crypto

/// What a `find`, `distinct`, `aggregate` or `count` asks, with a placeholder in the place of each value that it asks
/// for: `{cmdNs: {…}, command: "find", filter: {a: {$gt: "?number"}}, sort: {b: 1}}`.
///
/// Query settings are found by its hash, which `explain` shows as `queryShapeHash`. Hash and spelling are Martlet's
/// own: the same for queries of one shape, on every server and in every version that does not say otherwise, but not
/// what MongoDB makes of them. The order of fields and conditions matters, unlike in a ``PlanShape``.
package struct QueryShape: Sendable {
    package let document: Document

    /// - Parameter command: well-formed.
    /// - Returns: nil for a command that has none.
    package init?(of command: Document, in database: String) {
        let shape: Document? = command.withRaw { command in
            guard let first = command.firstElement, let kind = Kind(rawValue: first.key.string) else { return nil }
            return Document { builder in
                builder.beginDocument("cmdNs")
                builder.append("db", string: database)
                builder.append("coll", string: first.value.string ?? "$cmd.aggregate")
                builder.end()
                builder.append("command", string: kind.rawValue)
                for name in kind.parts {
                    if let value = command[name] { Self.append(name, value, to: &builder) }
                }
            }
        }
        guard let shape else { return nil }
        document = shape
    }

    package var hash: QueryShapeHash {
        QueryShapeHash(document.withRaw { SHA256.hash(data: $0.bytes) })
    }

    private enum Kind: String {
        case find, distinct, aggregate, count

        var parts: [StaticString] {
            switch self {
            case .find:
                [
                    "filter", "sort", "projection", "skip", "limit", "singleBatch", "max", "min", "returnKey",
                    "showRecordId", "tailable", "awaitData", "collation", "let",
                ]
            case .distinct: ["key", "query", "collation"]
            case .aggregate: ["pipeline", "collation", "let"]
            case .count: ["query", "skip", "limit", "collation"]
            }
        }
    }

    // What is left out and what says nothing are the same.
    private static func append(_ name: StaticString, _ value: RawValue, to builder: inout DocumentBuilder) {
        let key = RawKey(name)
        if value.isAbsent || value.container?.isEmpty == true && !(key == "pipeline") { return }
        switch key {
        case "filter", "query":
            let filter = Document { builder in
                if let filter = value.document { ShapeCondition(filter).write(into: &builder) }
            }
            if !filter.isEmpty { builder.append(name, document: filter) }
        case "sort": builder.append(name, shapeOfSort: value)
        case "projection": builder.append(name, shapeOfProjection: value)
        case "pipeline": builder.append(key, shapeOfPipeline: value)
        case "key", "collation": builder.append(name, value)
        case "let", "min", "max": builder.append(name, shapeOfExpression: value)
        case "skip", "limit": if value.isTruthy { builder.append(key, placeholderFor: value) }
        default: if value.isTruthy { builder.append(name, bool: true) }
        }
    }
}

/// 32 bytes by which a query shape is known.
package struct QueryShapeHash: Sendable, Hashable, CustomStringConvertible {
    package let bytes: [UInt8]

    private static let length = 32

    fileprivate init(_ digest: some Sequence<UInt8>) { bytes = Array(digest) }

    /// - Returns: nil for bytes that are no hash.
    package init?(bytes: [UInt8]) {
        guard bytes.count == Self.length else { return nil }
        self.bytes = bytes
    }

    /// - Throws: BadValue (2), InvalidLength (16).
    package init(_ text: String) throws(CommandError) {
        guard let bytes = text.hexadecimalBytes else {
            throw CommandError(.badValue, "the hash of a query shape is made of hexadecimal digits")
        }
        guard bytes.count == Self.length else {
            throw CommandError(
                .invalidLength,
                "the hash of a query shape has \(2 * Self.length) hexadecimal digits, not \(text.utf8.count)")
        }
        self.bytes = bytes
    }

    /// 64 hexadecimal digits.
    package var description: String { String(hexadecimal: bytes) }
}

extension RawValue {
    fileprivate var isAbsent: Bool { type == .null || type == .undefined }
}

extension DocumentBuilder {
    /// Directions as whole numbers, however they are written.
    mutating func append(_ key: StaticString, shapeOfSort value: RawValue) {
        guard let sort = value.document else { return }
        beginDocument(key)
        for field in sort {
            guard let number = field.value.number else {
                append(field.key, field.value)
                continue
            }
            append(field.key, Value.int32(number.asDouble < 0 ? -1 : 1))
        }
        end()
    }

    mutating func append(_ key: StaticString, shapeOfProjection value: RawValue) {
        guard let projection = value.document else { return }
        beginDocument(key)
        for field in projection {
            if field.value.number != nil || field.value.bool != nil {
                append(field.key, Value.bool(field.value.isTruthy))
            } else {
                append(field.key, shapeOfExpression: field.value)
            }
        }
        end()
    }

    mutating func append(_ key: RawKey, shapeOfPipeline value: RawValue, depth: Int = 0) {
        guard let stages = value.array, depth < ShapeCondition.depthMax else { return }
        beginArray(key)
        for stage in stages {
            beginDocument(stage.key)
            if let stage = stage.value.document {
                for field in stage { append(shapeOfStage: field, depth: depth) }
            }
            end()
        }
        end()
    }

    private mutating func append(shapeOfStage stage: RawElement, depth: Int) {
        switch stage.key {
        case "$match":
            beginDocument("$match")
            if let filter = stage.value.document { ShapeCondition(filter).write(into: &self) }
            end()
        case "$sort": append("$sort", shapeOfSort: stage.value)
        case "$project": append("$project", shapeOfProjection: stage.value)
        case "$facet":
            beginDocument("$facet")
            if let facets = stage.value.document {
                for facet in facets { append(facet.key, shapeOfPipeline: facet.value, depth: depth + 1) }
            }
            end()
        case "$group", "$bucket", "$bucketAuto", "$addFields", "$set", "$replaceRoot", "$replaceWith", "$redact",
            "$sortByCount":
            append(stage.key, shapeOfExpression: stage.value)
        default:
            append(stage.key, shapeOfOptions: stage.value) { field, builder in
                switch field.key {
                case "pipeline" where field.value.array != nil:
                    builder.append(field.key, shapeOfPipeline: field.value, depth: depth + 1)
                case "sortBy" where field.value.document != nil: builder.append("sortBy", shapeOfSort: field.value)
                case "let": builder.append("let", shapeOfExpression: field.value)
                default: return false
                }
                return true
            }
        }
    }
}
