package import BSON
package import CommandModel

/// A compiled sort specification: `{a: 1, "b.c": -1}`.
package struct SortPattern: Sendable {
    /// What the order is, as far as storage can serve it without sorting.
    package enum Order: Sendable, Equatable {
        /// Insertion order: no sort, or `$natural`.
        case natural(ascending: Bool)
        /// By `_id` alone (what follows an unique field decides nothing), strings by ``SortPattern/collator``.
        case id(ascending: Bool)
        case fields
    }

    package struct Field: Sendable {
        package let path: String
        package let isDescending: Bool
        let steps: [SortStep]
        let source: Source

        /// What is compared.
        enum Source {
            case path
            /// `randVal`: no two documents have an order among themselves.
            case random
            /// How well documents fit the query's `$text`, best first.
            case textScore
            /// A fact that documents here do not have, so that all are equal.
            case nothing
        }
    }

    package let order: Order
    /// Empty for a natural order.
    package let fields: [Field]
    /// How strings compare; nil for bytewise.
    package let collator: Collator?
    /// Set for an order by distance.
    var near: NearCondition?

    /// Whether it asks how well documents fit a `$text`, which is found in the documents (``TextScore``).
    package var usesTextScore: Bool { fields.contains { $0.source == .textScore } }

    /// No sort.
    package static let none = SortPattern(order: .natural(ascending: true), fields: [])

    /// The order in which documents were inserted, or the other way round.
    package static func natural(isDescending: Bool) -> SortPattern {
        SortPattern(order: .natural(ascending: !isDescending), fields: [])
    }

    init(order: Order, fields: [Field]) {
        self.order = order
        self.fields = fields
        collator = nil
    }

    package init(
        compiling pattern: Document, collator: Collator? = nil, hasTextScore: Bool = false
    ) throws(CommandError) {
        self = try pattern.withRaw { raw throws(CommandError) in
            try SortPattern(compiling: raw, collator: collator, hasTextScore: hasTextScore)
        }
    }

    /// - Parameter hasTextScore: the documents were found by `$text`.
    package init(
        compiling pattern: RawDocument, collator: Collator? = nil, hasTextScore: Bool = false
    ) throws(CommandError) {
        if let natural = pattern["$natural"] {
            self = try Self.natural(natural, pattern)
            return
        }
        var fields: [Field] = []
        for element in pattern { fields.append(try Self.field(element, hasTextScore)) }
        try Self.check(fields)
        guard let first = fields.first else {
            self = .none
            return
        }
        order = first.path == "_id" && first.source == .path ? .id(ascending: !first.isDescending) : .fields
        self.fields = fields
        self.collator = collator
    }

    private static func natural(_ value: RawValue, _ pattern: RawDocument) throws(CommandError) -> SortPattern {
        guard pattern.elementCount == 1 else {
            throw CommandError(.badValue, "Cannot include '$natural' in compound sort: \(pattern.errorText)")
        }
        switch value.number?.asInt64Exact {
        case 1: return .none
        case -1: return SortPattern(order: .natural(ascending: false), fields: [])
        default:
            throw CommandError(.badValue, "$natural sort cannot be set to a value other than -1 or 1.")
        }
    }

    private static func field(_ element: RawElement, _ hasTextScore: Bool) throws(CommandError) -> Field {
        let path = element.key.string
        if let fact = element.value.document {
            try checkFieldPath(element.key)
            return Field(path: path, isDescending: false, steps: [], source: try source(fact, hasTextScore))
        }
        let isDescending = try isDescending(element)
        try checkFieldPath(element.key)
        return Field(
            path: path, isDescending: isDescending,
            steps: element.key.components.map { SortStep(name: Array($0.bytes), index: $0.arrayIndex ?? -1) },
            source: .path)
    }

    /// `{$meta: …}`
    private static func source(_ fact: RawDocument, _ hasTextScore: Bool) throws(CommandError) -> Field.Source {
        guard let name = fact["$meta"] else {
            throw CommandError(ErrorCode(17312), "$meta is the only expression supported by $sort right now")
        }
        guard fact.elementCount == 1 else {
            throw CommandError(.failedToParse, "Cannot have additional keys in a $meta sort specification")
        }
        switch name.string {
        case "randVal": return .random
        case "searchScore", "vectorSearchScore", "score": return .nothing
        case "textScore" where hasTextScore: return .textScore
        case "textScore", "geoNearDistance":
            throw .metadataMissing(name.string ?? "")
        default: throw CommandError(ErrorCode(31138), "Illegal $meta sort: $meta: \(name.errorText)")
        }
    }

    private static func isDescending(_ element: RawElement) throws(CommandError) -> Bool {
        guard let number = element.value.number else {
            throw CommandError(
                ErrorCode(15974),
                "Illegal key in $sort specification: \(element.key.string): \(element.value.errorText)")
        }
        switch number.saturatingInt64 {
        case 1: return false
        case -1: return true
        default:
            throw CommandError(
                ErrorCode(15975), "$sort key ordering must be 1 (for ascending) or -1 (for descending)")
        }
    }

    /// As many keys as a compound sort may have.
    private static let fieldsMax = 32

    private static func check(_ fields: [Field]) throws(CommandError) {
        guard fields.count(where: { $0.source == .path }) <= fieldsMax else {
            throw CommandError(ErrorCode(13103), "too many compound keys")
        }
        var names: Set<[UInt8]> = []
        for field in fields where !names.insert(Array(field.path.utf8)).inserted {
            throw CommandError(ErrorCode(7_472_500), "$sort key must not contain duplicate keys (\(field.path))")
        }
    }
}

extension CommandError {
    /// `$meta` asks for what nothing in the query gives.
    static func metadataMissing(_ name: String) -> CommandError {
        CommandError(ErrorCode(40218), "query requires \(name) metadata, but it is not available")
    }
}

/// One step of a sort path.
struct SortStep: Sendable, Equatable {
    let name: [UInt8]
    /// The array index that the name spells, or -1.
    let index: Int
}

extension SortStep {
    init(_ name: Substring) {
        let name = Array(name.utf8)
        let index = name.withUnsafeBytes { bytes in
            bytes.baseAddress.flatMap { RawKey(start: $0, count: bytes.count).arrayIndex }
        }
        self.init(name: name, index: index ?? -1)
    }
}

/// Refuses paths that name no field: shared by sort and projection.
func checkFieldPath(_ path: RawKey) throws(CommandError) {
    guard path.count > 0 else {
        throw CommandError(ErrorCode(40352), "FieldPath cannot be constructed with empty string")
    }
    guard path.bytes[path.count - 1] != UInt8(ascii: ".") else {
        throw CommandError(ErrorCode(40353), "FieldPath must not end with a '.'.")
    }
    let components = path.components
    guard components.count <= FilterCompiler.pathComponentsMax else {
        throw CommandError(.overflow, "FieldPath is too long")
    }
    for component in components {
        guard component.count > 0 else {
            throw CommandError(ErrorCode(15998), "FieldPath field names may not be empty strings.")
        }
        guard !component.startsWithDollar || component == "$id" || component == "$ref" || component == "$db" else {
            throw CommandError(
                ErrorCode(16410), "FieldPath field names may not start with '$'. Consider using $getField or $setField."
            )
        }
    }
}

extension SortPattern {
    /// As a client may write it; but for the text score a fact about documents shows by its field's name only.
    package var specification: Document {
        Document { builder in
            for field in fields {
                var path = field.path
                path.withUTF8 { bytes in
                    guard let start = bytes.baseAddress else { return }
                    let key = RawKey(start: start, count: bytes.count)
                    guard field.source == .textScore else {
                        return builder.append(key, Value.int32(field.isDescending ? -1 : 1))
                    }
                    builder.beginDocument(key)
                    builder.append("$meta", string: "textScore")
                    builder.end()
                }
            }
        }
    }
}
