import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Document validator")
struct DocumentValidatorTests {
    private func details(_ validator: String, _ document: String) throws -> String {
        let options = json(#"{"validator":\#(validator)}"#)
        let compiled = try #require(try options.withRaw { try DocumentValidator(options: $0) })
        return try json(document).withRaw { raw in
            let isAdmitted = try compiled.admits(raw, replacing: nil)
            #expect(!isAdmitted, "\(validator) admits \(document)")
            let account = compiled.explain(raw)
            return account.withRaw { $0["details"]?.extendedJSON(.relaxed) ?? account.text }
        }
    }

    /// Validator, document, and what is said of it.
    static let cases: [(String, String, String)] = [
        (
            #"""
            {"$jsonSchema":{"title":"T","required":["phone","name"],"properties":{"name":{"bsonType":"string",
            "description":"d"}}}}
            """#,
            #"{"name":10}"#,
            #"""
            {"operatorName":"$jsonSchema","title":"T","schemaRulesNotSatisfied":[{"operatorName":"properties",
            "propertiesNotSatisfied":[{"propertyName":"name","description":"d","details":[{
            "operatorName":"bsonType","specifiedAs":{"bsonType":"string"},"reason":"type did not match",
            "consideredValue":10,"consideredType":"int"}]}]},{"operatorName":"required","specifiedAs":{
            "required":["phone","name"]},"missingProperties":["phone"]}]}
            """#
        ),
        (
            #"{"$jsonSchema":{"properties":{"s":{"enum":["U","I"]}}}}"#, #"{"s":"X"}"#,
            rule(
                #"""
                "propertiesNotSatisfied":[{"propertyName":"s","details":[{"operatorName":"enum",
                "specifiedAs":{"enum":["U","I"]},"reason":"value was not found in enum","consideredValue":"X"}]}]
                """#,
                "properties")
        ),
        (
            #"{"$jsonSchema":{"properties":{"a":{"minimum":1,"exclusiveMinimum":true,"maximum":9}}}}"#, #"{"a":1}"#,
            property(
                #"""
                {"operatorName":"minimum","specifiedAs":{"minimum":1,"exclusiveMinimum":true},
                "reason":"comparison failed",
                "consideredValue":1}
                """#
            )
        ),
        (
            #"{"$jsonSchema":{"properties":{"a":{"minItems":2,"uniqueItems":true}}}}"#, #"{"a":[1]}"#,
            property(
                #"""
                {"operatorName":"minItems","specifiedAs":{"minItems":2},"reason":"array did not match specified length",
                "consideredValue":[1]}
                """#
            )
        ),
        (
            #"{"$jsonSchema":{"properties":{"a":{"uniqueItems":true}}}}"#, #"{"a":[1,2,1]}"#,
            property(
                #"""
                {"operatorName":"uniqueItems","specifiedAs":{"uniqueItems":true},"reason":"found a duplicate item",
                "consideredValue":[1,2,1],"duplicatedValue":1}
                """#
            )
        ),
        (
            #"{"$jsonSchema":{"properties":{"a":{"items":{"bsonType":"int"}}}}}"#, #"{"a":[1,"x"]}"#,
            property(
                #"""
                {"operatorName":"items","reason":"At least one item did not match the sub-schema",
                "itemIndex":1,"details":[{"operatorName":"bsonType","specifiedAs":{"bsonType":"int"},
                "reason":"type did not match","consideredValue":"x","consideredType":"string"}]}
                """#
            )
        ),
        (
            #"""
            {"$jsonSchema":{"properties":{"a":{"items":[{"bsonType":"int"}],"additionalItems":false}}}}
            """#,
            #"{"a":["x",2]}"#,
            property(
                #"""
                {"operatorName":"items","details":[{"itemIndex":0,"details":[{"operatorName":"bsonType",
                "specifiedAs":{"bsonType":"int"},"reason":"type did not match","consideredValue":"x",
                "consideredType":"string"}]}]},{"operatorName":"additionalItems","specifiedAs":{
                "additionalItems":false},"reason":"found additional items","additionalItems":[2]}
                """#
            )
        ),
        (
            #"{"$jsonSchema":{"properties":{"_id":{}},"additionalProperties":false}}"#, #"{"_id":1,"b":1,"c":1}"#,
            rule(
                #""specifiedAs":{"additionalProperties":false},"additionalProperties":["b","c"]"#,
                "additionalProperties")
        ),
        (
            #"{"$jsonSchema":{"additionalProperties":{"bsonType":"int"}}}"#, #"{"b":"x"}"#,
            rule(
                #"""
                "reason":"at least one additional property did not match the subschema","failingProperty":"b",
                "details":[{"operatorName":"bsonType","specifiedAs":{"bsonType":"int"},"reason":"type did not match",
                "consideredValue":"x","consideredType":"string"}]
                """#,
                "additionalProperties")
        ),
        (
            #"{"$jsonSchema":{"patternProperties":{"^s":{"pattern":"^a"}}}}"#, #"{"sb":"b"}"#,
            rule(
                #"""
                "details":[{"propertyName":"sb","regexMatched":"^s","details":[{"operatorName":"pattern",
                "specifiedAs":{"pattern":"^a"},"reason":"regular expression did not match","consideredValue":"b"}]}]
                """#,
                "patternProperties")
        ),
        (
            #"{"$jsonSchema":{"dependencies":{"a":["b","c"]}}}"#, #"{"a":1,"c":1}"#,
            rule(#""failingDependencies":[{"conditionalProperty":"a","missingProperties":["b"]}]"#, "dependencies")
        ),
        (
            #"{"$jsonSchema":{"minProperties":2}}"#, #"{"a":1}"#,
            rule(
                #"""
                "specifiedAs":{"minProperties":2},"reason":"specified number of properties was not satisfied",
                "numberOfProperties":1
                """#,
                "minProperties")
        ),
        (
            #"{"$jsonSchema":{"anyOf":[{"required":["a"]},{"title":"t","required":["b"]}]}}"#, "{}",
            rule(
                #"""
                "schemasNotSatisfied":[{"index":0,"details":[{"operatorName":"required","specifiedAs":{
                "required":["a"]},"missingProperties":["a"]}]},{"index":1,"title":"t","details":[{
                "operatorName":"required","specifiedAs":{"required":["b"]},"missingProperties":["b"]}]}]
                """#,
                "anyOf")
        ),
        (
            #"{"$jsonSchema":{"oneOf":[{},{"required":["b"]},{}]}}"#, "{}",
            rule(#""reason":"more than one subschema matched","matchingSchemaIndexes":[0,2]"#, "oneOf")
        ),
        (#"{"$jsonSchema":{"not":{}}}"#, "{}", rule(#""reason":"child expression matched""#, "not")),
        (
            #"{"$nor":[{"$jsonSchema":{}}]}"#, "{}",
            #"""
            {"operatorName":"$nor","clausesSatisfied":[{"index":0,"details":{"operatorName":"$jsonSchema",
            "specifiedAs":{"$jsonSchema":{}},"reason":"schema matched"}}]}
            """#
        ),
        (
            #"{"a":{"$gt":5}}"#, #"{"a":1}"#,
            #"""
            {"operatorName":"$gt","specifiedAs":{"a":{"$gt":5}},"reason":"comparison failed",
            "consideredValue":1}
            """#
        ),
        (#"{"a":1}"#, "{}", #"{"operatorName":"$eq","specifiedAs":{"a":1},"reason":"field was missing"}"#),
        (
            #"{"a":{"$ne":1}}"#, #"{"a":1}"#,
            #"""
            {"operatorName":"$ne","specifiedAs":{"a":{"$ne":1}},"reason":"comparison succeeded",
            "consideredValue":1}
            """#
        ),
        (
            #"{"a.b":{"$nin":[1,[2,3,4]]}}"#, #"{"a":[{"b":[1,2]},{"b":[3,4]}]}"#,
            #"""
            {"operatorName":"$nin","specifiedAs":{"a.b":{"$nin":[1,[2,3,4]]}},"reason":"matching value found in array",
            "consideredValues":[1,2,[1,2],3,4,[3,4]]}
            """#
        ),
        (
            #"{"a":{"$gte":1},"b":{"$exists":true}}"#, #"{"a":1}"#,
            #"""
            {"operatorName":"$and","clausesNotSatisfied":[{"index":1,"details":{"operatorName":"$exists",
            "specifiedAs":{"b":{"$exists":true}},"reason":"path does not exist"}}]}
            """#
        ),
        (
            #"{"$or":[{"a":{"$type":"string"}},{"a":{"$in":[1,2]},"b":1}]}"#, #"{"a":3,"b":1}"#,
            #"""
            {"operatorName":"$or","clausesNotSatisfied":[{"index":0,"details":{"operatorName":"$type",
            "specifiedAs":{"a":{"$type":"string"}},"reason":"type did not match","consideredValue":3,
            "consideredType":"int"}},{"index":1,"details":{"operatorName":"$and","clausesNotSatisfied":[
            {"index":0,"details":{"operatorName":"$in","specifiedAs":{"a":{"$in":[1,2]}},
            "reason":"no matching value found in array",
            "consideredValue":3}}]}}]}
            """#
        ),
        (
            #"{"a":{"$not":{"$regex":"^x","$options":"i"}}}"#, #"{"a":"Xy"}"#,
            #"""
            {"operatorName":"$not","details":{"operatorName":"$regex","specifiedAs":{"a":{"$regex":"^x",
            "$options":"i"}},"reason":"regular expression did match","consideredValue":"Xy"}}
            """#
        ),
        (
            #"{"a":{"$mod":[4,0]}}"#, #"{"a":"x"}"#,
            #"""
            {"operatorName":"$mod","specifiedAs":{"a":{"$mod":[4,0]}},"reason":"type did not match",
            "consideredValue":"x","consideredType":"string","expectedTypes":["double","int","long",
            "decimal"]}
            """#
        ),
        (
            #"{"a":{"$size":2}}"#, #"{"a":[1]}"#,
            #"""
            {"operatorName":"$size","specifiedAs":{"a":{"$size":2}},"reason":"array length was not equal to given size",
            "consideredValue":[1]}
            """#
        ),
        (
            #"{"a":{"$exists":false}}"#, #"{"a":1}"#,
            #"""
            {"operatorName":"$exists","specifiedAs":{"a":{"$exists":false}},"reason":"path does exist"}
            """#
        ),
    ]

    private static func rule(_ text: String, _ name: String) -> String {
        #"{"operatorName":"$jsonSchema","schemaRulesNotSatisfied":[{"operatorName":"\#(name)",\#(text)}]}"#
    }

    private static func property(_ details: String) -> String {
        rule(#""propertiesNotSatisfied":[{"propertyName":"a","details":[\#(details)]}]"#, "properties")
    }

    @Test("the account of a failure says which clause failed, and why", arguments: cases)
    func account(validator: String, document: String, expected: String) throws {
        #expect(try details(validator, document) == json(expected).text)
    }

    @Test("an $expr is computed at each write, with the time of the write")
    func expressions() throws {
        let options = json(#"{"validator":{"$expr":{"$lt":["$t","$$NOW"]}}}"#)
        let validator = try #require(try options.withRaw { try DocumentValidator(options: $0) })
        func isAdmitted(_ document: String) throws -> Bool {
            try json(document).withRaw { try validator.admits($0, replacing: nil) }
        }
        #expect(try isAdmitted(#"{"t":{"$date":"2020-01-01T00:00:00Z"}}"#))
        #expect(try !isAdmitted(#"{"t":{"$date":"2999-01-01T00:00:00Z"}}"#))
        #expect(
            try details(#"{"$expr":{"$gt":["$a","$b"]}}"#, #"{"a":1,"b":2}"#)
                == json(
                    #"""
                    {"operatorName":"$expr","specifiedAs":{"$expr":{"$gt":["$a","$b"]}},
                    "reason":"expression did not match","expressionResult":false}
                    """#
                ).text)
    }

    @Test("what an $expr refuses ends the write")
    func failingExpression() throws {
        let options = json(#"{"validator":{"$expr":{"$add":["$a",1]}}}"#)
        let validator = try #require(try options.withRaw { try DocumentValidator(options: $0) })
        let code = errorCode { _ = try json(#"{"a":"x"}"#).withRaw { try validator.admits($0, replacing: nil) } }
        #expect(code == 14)
    }

    @Test("an $expr that loops for too long ends the write, counted for each document anew")
    func loopingExpression() throws {
        let loop = #"{"$reduce":{"input":"$a","initialValue":true,"in":{"$map":{"input":"$a","in":1}}}}"#
        let options = json(#"{"validator":{"$expr":\#(loop)}}"#)
        let validator = try #require(try options.withRaw { try DocumentValidator(options: $0) })
        func code(_ count: Int) -> Int32? {
            let list = (0..<count).map { "\($0)" }.joined(separator: ",")
            return errorCode { _ = try json(#"{"a":[\#(list)]}"#).withRaw { try validator.admits($0, replacing: nil) } }
        }
        #expect(code(800) == nil && code(800) == nil)
        #expect(code(1030) == 146)
    }

    @Test(
        "fields that clients encrypt hold nothing else, whatever the level and the action are",
        arguments: [
            ("{}", true), (#"{"a":{"$binary":{"base64":"AQ==","subType":"06"}}}"#, true),
            (#"{"a":{"$binary":{"base64":"AQ==","subType":"00"}}}"#, false), (#"{"a":null}"#, false),
            (#"{"o":{"x":1}}"#, true), (#"{"o":{"b":1}}"#, false), (#"{"o":[{"b":1}]}"#, true), (#"{"o":1}"#, true),
        ])
    func encryptedFields(document: String, isAdmitted: Bool) throws {
        let options = json(
            #"""
            {"encryptedFields":{"fields":[null,{"path":"a"},{"path":"o.b"}]},"validator":{"z":1},
            "validationLevel":"off","validationAction":"warn"}
            """#)
        let validator = try #require(try options.withRaw { try DocumentValidator(options: $0) })
        let code = errorCode { _ = try json(document).withRaw { try validator.admits($0, replacing: nil) } }
        #expect(code == (isAdmitted ? nil : 121))
    }

    @Test("the account names the document")
    func failingDocument() throws {
        let options = json(#"{"validator":{"a":1}}"#)
        let validator = try #require(try options.withRaw { try DocumentValidator(options: $0) })
        let account = json(#"{"_id":7,"a":2}"#).withRaw { validator.explain($0) }
        #expect(account.withRaw { $0["failingDocumentId"]?.int32 } == 7)
    }

    @Test("the account is bounded, whatever the document and the validator are")
    func bounds() throws {
        let long = String(repeating: "x", count: 100_000)
        let rules = (0..<20_000).map { #"{"required":["f\#($0)"]}"# }.joined(separator: ",")
        let options = json(#"{"validator":{"$jsonSchema":{"allOf":[\#(rules)],"properties":{"a":{"maxLength":1}}}}}"#)
        let validator = try #require(try options.withRaw { try DocumentValidator(options: $0) })
        let account = json(#"{"a":"\#(long)"}"#).withRaw { validator.explain($0) }
        #expect(account.count < 2 << 20)
    }

    @Test(
        "the level decides which documents are held against the rules",
        arguments: [
            ("strict", nil, false), ("strict", #"{"a":1}"#, false), ("strict", "{}", false),
            ("moderate", nil, false), ("moderate", #"{"a":1}"#, false), ("moderate", "{}", true),
        ] as [(String, String?, Bool)])
    func levels(level: String, current: String?, isAdmitted: Bool) throws {
        let options = json(#"{"validator":{"a":1},"validationLevel":"\#(level)"}"#)
        let validator = try #require(try options.withRaw { try DocumentValidator(options: $0) })
        let result = try json(#"{"a":2}"#).withRaw { next in
            guard let current else { return try validator.admits(next, replacing: nil) }
            return try json(current).withRaw { try validator.admits(next, replacing: $0) }
        }
        #expect(result == isAdmitted)
    }

    @Test(
        "without rules, or with level off, there is nothing to check",
        arguments: ["{}", #"{"validator":{}}"#, #"{"validator":{"a":1},"validationLevel":"off"}"#])
    func nothing(options: String) throws {
        #expect(try json(options).withRaw { try DocumentValidator(options: $0) } == nil)
    }
}
