internal import BSON
internal import CommandModel

/// The `key` of a specification, with its fields told apart and checked.
struct IndexKeyPattern {
    let fields: [IndexDefinition.Field]
    private let raw: Document

    init(_ pattern: RawDocument) throws(CommandError) {
        guard !pattern.isEmpty else { throw CommandError(.cannotCreateIndex, "Index keys cannot be empty.") }
        var fields: [IndexDefinition.Field] = []
        for element in pattern {
            guard fields.count < IndexDefinition.fieldsMax else {
                throw CommandError(ErrorCode(13103), "too many compound keys: \(ShellText.of(pattern))")
            }
            let field = try Self.field(element)
            guard !fields.contains(where: { $0.path.utf8.elementsEqual(field.path.utf8) && $0.kind == field.kind })
            else {
                throw CommandError(
                    .badValue, "The field '\(field.path)' appears multiple times in the index key pattern")
            }
            fields.append(field)
        }
        self.fields = fields
        raw = Document(copying: pattern)
        try checkWildcards()
        try checkPlugins()
    }

    /// `{_id: 1}`, in any direction.
    var isID: Bool {
        fields.count == 1 && fields[0].path == "_id" && (fields[0].kind == .ascending || fields[0].kind == .descending)
    }

    /// `{_id: 1}` and nothing else.
    var isExactID: Bool { raw.withRaw { isID && $0["_id"]?.number?.asDouble == 1 } }

    func has(_ kind: IndexDefinition.Field.Kind) -> Bool { fields.contains { $0.kind == kind } }

    var text: String { raw.withRaw { ShellText.of($0) } }

    /// As it is kept: that of a text index has `_fts` and `_ftsx` in the place of the fields with text, whose names go
    /// into the weights.
    func stored(_ options: inout IndexOptions) throws(CommandError) -> Document {
        guard has(.text) else { return raw }
        return try TextIndexKey(fields).stored(&options)
    }

    // MARK: one field

    private static func field(_ element: RawElement) throws(CommandError) -> IndexDefinition.Field {
        let isWildcard = element.key == "$**" || element.key.string.hasSuffix(".$**")
        let kind = try kind(element.value, isWildcard: isWildcard)
        if !(element.key == "$**") {
            try checkPath(element.key.components.dropLast(isWildcard ? 1 : 0))
        }
        guard isWildcard, kind != .text else { return IndexDefinition.Field(path: element.key.string, kind: kind) }
        return IndexDefinition.Field(
            path: String(element.key.string.dropLast(element.key == "$**" ? 3 : 4)), kind: kind)
    }

    private static func kind(
        _ value: RawValue, isWildcard: Bool
    ) throws(CommandError) -> IndexDefinition.Field.Kind {
        if let number = value.number {
            guard !number.isNaN, !number.isZero else {
                throw CommandError(
                    .cannotCreateIndex, "Values in the index key pattern cannot be \(number.isNaN ? "NaN" : "0").")
            }
            return isWildcard ? .wildcard : number.asDouble < 0 ? .descending : .ascending
        }
        guard let name = value.string else {
            throw CommandError(
                .cannotCreateIndex,
                "Values in v:2 index key pattern cannot be of type \(value.type.alias). "
                    + "Only numbers > 0, numbers < 0, and strings are allowed.")
        }
        guard !isWildcard || name == "text" else {
            throw CommandError(
                .cannotCreateIndex, "A wildcard index cannot be of the type '\(name.prefix(100))': only numbers")
        }
        return try kind(named: name)
    }

    private static func kind(named name: String) throws(CommandError) -> IndexDefinition.Field.Kind {
        switch name {
        case "hashed": .hashed
        case "2dsphere": .sphere
        case "2d": .plane
        case "text": .text
        case "wildcard":
            throw CommandError(ErrorCode(7_246_202), "A wildcard index is one of a path that ends with '$**'")
        case "geoHaystack":
            throw CommandError(.cannotCreateIndex, "GeoHaystack indexes cannot be created in version 5.0 and above")
        case "": throw CommandError(.cannotCreateIndex, "Values in the index key pattern cannot be an empty string.")
        default: throw CommandError(.cannotCreateIndex, "Unknown index plugin '\(name.prefix(100))'")
        }
    }

    static func checkPath(_ components: some Sequence<RawKey>) throws(CommandError) {
        for (place, component) in components.enumerated() {
            guard component.count > 0 else {
                throw CommandError(.cannotCreateIndex, "Index keys cannot contain an empty field.")
            }
            guard component.startsWithDollar else { continue }
            // Parts of a reference.
            if place > 0, component == "$id" || component == "$ref" || component == "$db" { continue }
            throw CommandError(
                .cannotCreateIndex,
                "Index key contains an illegal field name: field name starts with '$': \(component.string)")
        }
    }

    // MARK: fields among each other

    private func checkWildcards() throws(CommandError) {
        let count = fields.count { $0.kind == .wildcard }
        guard count <= 1 else {
            throw CommandError(ErrorCode(7_246_201), "A wildcard index can have one wildcard field only: \(text)")
        }
        guard count == 0 || fields.allSatisfy({ $0.kind.isPlain || $0.kind == .wildcard }) else {
            throw CommandError(.cannotCreateIndex, "wildcard indexes do not allow other kinds of fields: \(text)")
        }
    }

    /// All special fields of an index are of one kind, and only some may be more than one.
    private func checkPlugins() throws(CommandError) {
        let special = fields.filter { !$0.kind.isPlain && $0.kind != .wildcard }
        guard let first = special.first else { return }
        guard special.allSatisfy({ $0.kind == first.kind }) else {
            throw CommandError(.cannotCreateIndex, "Can't use more than one index plugin for a single index: \(text)")
        }
        switch first.kind {
        case .hashed where special.count > 1:
            throw CommandError(
                ErrorCode(31303), "A maximum of one index field is allowed to be hashed but found \(special.count)")
        case .plane where special.count > 1: throw CommandError(ErrorCode(16800), "can't have 2 geo fields")
        case .plane where fields[0].kind != .plane:
            throw CommandError(ErrorCode(16801), "2d has to be first in index")
        default: return
        }
    }
}

extension IndexDefinition.Field.Kind {
    var isPlain: Bool { self == .ascending || self == .descending }
}
