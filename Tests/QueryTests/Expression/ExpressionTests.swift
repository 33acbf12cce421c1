import BSON
import CommandModel
import Testing

@testable import Query

@Suite struct ExpressionTests {
    @Test(
        "paths, literals, variables and conditions yield what MongoDB's would",
        arguments: [
            (#""$a""#, #"{"a": 1}"#, "1"), (#""$a.b""#, #"{"a": {"b": 2}}"#, "2"), (#""$b""#, #"{"a": 1}"#, nil),
            (#""$a.b""#, #"{"a": [{"b": 1}, 2, {"c": 3}, {"b": 4}]}"#, "[1,4]"),
            (#""$a.0""#, #"{"a": [1, 2]}"#, "[]"), (#""a""#, "{}", #""a""#),
            (#"["$a", "$x"]"#, #"{"a": 1}"#, "[1,null]"),
            (#"{"x": "$a", "y": "$b"}"#, #"{"a": 1}"#, #"{"x":1}"#), (#"{"$literal": "$a"}"#, "{}", #""$a""#),
            (#""$$ROOT""#, #"{"a": 1}"#, #"{"a":1}"#), (#""$$REMOVE""#, "{}", nil),
            (#""$$CURRENT.a""#, #"{"a": 3}"#, "3"),
            (#"{"$let": {"vars": {"x": "$a"}, "in": ["$$x", "$a"]}}"#, #"{"a": 3}"#, "[3,3]"),
            (
                #"{"$let": {"vars": {"x": 1}, "in": {"$let": {"vars": {"x": 2, "y": "$$x"}, "in": ["$$x", "$$y"]}}}}"#,
                "{}", "[2,1]"
            ),
            (#"{"$let": {"vars": {"CURRENT": "$a"}, "in": "$b"}}"#, #"{"a": {"b": 7}}"#, "7"),
            (#"{"$cond": ["$a", "yes", "no"]}"#, #"{"a": 0}"#, #""no""#),
            (#"{"$cond": {"if": {"$gt": ["$a", 1]}, "then": "$a", "else": 0}}"#, #"{"a": 5}"#, "5"),
            (
                #"{"$switch": {"branches": [{"case": {"$eq": ["$a", 1]}, "then": "one"}], "default": "many"}}"#,
                #"{"a": 2}"#, #""many""#
            ),
            (#"{"$ifNull": ["$x", null, "$a"]}"#, #"{"a": 2}"#, "2"),
            (#"{"$and": [1, "$a", {"$not": [false]}]}"#, #"{"a": "x"}"#, "true"),
            (#"{"$or": [0, "$x", null]}"#, "{}", "false"),
            (#"{"$or": [{"$divide": [1, "$a"]}, true]}"#, #"{"a": 0}"#, "true"),
            (#"{"$and": [{"$divide": [1, "$a"]}, null]}"#, #"{"a": 0}"#, "false"),
            (#"{"$cmp": ["$x", null]}"#, "{}", "-1"),
        ] as [(String, String, String?)])
    func values(expression: String, document: String, expected: String?) throws {
        let compiled = try Self.compile(expression)
        let expectedValue = try expected.map { try json(#"{"v": \#($0)}"#) }
        try json(document).withRaw { raw in
            try compiled.withValue(of: raw) { value in
                let found = value.map { value in Document { $0.append("v", value) } }
                #expect(found == expectedValue)
            }
        }
    }

    @Test(
        "what is no expression is refused with MongoDB's code",
        arguments: [
            (#""$""#, 16872), (#""$a.""#, 40353), (#""$a..b""#, 15998), (#""$$x""#, 17276), (#"{"$nope": 1}"#, 168),
            (#"{"$eq": [1]}"#, 16020), (#"{"$eq": [1, 2], "$ne": [1, 2]}"#, 15983), (#"{"a.b": 1}"#, 16412),
            (#"{"a": 1, "$b": 1}"#, 16410), (#"{"$cond": {"if": 1, "then": 1}}"#, 17082),
            (#"{"$let": {"vars": {"X": 1}, "in": 1}}"#, 9), (#"{"$let": {"in": 1}}"#, 16876),
        ] as [(String, Int32)])
    func refusals(expression: String, code: Int32) throws {
        let error = #expect(throws: CommandError.self) { try Self.compile(expression) }
        #expect(error?.code.number == code)
    }

    @Test("an expression may nest as deep as a document")
    func depth() throws {
        let deep = String(repeating: #"{"$not": ["#, count: 98) + "1" + String(repeating: "]}", count: 98)
        try Self.compile(deep).withValue(of: .none) { #expect($0?.bool == true) }
    }

    private static func compile(_ expression: String) throws -> CompiledExpression {
        try json(#"{"v": \#(expression)}"#).withRaw { raw throws(CommandError) in
            try CompiledExpression(compiling: raw["v"] ?? .nothing(.null), in: .none)
        }
    }

    @Test(
        "a command's variables have proper names and values that need no document",
        arguments: [
            ("{}", nil), (#"{"a":1,"bC_2":[{"x":"y"}],"ä":null}"#, nil), (#"{"a":2,"b":{"$add":["$$a",1]}}"#, nil),
            (#"{"":1}"#, 9), (#"{"A":1}"#, 9), (#"{"_a":1}"#, 9), (#"{"a b":1}"#, 9), (#"{"a":"$x"}"#, 4_890_500),
            (#"{"a":[{"b":"$$ROOT"}]}"#, 4_890_500), (#"{"a":"$$NOW"}"#, 51144), (#"{"NOW":1}"#, 4_738_901),
            (#"{"a":"$$b","b":1}"#, 17276),
            (#"{"a":{"$map":{"input":{"$range":[0,1048575]},"in":1}}}"#, nil),
            (#"{"a":{"$map":{"input":{"$range":[0,1048577]},"in":1}}}"#, 146),
        ] as [(String, Int32?)])
    func variables(variables: String, code: Int32?) {
        var environment = ExpressionEnvironment.none
        #expect(errorCode { try environment.define(json(variables)) } == code)
    }
}
