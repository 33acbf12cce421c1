internal import BSON
internal import CommandModel

// Keywords that speak of all values, of numbers and of strings.
extension SchemaCompiler {
    func anyValueTest(
        _ argument: SchemaArgument, beside keywords: SchemaKeywords
    ) throws(CommandError) -> SchemaTest? {
        guard argument.keyword != .enum else { return .oneOf(try valueSet(argument)) }
        guard argument.keyword == .bsonType || keywords[.bsonType] == nil else {
            throw argument.invalid("must not stand beside 'bsonType'")
        }
        return .type(try typeMask(argument))
    }

    private func typeMask(_ argument: SchemaArgument) throws(CommandError) -> TypeMask {
        var mask = TypeMask()
        if argument.value.array != nil {
            for name in try argument.names() { try insertType(name.string, of: argument, into: &mask) }
        } else {
            guard let name = argument.value.string else { throw argument.wrongType("a string or an array of strings") }
            try insertType(name, of: argument, into: &mask)
        }
        return mask
    }

    private func insertType(
        _ alias: String, of argument: SchemaArgument, into mask: inout TypeMask
    ) throws(CommandError) {
        guard alias != "integer" else {
            throw argument.invalid("does not know 'integer': use 'bsonType' with 'int' and 'long'")
        }
        let types = argument.keyword == .bsonType ? BSONType.named(alias) : BSONType.namedByJSON(alias)
        guard !types.isEmpty else { throw CommandError(.badValue, "Unknown type name alias: \(alias)") }
        for type in types { mask.insert(type) }
    }

    private func valueSet(_ argument: SchemaArgument) throws(CommandError) -> SchemaValueSet {
        let values = try argument.array().map(\.value)
        guard !values.isEmpty else { throw argument.invalid("must not be an empty array") }
        guard SchemaEquality.duplicate(in: try argument.array()) == nil else {
            throw argument.invalid("must not hold a value twice")
        }
        let scalars = values.filter { $0.container == nil }.sorted { $0.compare(to: $1) < 0 }
        let containers = values.filter { $0.container != nil }.map(SchemaEquality.key)
            .sorted { $0.lexicographicallyPrecedes($1) }
        return SchemaValueSet(scalars: arena.list(scalars), containers: arena.list(containers.map { arena.list($0) }))
    }
}

extension SchemaCompiler {
    func logicalTest(_ argument: SchemaArgument, depth: Int) throws(CommandError) -> SchemaTest? {
        guard argument.keyword != .not else { return .not(arena.list([try schema(argument, depth: depth)])) }
        let nodes = try schemas(argument, depth: depth)
        guard !nodes.isEmpty else {
            throw CommandError(.badValue, "$jsonSchema keyword '\(argument.keyword)' must be a non-empty array")
        }
        return switch argument.keyword {
        case .allOf: .all(nodes)
        case .anyOf: .any(nodes)
        default: .exactlyOne(nodes)
        }
    }

    func numberTest(
        _ argument: SchemaArgument, beside keywords: SchemaKeywords
    ) throws(CommandError) -> SchemaTest? {
        switch argument.keyword {
        case .minimum:
            _ = try argument.number()
            return .compare(keywords.isSet(.exclusiveMinimum) ? .greater : .greaterOrEqual, argument.value)
        case .maximum:
            _ = try argument.number()
            return .compare(keywords.isSet(.exclusiveMaximum) ? .less : .lessOrEqual, argument.value)
        case .multipleOf:
            let divisor = try argument.number()
            guard !divisor.isNaN, divisor.compare(to: .int32(0)) > 0 else {
                throw argument.invalid("must be greater than zero")
            }
            return .multipleOf(divisor)
        default:
            _ = try argument.bool()
            guard keywords[argument.keyword == .exclusiveMinimum ? .minimum : .maximum] != nil else {
                throw argument.invalid("needs the bound that it is about")
            }
            return nil
        }
    }

    func stringTest(_ argument: SchemaArgument) throws(CommandError) -> SchemaTest? {
        guard argument.keyword == .pattern else {
            return .length(SchemaBound(isMaximum: argument.keyword == .maxLength, limit: try argument.count()))
        }
        return .pattern(arena.keep(try regex(try argument.string())))
    }

    func regex(_ pattern: UnsafeRawBufferPointer) throws(CommandError) -> CompiledRegex {
        let none = UnsafeRawBufferPointer(start: nil, count: 0)
        // The source value is for stored expressions that equal it, and none is asked for here.
        return try CompiledRegex(pattern: pattern, options: none, source: RawValue(type: .null, bytes: none))
    }
}

extension SchemaKeywords {
    /// Whether a flag is given, and true.
    func isSet(_ keyword: SchemaKeyword) -> Bool { self[keyword]?.bool ?? false }
}

extension BSONType {
    /// The types that an alias of the keyword `type` names; none for an unknown one.
    fileprivate static func namedByJSON(_ alias: String) -> [BSONType] {
        switch alias {
        case "object": [.document]
        case "array": [.array]
        case "string": [.string]
        case "boolean": [.bool]
        case "null": [.null]
        case "number": [.double, .int32, .int64, .decimal128]
        default: []
        }
    }
}
