import BSON
import CommandModel
import Testing

@testable import Query

/// Random schemas and values: laws hold between related schemas, and a failure always has an account.
@Suite("$jsonSchema, randomized")
struct JSONSchemaRandomizedTests {
    private static let seed: UInt64 = 20_261_121

    private func matches(_ schema: String, _ document: Document) throws -> Bool {
        let filter = try Filter(compiling: json(#"{"$jsonSchema":\#(schema)}"#))
        return document.withRaw { filter.matchesPlainly($0) }
    }

    @Test("not, allOf, anyOf and oneOf are what they say")
    func connectives() throws {
        var random = RandomSchemas(seed: Self.seed)
        var hits = 0
        for round in 0..<800 {
            let (first, second) = (random.schema(depth: 3), random.schema(depth: 3))
            let document = json(random.object(depth: 3))
            let context = "seed \(Self.seed) round \(round): \(first) \(second) \(document.text)"
            let (left, right) = (try matches(first, document), try matches(second, document))
            hits += left ? 1 : 0
            #expect(try matches(#"{"not":\#(first)}"#, document) == !left, "\(context)")
            #expect(try matches(#"{"allOf":[\#(first),\#(second)]}"#, document) == (left && right), "\(context)")
            #expect(try matches(#"{"anyOf":[\#(first),\#(second)]}"#, document) == (left || right), "\(context)")
            #expect(try matches(#"{"oneOf":[\#(first),\#(second)]}"#, document) == (left != right), "\(context)")
            let embedded = Document { $0.append("v", document: document) }
            #expect(try matches(#"{"properties":{"v":\#(first)}}"#, embedded) == left, "\(context)")
            #expect(try matches(#"{"additionalProperties":\#(first)}"#, embedded) == left, "\(context)")
        }
        #expect(hits > 80 && hits < 720, "the schemas must be able to match and to fail: \(hits)")
    }

    @Test("the order of an object's fields says nothing")
    func order() throws {
        var random = RandomSchemas(seed: Self.seed &+ 1)
        for round in 0..<500 {
            let schema = random.schema(depth: 3)
            let document = json(random.object(depth: 3))
            let turned = document.withRaw(Self.turned)
            let context = "seed \(Self.seed &+ 1) round \(round): \(schema) \(document.text)"
            #expect(try matches(schema, document) == matches(schema, turned), "\(context)")
        }
    }

    /// The fields of all objects in reverse.
    private static func turned(_ document: RawDocument) -> Document {
        Document { builder in
            for field in document.reversed() { builder.append(field.key, turned(field.value)) }
        }
    }

    private static func turned(_ value: RawValue) -> Value {
        if let document = value.document { return .document(turned(document)) }
        guard let array = value.array else { return Value(copying: value) }
        return .array(
            Document { builder in
                for item in array { builder.append(item.key, turned(item.value)) }
            })
    }

    @Test("what is refused has an account, and nothing else has")
    func accounts() throws {
        var random = RandomSchemas(seed: Self.seed &+ 2)
        var refused = 0
        for round in 0..<800 {
            let document = json(random.object(depth: 3))
            let validator = random.validator(depth: 2)
            let context = "seed \(Self.seed &+ 2) round \(round): \(validator) \(document.text)"
            let compiled = try #require(
                try json(#"{"validator":\#(validator)}"#).withRaw { try DocumentValidator(options: $0) })
            let (isAdmitted, account) = try document.withRaw {
                try (compiled.admits($0, replacing: nil), compiled.explain($0))
            }
            refused += isAdmitted ? 0 : 1
            try account.withRaw { raw in
                try RawDocument.validate(raw.bytes)
                #expect((raw["details"] == nil) == isAdmitted, "\(context)")
                #expect(!Self.holdsEmptyList(RawValue(type: .document, bytes: raw.bytes)), "\(context)")
            }
        }
        #expect(refused > 80 && refused < 720, "the validators must be able to admit and to refuse: \(refused)")
    }

    /// Whether a failure is told without what failed.
    private static func holdsEmptyList(_ value: RawValue) -> Bool {
        guard let container = value.container else { return false }
        return container.contains { field in
            let isList = field.value.array?.isEmpty ?? false
            switch field.key {
            case "schemaRulesNotSatisfied", "details", "propertiesNotSatisfied", "schemasNotSatisfied",
                "missingProperties", "failingDependencies", "clausesNotSatisfied", "additionalProperties":
                return isList || holdsEmptyList(field.value)
            case "specifiedAs", "consideredValue", "consideredValues": return false
            default: return holdsEmptyList(field.value)
            }
        }
    }
}

private struct RandomSchemas {
    private var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    private mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &generator) }

    private mutating func pick(_ values: [String]) -> String { values[below(values.count)] }

    private mutating func name() -> String { pick(["a", "b", "cc"]) }

    private mutating func scalar() -> String {
        pick(["0", "1", "2", "1.5", "null", "true", #""x""#, #""xyz""#, #"{"$numberDecimal":"1"}"#])
    }

    private mutating func value(depth: Int) -> String {
        guard depth > 0 else { return scalar() }
        switch below(4) {
        case 0: return object(depth: depth - 1)
        case 1: return "[\((0..<below(4)).map { _ in value(depth: depth - 1) }.joined(separator: ","))]"
        default: return scalar()
        }
    }

    mutating func object(depth: Int) -> String {
        let names = ["a", "b", "cc"].filter { _ in below(3) > 0 }
        return "{\(names.map { #""\#($0)":\#(value(depth: depth))"# }.joined(separator: ","))}"
    }

    mutating func schema(depth: Int) -> String {
        var keywords: [String: String] = [:]
        for _ in 0..<1 + below(2) {
            let (keyword, value) = depth > 0 && below(3) > 0 ? nested(depth: depth - 1) : flat()
            keywords[keyword] = value
        }
        return "{\(keywords.sorted { $0.key < $1.key }.map { #""\#($0.key)":\#($0.value)"# }.joined(separator: ","))}"
    }

    private mutating func flat() -> (String, String) {
        switch below(10) {
        case 0: ("bsonType", #""\#(pick(["int", "object", "string", "array", "number"]))""#)
        case 1: ("enum", "[\(value(depth: 2))]")
        case 2: ("minimum", scalarNumber())
        case 3: ("maximum", scalarNumber())
        case 4: ("multipleOf", pick(["2", "0.5"]))
        case 5: ("maxLength", "\(below(3))")
        case 6: ("maxItems", "\(below(3))")
        case 7: ("uniqueItems", "true")
        case 8: ("minProperties", "\(below(4))")
        default: ("required", "[\"\(name())\"]")
        }
    }

    private mutating func scalarNumber() -> String { pick(["0", "1", "1.5", "2"]) }

    private mutating func nested(depth: Int) -> (String, String) {
        switch below(9) {
        case 0: ("items", schema(depth: depth))
        case 1: ("items", "[\(schema(depth: depth)),\(schema(depth: depth))]")
        case 2: ("patternProperties", #"{"^[ab]":\#(schema(depth: depth))}"#)
        case 3: ("additionalProperties", pick(["false", schema(depth: depth)]))
        case 4: ("dependencies", #"{"\#(name())":\#(pick([#"["b"]"#, schema(depth: depth)]))}"#)
        case 5: (pick(["allOf", "anyOf", "oneOf"]), "[\(schema(depth: depth)),\(schema(depth: depth))]")
        case 6: ("not", schema(depth: depth))
        default: ("properties", #"{"a":\#(schema(depth: depth)),"cc":\#(schema(depth: depth))}"#)
        }
    }

    mutating func validator(depth: Int) -> String {
        switch below(depth > 0 ? 9 : 6) {
        case 0, 1: #"{"$jsonSchema":\#(schema(depth: 3))}"#
        case 2: #"{"\#(name())":\#(scalar())}"#
        case 3: #"{"\#(name())":{"$\#(pick(["gt", "ne", "lte"]))":\#(scalar())}}"#
        case 4: #"{"\#(name()).a":{"$exists":\#(pick(["true", "false"]))},"b":{"$type":"number"}}"#
        case 5: #"{"\#(name())":{"$not":{"$in":[\#(scalar()),\#(scalar())]}}}"#
        default:
            #"{"$\#(pick(["and", "or", "nor"]))":[\#(validator(depth: depth - 1)),\#(validator(depth: depth - 1))]}"#
        }
    }
}
