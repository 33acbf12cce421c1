internal import BSON
internal import CommandModel

/// Turns a JSON Schema, which lies in the arena already, into nodes.
///
/// The keywords are spread over extensions, one file per type of value that they speak of.
struct SchemaCompiler {
    /// As deep as schemas may nest, filters around them included; it bounds every recursion over the nodes.
    static let depthMax = 100

    let arena: ProgramArena

    /// - Parameter value: the operand of `$jsonSchema`.
    func compileRoot(_ value: RawValue, depth: Int) throws(CommandError) -> ArenaList<SchemaNode> {
        guard let schema = value.document else {
            throw CommandError(.typeMismatch, "$jsonSchema must be an object, not \(value.type.alias)")
        }
        return arena.list([try compile(schema, depth: depth)])
    }

    func compile(_ schema: RawDocument, depth: Int) throws(CommandError) -> SchemaNode {
        guard depth <= Self.depthMax else {
            throw CommandError(.badValue, "$jsonSchema nests schemas deeper than \(Self.depthMax) levels")
        }
        let keywords = try SchemaKeywords(schema)
        var rules: [SchemaRule] = []
        for keyword in SchemaKeyword.allCases {
            guard let value = keywords[keyword] else { continue }
            let argument = SchemaArgument(keyword: keyword, value: value)
            guard let test = try test(argument, beside: keywords, depth: depth) else { continue }
            rules.append(SchemaRule(keyword: keyword, test: test))
        }
        return SchemaNode(rules: arena.list(rules), source: schema)
    }

    /// - Returns: nil for a keyword that demands nothing.
    private func test(
        _ argument: SchemaArgument, beside keywords: SchemaKeywords, depth: Int
    ) throws(CommandError) -> SchemaTest? {
        switch argument.keyword {
        case .bsonType, .type, .enum: try anyValueTest(argument, beside: keywords)
        case .allOf, .anyOf, .oneOf, .not: try logicalTest(argument, depth: depth)
        case .minimum, .exclusiveMinimum, .maximum, .exclusiveMaximum, .multipleOf:
            try numberTest(argument, beside: keywords)
        case .minLength, .maxLength, .pattern: try stringTest(argument)
        case .minItems, .maxItems, .uniqueItems, .items, .additionalItems:
            try arrayTest(argument, beside: keywords, depth: depth)
        case .properties, .patternProperties, .additionalProperties, .required, .minProperties, .maxProperties,
            .dependencies:
            try objectTest(argument, beside: keywords, depth: depth)
        case .title, .description: try annotation(argument)
        }
    }

    private func annotation(_ argument: SchemaArgument) throws(CommandError) -> SchemaTest? {
        _ = try argument.string()
        return nil
    }

    /// A schema as the value of a keyword.
    func schema(_ argument: SchemaArgument, depth: Int) throws(CommandError) -> SchemaNode {
        try compile(try argument.object(), depth: depth + 1)
    }

    /// An array of schemas.
    func schemas(_ argument: SchemaArgument, depth: Int) throws(CommandError) -> ArenaList<SchemaNode> {
        var nodes: [SchemaNode] = []
        for element in try argument.array() {
            nodes.append(try schema(argument.part(element), depth: depth))
        }
        return arena.list(nodes)
    }

    /// The parts of at most 64 that sets of bits can stand for.
    func parts<Node>(_ nodes: [Node]) -> ArenaList<ArenaList<Node>> {
        arena.list(
            stride(from: 0, to: nodes.count, by: 64).map { start in
                arena.list(Array(nodes[start..<Swift.min(start + 64, nodes.count)]))
            })
    }
}

/// The keywords of one schema with their values.
struct SchemaKeywords {
    private var values: [SchemaKeyword: RawValue] = [:]

    init(_ schema: RawDocument) throws(CommandError) {
        for element in schema {
            let name = element.key.string
            guard let keyword = SchemaKeyword(rawValue: name) else { throw Self.refusal(of: name) }
            guard values.updateValue(element.value, forKey: keyword) == nil else {
                throw CommandError(.failedToParse, "Duplicate $jsonSchema keyword: \(name)")
            }
        }
    }

    subscript(keyword: SchemaKeyword) -> RawValue? { values[keyword] }

    private static func refusal(of name: String) -> CommandError {
        if SchemaKeyword.unsupported.contains(name) {
            return CommandError(.failedToParse, "$jsonSchema keyword '\(name)' is not currently supported")
        }
        if SchemaKeyword.encryption.contains(name) {
            return CommandError(.notImplemented, "$jsonSchema keyword '\(name)': encryption is not supported")
        }
        return CommandError(.failedToParse, "Unknown $jsonSchema keyword: \(name)")
    }
}

/// A keyword's value, with what is needed to refuse it.
struct SchemaArgument {
    let keyword: SchemaKeyword
    let value: RawValue
    /// Where in the keyword's value this one stands; nil for the value itself.
    var place: RawKey?

    func part(_ element: RawElement) -> SchemaArgument {
        SchemaArgument(keyword: keyword, value: element.value, place: element.key)
    }

    private var name: String {
        place.map { "'\(keyword)', at '\($0.string)'," } ?? "'\(keyword)'"
    }

    func wrongType(_ expected: StaticString) -> CommandError {
        CommandError(
            .typeMismatch, "$jsonSchema keyword \(name) must be \(expected), but is of type \(value.type.alias)")
    }

    func invalid(_ rule: StaticString) -> CommandError {
        CommandError(.failedToParse, "$jsonSchema keyword \(name) \(rule)")
    }

    func object() throws(CommandError) -> RawDocument {
        guard let document = value.document else { throw wrongType("an object") }
        return document
    }

    func array() throws(CommandError) -> RawDocument {
        guard let array = value.array else { throw wrongType("an array") }
        return array
    }

    func bool() throws(CommandError) -> Bool {
        guard let bool = value.bool else { throw wrongType("a boolean") }
        return bool
    }

    func number() throws(CommandError) -> Number {
        guard let number = value.number else { throw wrongType("a number") }
        return number
    }

    func string() throws(CommandError) -> UnsafeRawBufferPointer {
        guard value.type == .string, let bytes = value.stringBytes else { throw wrongType("a string") }
        return bytes
    }

    /// The length of a string, or the number of something.
    func count() throws(CommandError) -> Int64 {
        guard let count = value.number?.asInt64Exact else { throw invalid("must be an integer") }
        guard count >= 0 else { throw invalid("must not be negative") }
        return count
    }

    /// Names in ``RawKey/schemaOrder(_:_:)``.
    func names() throws(CommandError) -> [RawKey] {
        var names: [RawKey] = []
        for element in try array() {
            let name = try part(element).string()
            names.append(name.baseAddress.map { RawKey(start: $0, count: name.count) } ?? RawKey(""))
        }
        guard !names.isEmpty else { throw invalid("must not be an empty array") }
        names.sort { RawKey.schemaOrder($0, $1) < 0 }
        for (name, next) in zip(names, names.dropFirst()) where name == next {
            throw invalid("must not hold a name twice")
        }
        return names
    }
}
