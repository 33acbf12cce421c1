import BSON
import CommandModel
import Testing

@testable import Query

/// Operators on numbers, and accumulators as expressions.
@Suite struct NumberExpressionTests {
    @Test(
        "arithmetic promotes types and rounds as MongoDB does",
        arguments: [
            (#"{"$add": [1, 2]}"#, "3"), (#"{"$add": [2147483647, 1]}"#, #"{"$numberLong": "2147483648"}"#),
            (#"{"$add": []}"#, "0"), (#"{"$add": [1, null]}"#, "null"),
            (
                #"{"$add": [{"$numberLong": "9223372036854775807"}, 1]}"#,
                #"{"$numberDouble": "9.223372036854775808E18"}"#
            ),
            (
                #"{"$add": [{"$date": {"$numberLong": "1000"}}, -0.5]}"#, #"{"$date": {"$numberLong": "999"}}"#
            ),
            (
                #"{"$subtract": [{"$date": {"$numberLong": "7"}}, {"$date": {"$numberLong": "9"}}]}"#,
                #"{"$numberLong": "-2"}"#
            ),
            (
                #"{"$subtract": [10.5, {"$numberDecimal": "2.5"}]}"#, #"{"$numberDecimal": "8.0000000000000"}"#
            ),
            (#"{"$multiply": [2147483647, 2]}"#, #"{"$numberLong": "4294967294"}"#),
            (#"{"$divide": [1, 2]}"#, #"{"$numberDouble": "0.5"}"#), (#"{"$mod": [-10, 3]}"#, "-1"),
            (#"{"$mod": [-2147483648, -1]}"#, "0"), (#"{"$abs": -2147483648}"#, #"{"$numberLong": "2147483648"}"#),
            (#"{"$pow": [10, 10]}"#, #"{"$numberLong": "10000000000"}"#),
            (#"{"$pow": [2, -1]}"#, #"{"$numberDouble": "0.5"}"#), (#"{"$pow": [-1, 3]}"#, "-1"),
            (
                #"{"$pow": [{"$numberDecimal": "0.5"}, 2]}"#,
                #"{"$numberDecimal": "0.2500000000000000000000000000000000"}"#
            ),
            (#"{"$sqrt": 16}"#, #"{"$numberDouble": "4"}"#), (#"{"$log": [8, 2]}"#, #"{"$numberDouble": "3"}"#),
            (#"{"$round": [2.015, 2]}"#, "2.02"), (#"{"$round": [15, -1]}"#, "20"),
            (#"{"$round": [25, -1]}"#, "20"), (#"{"$trunc": [-25, -1]}"#, "-20"), (#"{"$round": -0.5}"#, "-0.0"),
            (#"{"$round": [5, -20]}"#, "0"),
            (#"{"$trunc": [{"$numberDecimal": "1.1"}, 2]}"#, #"{"$numberDecimal": "1.10"}"#),
            (#"{"$floor": {"$numberDecimal": "-1.5"}}"#, #"{"$numberDecimal": "-2"}"#),
            (#"{"$ceil": {"$numberDecimal": "1E+40"}}"#, #"{"$numberDecimal": "NaN"}"#),
            (#"{"$sin": 0}"#, #"{"$numberDouble": "0"}"#), (#"{"$atan2": [0, null]}"#, "null"),
            (
                #"{"$degreesToRadians": {"$numberDecimal": "180"}}"#,
                #"{"$numberDecimal": "3.141592653589793238462643383279503"}"#
            ),
            (#"{"$bitAnd": [6, 3]}"#, "2"), (#"{"$bitAnd": []}"#, "-1"), (#"{"$bitNot": 5}"#, "-6"),
            (#"{"$bitXor": [1, {"$numberLong": "4294967296"}]}"#, #"{"$numberLong": "4294967297"}"#),
            (#"{"$bitOr": [1, null]}"#, "null"), (#"{"$sum": [1, "x", [2], 3]}"#, "4"), (#"{"$sum": "$list"}"#, "6"),
            (#"{"$avg": "$list"}"#, #"{"$numberDouble": "2"}"#), (#"{"$max": [1, null, "x"]}"#, #""x""#),
            (#"{"$min": []}"#, "null"), (#"{"$first": "$list"}"#, "1"), (#"{"$last": "$list"}"#, "3"),
            (#"{"$maxN": {"input": "$list", "n": 2}}"#, "[3, 2]"),
            (#"{"$median": {"input": "$list", "method": "approximate"}}"#, #"{"$numberDouble": "2"}"#),
        ] as [(String, String)])
    func values(expression: String, expected: String) throws {
        let compiled = try Self.compile(expression)
        let expectedValue = json(#"{"v": \#(expected)}"#)
        try json(#"{"list": [1, 2, 3]}"#).withRaw { raw throws(CommandError) in
            try compiled.withValue(of: raw) { value in
                let found = value.map { value in Document { $0.append("v", value) } }
                #expect(found == expectedValue)
            }
        }
    }

    @Test(
        "what has no result is refused with MongoDB's code",
        arguments: [
            (#"{"$add": [1, "x"]}"#, 14), (#"{"$subtract": ["x", 1]}"#, 14), (#"{"$divide": [1, 0]}"#, 2),
            (#"{"$mod": [1, 0]}"#, 16610), (#"{"$mod": ["x", 1]}"#, 16611), (#"{"$sqrt": -1}"#, 28714),
            (#"{"$abs": {"$numberLong": "-9223372036854775808"}}"#, 28680), (#"{"$ln": 0}"#, 28766),
            (#"{"$log": [1, 1]}"#, 28759), (#"{"$pow": [0, -1]}"#, 28764), (#"{"$round": [1, 101]}"#, 51083),
            (#"{"$round": [{"$numberLong": "9223372036854775806"}, -1]}"#, 51080), (#"{"$acos": 2}"#, 50989),
            (#"{"$sin": {"$numberDouble": "Infinity"}}"#, 50989), (#"{"$bitOr": [1.5]}"#, 14),
            (#"{"$rand": 1}"#, 10065), (#"{"$rand": [1]}"#, 3_040_501),
            (#"{"$ifNull": [1]}"#, 1_257_300), (#"{"$ifNull": [1, {"$divide": [1, 0]}]}"#, 2),
            (#"{"$switch": {"branches": [{"case": false, "then": 1}]}}"#, 40069), (#"{"$first": 1}"#, 28689),
            (#"{"$sigmoid": [1]}"#, 14),
        ] as [(String, Int32)])
    func refusals(expression: String, code: Int32) {
        let error = #expect(throws: CommandError.self) {
            try Self.compile(expression).withValue(of: .none) { _ in }
        }
        #expect(error?.code.number == code)
    }

    @Test("a random number is another one each time")
    func random() throws {
        let compiled = try Self.compile(#"{"$rand": {}}"#)
        var found: Set<Double> = []
        for _ in 0..<10 { try compiled.withValue(of: .none) { _ = $0?.double.map { found.insert($0) } } }
        #expect(found.count > 1 && found.allSatisfy { (0..<1).contains($0) })
    }

    private static func compile(_ expression: String) throws(CommandError) -> CompiledExpression {
        try json(#"{"v": \#(expression)}"#).withRaw { raw throws(CommandError) in
            try CompiledExpression(compiling: raw["v"] ?? .nothing(.null), in: .none)
        }
    }
}
