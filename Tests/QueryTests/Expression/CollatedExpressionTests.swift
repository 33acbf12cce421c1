import BSON
import CommandModel
import Testing

@testable import Query

/// What is computed compares strings as the command does.
@Suite struct CollatedExpressionTests {
    private static func environment(_ isCollated: Bool) throws -> ExpressionEnvironment {
        .none.collated(by: isCollated ? try collator(#"{"locale": "en", "strength": 2}"#) : nil)
    }

    @Test(
        "expressions",
        arguments: [
            (#"{"$eq": ["$s", "B"]}"#, "true", "false"), (#"{"$ne": ["$s", "B"]}"#, "false", "true"),
            (#"{"$cmp": ["$s", "C"]}"#, "-1", "1"), (#"{"$gte": ["$s", "C"]}"#, "false", "true"),
            (#"{"$eq": [{"x": ["$s"]}, {"x": ["B"]}]}"#, "true", "false"),
            (#"{"$eq": ["b", "B"]}"#, "true", "false"),
            (#"{"$in": ["B", "$a"]}"#, "true", "false"), (#"{"$indexOfArray": ["$a", "B"]}"#, "1", "-1"),
            (#"{"$setUnion": ["$a", ["B"]]}"#, #"["a","b","C"]"#, #"["B","C","a","b"]"#),
            (#"{"$setIntersection": ["$a", ["B"]]}"#, #"["b"]"#, "[]"),
            (#"{"$setDifference": ["$a", ["B"]]}"#, #"["a","C"]"#, #"["a","b","C"]"#),
            (#"{"$setEquals": ["$a", ["A", "B", "c"]]}"#, "true", "false"),
            (#"{"$setIsSubset": [["B"], "$a"]}"#, "true", "false"),
            (#"{"$sortArray": {"input": "$a", "sortBy": 1}}"#, #"["a","b","C"]"#, #"["C","a","b"]"#),
            (
                #"{"$sortArray": {"input": [{"x": "b"}, {"x": "C"}], "sortBy": {"x": -1}}}"#,
                #"[{"x":"C"},{"x":"b"}]"#, #"[{"x":"b"},{"x":"C"}]"#
            ),
            (#"{"$max": "$a"}"#, #""C""#, #""b""#), (#"{"$min": "$a"}"#, #""a""#, #""C""#),
            (#"{"$maxN": {"n": 1, "input": "$a"}}"#, #"["C"]"#, #"["b"]"#),
            (#"{"$minN": {"n": 1, "input": "$a"}}"#, #"["a"]"#, #"["C"]"#),
            (#"{"$switch": {"branches": [{"case": {"$eq": ["$s", "B"]}, "then": 1}], "default": 2}}"#, "1", "2"),
            (#"{"$filter": {"input": "$a", "cond": {"$lt": ["$$this", "B"]}}}"#, #"["a"]"#, "[]"),
        ] as [(String, String, String)])
    func expressions(_ expression: String, collated: String, simple: String) throws {
        let document = json(#"{"s": "b", "a": ["a", "b", "C"]}"#)
        for (isCollated, expected) in [(true, collated), (false, simple)] {
            let compiled = try json(#"{"v": \#(expression)}"#).withRaw { raw in
                try CompiledExpression(compiling: #require(raw["v"]), in: Self.environment(isCollated))
            }
            try document.withRaw { raw throws(CommandError) in
                try compiled.withValue(of: raw) { value in
                    let found = value.map { value in Document { $0.append("v", value) } }
                    #expect(found?.text == #"{"v":\#(expected)}"#)
                }
            }
        }
    }

    @Test("a filter's $expr and its condition")
    func filters() throws {
        let filter = json(#"{"s": "B", "$expr": {"$eq": ["$s", "B"]}}"#)
        for isCollated in [true, false] {
            let filter = try Filter(compiling: filter, environment: Self.environment(isCollated))
            #expect(try filter.matches(json(#"{"s": "b"}"#)) == isCollated)
        }
    }

    @Test("a command's variables")
    func variables() throws {
        for isCollated in [true, false] {
            var environment = try Self.environment(isCollated)
            try environment.define(json(#"{"a": {"$eq": ["b", "B"]}}"#))
            let value = try #require(environment.variables.first?.value)
            #expect(value.extendedJSON(.relaxed) == "\(isCollated)")
        }
    }

    @Test(
        "groups and their accumulators",
        arguments: [
            (#"{"_id": "$s"}"#, #"{"_id":"b"} {"_id":"C"} {"_id":"a"}"#),
            (#"{"_id": null, "v": {"$addToSet": "$s"}}"#, #"{"_id":null,"v":["b","C","a"]}"#),
            (#"{"_id": null, "v": {"$max": "$s"}}"#, #"{"_id":null,"v":"C"}"#),
            (#"{"_id": null, "v": {"$minN": {"n": 2, "input": "$s"}}}"#, #"{"_id":null,"v":["a","b"]}"#),
            (
                #"{"_id": null, "v": {"$topN": {"n": 2, "sortBy": {"s": -1}, "output": "$s"}}}"#,
                #"{"_id":null,"v":["C","b"]}"#
            ),
        ] as [(String, String)])
    func groups(_ group: String, expected: String) throws {
        let documents = ["b", "C", "B", "a"].map { json(#"{"s": "\#($0)"}"#) }
        var harness = PipelineHarness(environment: try Self.environment(true))
        let found = try harness.run(#"[{"$group": \#(group)}]"#, over: documents)
        #expect(found.map(\.text).joined(separator: " ") == expected)
    }

    @Test("partitions of $densify; what is made is like the document behind it")
    func partitions() throws {
        let range = #"{"step": 1, "bounds": "partition"}"#
        let densify = #"[{"$densify": {"field": "t", "partitionByFields": ["p"], "range": \#(range)}}]"#
        let documents = [json(#"{"p": "B", "t": 3}"#), json(#"{"p": "b", "t": 1}"#)]
        func densified(_ isCollated: Bool) throws -> String {
            var harness = PipelineHarness(environment: try Self.environment(isCollated))
            return try harness.run(densify, over: documents).map(\.text).joined(separator: " ")
        }
        #expect(try densified(true) == #"{"p":"b","t":1} {"p":"B","t":2} {"p":"B","t":3}"#)
        #expect(try densified(false) == #"{"p":"B","t":3} {"p":"b","t":1}"#)
    }

    @Test("boundaries of $bucket ascend", arguments: [(true, Int32?.some(40194)), (false, nil)])
    func boundaries(isCollated: Bool, expected: Int32?) throws {
        var harness = PipelineHarness(environment: try Self.environment(isCollated))
        let bucket = #"[{"$bucket": {"groupBy": "$s", "boundaries": ["A", "a"]}}]"#
        #expect(errorCode { _ = try harness.run(bucket, over: []) } == expected)
    }
}
