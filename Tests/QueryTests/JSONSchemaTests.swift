import BSON
import CommandModel
import Testing

@testable import Query

@Suite("$jsonSchema")
struct JSONSchemaTests {
    /// What a schema demands of field `x`, values that fulfil it, and values that do not.
    static let properties: [(String, [String], [String])] = [
        (#"{"bsonType":"int"}"#, ["1"], ["1.5", #"{"$numberLong":"1"}"#, #""1""#, "[1]"]),
        (#"{"bsonType":"number"}"#, ["1", "1.5", #"{"$numberDecimal":"1"}"#], [#""1""#]),
        (#"{"bsonType":["string","null"]}"#, [#""""#, "null"], ["0", "false"]),
        (#"{"type":"boolean"}"#, ["true"], ["0"]),
        (#"{"type":["object","array"]}"#, ["{}", "[]"], ["1"]),
        (
            #"{"enum":[1,"a",null]}"#, ["1", "1.0", #"{"$numberLong":"1"}"#, #""a""#, "null"],
            ["2", #""A""#, "true", "[1]"]
        ),
        (
            #"{"enum":[{"a":1,"b":{"c":1,"d":2}},[1,{"e":1,"f":2}]]}"#,
            [#"{"b":{"d":2.0,"c":1},"a":1}"#, #"[1,{"f":2,"e":1}]"#], [#"{"a":1}"#, #"[{"e":1,"f":2},1]"#, "{}"]
        ),
        (
            #"{"enum":[{"$regularExpression":{"pattern":"a","options":""}}]}"#,
            [#"{"$regularExpression":{"pattern":"a","options":""}}"#], [#""a""#]
        ),
        (
            #"{"minimum":5}"#, ["5", "5.5", #""x""#, "[1]", #"{"$numberDouble":"Infinity"}"#],
            ["4", #"{"$numberDouble":"NaN"}"#, #"{"$numberDecimal":"4.9"}"#]
        ),
        (#"{"minimum":5,"exclusiveMinimum":true}"#, ["6"], ["5", "5.0"]),
        (#"{"maximum":5}"#, ["5", "-1"], ["6", #"{"$numberDouble":"NaN"}"#]),
        (#"{"maximum":5,"exclusiveMaximum":true}"#, ["4"], ["5"]),
        (#"{"multipleOf":3}"#, ["9", "0", "9.0", #""x""#, #"{"$numberDecimal":"6"}"#], ["10", "9.5"]),
        (#"{"multipleOf":0.1}"#, ["0.3", "2", "0.5"], ["0.35", #"{"$numberDouble":"NaN"}"#]),
        (#"{"multipleOf":{"$numberDouble":"1e300"}}"#, ["0", "1e300"], ["1", #"{"$numberDouble":"Infinity"}"#]),
        (#"{"minLength":2,"maxLength":3}"#, [#""日本""#, #""abc""#, "1"], [#""日""#, #""abcd""#]),
        (#"{"pattern":"^a"}"#, [#""ab""#, "1"], [#""ba""#]),
        (#"{"minItems":1,"maxItems":2}"#, ["[1]", "[1,2]", "1", "{}"], ["[]", "[1,2,3]"]),
        (
            #"{"uniqueItems":true}"#,
            ["[]", "[1,2]", "[0,false]", #"["a","A"]"#, #"[{"a":1},{"a":2}]"#, "1", "[[1],[[1]]]"],
            [
                "[1,1]", "[1,1.0]", #"[1,{"$numberLong":"1"}]"#, "[null,null]", #"[{"a":1,"b":2},{"b":2,"a":1}]"#,
                "[[1],[1]]",
            ]
        ),
        (#"{"items":{"bsonType":"int"}}"#, ["[]", "[1,2]", #""x""#], [#"[1,"x"]"#]),
        (
            #"{"items":[{"bsonType":"int"},{"bsonType":"string"}]}"#,
            ["[]", "[1]", #"[1,"x"]"#, #"[1,"x",null]"#], [#"["x"]"#, "[1,2]"]
        ),
        (#"{"items":[{}],"additionalItems":false}"#, ["[]", "[1]"], ["[1,2]"]),
        (#"{"items":[{}],"additionalItems":{"bsonType":"int"}}"#, [#"["x",1]"#], [#"[1,"x"]"#]),
        (#"{"items":{},"additionalItems":false}"#, ["[1,2]"], []),
        (#"{"additionalItems":false}"#, ["[1,2]"], []),
        (#"{"minProperties":1,"maxProperties":2}"#, [#"{"a":1}"#, "1", "[]"], ["{}", #"{"a":1,"b":1,"c":1}"#]),
        (#"{"required":["a","bb"]}"#, [#"{"bb":null,"a":1}"#, "1"], ["{}", #"{"a":1}"#, #"{"bb":1}"#]),
        (
            #"{"properties":{"a":{"bsonType":"int"},"bb":{"minimum":1}}}"#,
            ["{}", #"{"bb":1}"#, #"{"a":1,"c":"x"}"#, "1"], [#"{"a":"x"}"#, #"{"a":1,"bb":0}"#]
        ),
        (
            #"{"properties":{"a":{}},"patternProperties":{"^s_":{"bsonType":"string"}},"additionalProperties":false}"#,
            ["{}", #"{"a":1,"s_b":"x"}"#], [#"{"s_b":1}"#, #"{"b":1}"#]
        ),
        (
            #"{"properties":{"a":{}},"additionalProperties":{"bsonType":"int"}}"#,
            [#"{"a":"x","b":1}"#], [#"{"b":"x"}"#]
        ),
        (#"{"dependencies":{"a":["b","c"]}}"#, ["{}", #"{"b":1}"#, #"{"a":1,"b":1,"c":1}"#], [#"{"a":1,"b":1}"#]),
        (
            #"{"dependencies":{"a":{"properties":{"b":{"minimum":0}}}}}"#,
            [#"{"b":-1}"#, #"{"a":1}"#, #"{"a":1,"b":0}"#], [#"{"a":1,"b":-1}"#]
        ),
        (#"{"allOf":[{"minimum":1},{"maximum":3}]}"#, ["2"], ["0", "4"]),
        (#"{"anyOf":[{"maximum":1},{"minimum":3}]}"#, ["0", "4"], ["2"]),
        (#"{"oneOf":[{"multipleOf":3},{"multipleOf":5}]}"#, ["3", "5"], ["15", "7"]),
        (#"{"not":{"bsonType":"string"}}"#, ["1"], [#""x""#]),
        (#"{"not":{}}"#, [], ["1"]),
        (#"{"title":"t","description":"d"}"#, ["1"], []),
        ("{}", ["1"], []),
    ]

    @Test("a keyword admits and refuses as MongoDB does", arguments: properties)
    func keyword(schema: String, fulfilling: [String], other: [String]) throws {
        let filter = #"{"$jsonSchema":{"properties":{"x":\#(schema)}}}"#
        for value in fulfilling { #expect(try matches(filter, #"{"x":\#(value)}"#), "\(schema) \(value)") }
        for value in other { #expect(try !matches(filter, #"{"x":\#(value)}"#), "\(schema) \(value)") }
        if schema != #"{"not":{}}"# { #expect(try matches(filter, "{}"), "a missing property is none of its business") }
    }

    @Test(
        "a schema stands wherever a condition on the document may",
        arguments: [
            (#"{"$jsonSchema":{"required":["a"]},"b":1}"#, [#"{"a":1,"b":1}"#], [#"{"a":1}"#, #"{"b":1}"#]),
            (#"{"$or":[{"$jsonSchema":{"required":["a"]}},{"b":1}]}"#, [#"{"a":0}"#, #"{"b":1}"#], ["{}"]),
            (#"{"$nor":[{"$jsonSchema":{"required":["a"]}}]}"#, ["{}"], [#"{"a":1}"#]),
            (
                #"{"$and":[{"$jsonSchema":{"required":["a"]}},{"$jsonSchema":{"maxProperties":1}}]}"#,
                [#"{"a":1}"#], [#"{"b":1}"#, #"{"a":1,"b":1}"#]
            ),
            (#"{"$jsonSchema":{"bsonType":"object"}}"#, ["{}"], []),
            (#"{"$jsonSchema":{"bsonType":"array"}}"#, [], ["{}"]),
            (#"{"$jsonSchema":{"minimum":1}}"#, ["{}"], []),
            (#"{"$jsonSchema":{}}"#, ["{}"], []),
        ] as [(String, [String], [String])])
    func place(filter: String, matching: [String], other: [String]) throws {
        for document in matching { #expect(try matches(filter, document), "\(filter) \(document)") }
        for document in other { #expect(try !matches(filter, document), "\(filter) \(document)") }
    }

    @Test(
        "a malformed schema is refused with MongoDB's code",
        arguments: [
            (#"{"required":[1]}"#, Int32(14)), (#"{"required":["a","a"]}"#, 9), (#"{"required":[]}"#, 9),
            (#"{"required":"a"}"#, 14), (#"{"properties":[]}"#, 14), (#"{"properties":{"a":1}}"#, 14),
            (#"{"properties":{"a":{"$ref":"x"}}}"#, 9), (#"{"$schema":"x"}"#, 9), (#"{"default":1}"#, 9),
            (#"{"definitions":{}}"#, 9), (#"{"format":"email"}"#, 9), (#"{"id":"x"}"#, 9), (#"{"foo":1}"#, 9),
            (#"{"encrypt":{}}"#, 238), (#"{"encryptMetadata":{}}"#, 238),
            (#"{"maxLength":-1}"#, 9), (#"{"maxLength":1.5}"#, 9), (#"{"maxLength":"1"}"#, 9),
            (#"{"pattern":"[a"}"#, 51091), (#"{"patternProperties":{"[a":{}}}"#, 2), (#"{"pattern":1}"#, 14),
            (#"{"allOf":[1]}"#, 14), (#"{"allOf":[]}"#, 2), (#"{"not":1}"#, 14), (#"{"multipleOf":0}"#, 9),
            (#"{"multipleOf":{"$numberDouble":"NaN"}}"#, 9), (#"{"multipleOf":"1"}"#, 14),
            (#"{"bsonType":"integer"}"#, 9), (#"{"type":"integer"}"#, 9), (#"{"bsonType":"foo"}"#, 2),
            (#"{"type":"int"}"#, 2), (#"{"type":["int"]}"#, 2), (#"{"bsonType":1}"#, 14), (#"{"bsonType":[1]}"#, 14),
            (#"{"bsonType":[]}"#, 9), (#"{"bsonType":["int","int"]}"#, 9), (#"{"type":"string","bsonType":"int"}"#, 9),
            (#"{"dependencies":{"a":[]}}"#, 9), (#"{"dependencies":{"a":[1]}}"#, 14),
            (#"{"dependencies":{"a":1}}"#, 14),
            (#"{"items":1}"#, 14), (#"{"items":[1]}"#, 14), (#"{"additionalItems":1}"#, 14),
            (#"{"additionalProperties":1}"#, 14), (#"{"uniqueItems":1}"#, 14), (#"{"minimum":"1"}"#, 14),
            (#"{"exclusiveMinimum":true}"#, 9), (#"{"minimum":1,"exclusiveMinimum":1}"#, 14),
            (#"{"enum":[]}"#, 9), (#"{"enum":[1,1.0]}"#, 9), (#"{"enum":1}"#, 14), (#"{"title":1}"#, 14),
        ])
    func refusal(schema: String, code: Int32) {
        for filter in [#"{"$jsonSchema":\#(schema)}"#, #"{"$jsonSchema":{"properties":{"x":\#(schema)}}}"#] {
            #expect(errorCode { _ = try Filter(compiling: json(filter)) } == code, "\(filter)")
        }
    }

    @Test("what is no object is no schema", arguments: ["1", "null", "[]", #""x""#, "true"])
    func noSchema(value: String) {
        #expect(errorCode { _ = try Filter(compiling: json(#"{"$jsonSchema":\#(value)}"#)) } == 14)
    }

    @Test("schemas nested without end are refused")
    func depth() {
        let nested: (Int) -> Document = { depth in
            let schema = (0..<depth).reduce(Document.empty) { inner, _ in
                Document { $0.append("not", document: inner) }
            }
            return Document { $0.append("$jsonSchema", document: schema) }
        }
        #expect(errorCode { _ = try Filter(compiling: nested(100)) } == nil)
        #expect(errorCode { _ = try Filter(compiling: nested(101)) } == 2)
        #expect(errorCode { _ = try Filter(compiling: nested(10_000)) } == 2)
    }

    @Test("more than 64 properties are all checked, and the first of a name counts")
    func manyProperties() throws {
        let names = (0..<200).map { "f\($0)" }
        let properties = names.map { #""\#($0)":{"bsonType":"int"}"# }.joined(separator: ",")
        let required = names.map { #""\#($0)""# }.joined(separator: ",")
        let filter = try Filter(
            compiling: json(#"{"$jsonSchema":{"properties":{\#(properties)},"required":[\#(required)]}}"#))
        let full = names.map { #""\#($0)":1"# }
        func matches(_ fields: [String]) -> Bool {
            json("{\(fields.joined(separator: ","))}").withRaw { filter.matchesPlainly($0) }
        }
        #expect(matches(full) && matches(full.reversed()) && matches(full + [#""f7":"x""#]))
        for broken in [0, 63, 64, 199] {
            var fields = full
            fields[broken] = #""f\#(broken)":"x""#
            #expect(!matches(fields))
            fields.remove(at: broken)
            #expect(!matches(fields))
        }
    }

    @Test("an array of many items is searched for duplicates")
    func manyItems() throws {
        let filter = #"{"$jsonSchema":{"properties":{"x":{"uniqueItems":true}}}}"#
        let items = (0..<5000).map(String.init)
        #expect(try matches(filter, "{\"x\":[\(items.joined(separator: ","))]}"))
        #expect(try !matches(filter, "{\"x\":[\((items + ["4999.0"]).joined(separator: ","))]}"))
    }
}
