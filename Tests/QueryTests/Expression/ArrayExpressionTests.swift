import BSON
import CommandModel
import Testing

@testable import Query

@Suite struct ArrayExpressionTests {
    @Test(
        "operators of arrays yield what MongoDB's would",
        arguments: [
            .init(#"{"$arrayElemAt": ["$a", -1]}"#, "3", of: #"{"a": [1, 2, 3]}"#),
            .init(#"{"$arrayElemAt": ["$a", 3]}"#, nil, of: #"{"a": [1, 2, 3]}"#),
            .init(#"{"$arrayElemAt": ["$a", -4]}"#, nil, of: #"{"a": [1, 2, 3]}"#),
            .init(#"{"$arrayElemAt": ["$x", 0]}"#, "null"), .init(#"{"$first": "$a"}"#, "1", of: #"{"a": [1, 2]}"#),
            .init(#"{"$last": [[1, 2]]}"#, "2"), .init(#"{"$first": [[]]}"#, nil),
            .init(#"{"$concatArrays": ["$a", [3], []]}"#, "[1,2,3]", of: #"{"a": [1, 2]}"#),
            .init(#"{"$concatArrays": [[1], "$x"]}"#, "null"),
            .init(#"{"$in": ["$a", [1, 2.0]]}"#, "true", of: #"{"a": 2}"#), .init(#"{"$in": ["$x", [null]]}"#, "false"),
            .init(#"{"$indexOfArray": [[1, 2, 1], 1, 1]}"#, "2"),
            .init(#"{"$indexOfArray": [[1, 2, 1], 1, 1, 2]}"#, "-1"),
            .init(#"{"$isArray": [[1]]}"#, "true"), .init(#"{"$isArray": "$x"}"#, "false"),
            .init(#"{"$range": [0, 10, 4]}"#, "[0,4,8]"), .init(#"{"$range": [3, 0, -1]}"#, "[3,2,1]"),
            .init(#"{"$range": [3, 0]}"#, "[]"), .init(#"{"$size": {"$range": [0, 12345]}}"#, "12345"),
            .init(#"{"$arrayElemAt": [{"$range": [-5, 2000000000, 1000000]}, 1001]}"#, "1000999995"),
            .init(#"{"$reverseArray": [[1, 2, 3]]}"#, "[3,2,1]"), .init(#"{"$slice": [[1, 2, 3], -2]}"#, "[2,3]"),
            .init(#"{"$slice": [[1, 2, 3], -2, 1]}"#, "[2]"), .init(#"{"$slice": [[1, 2, 3], 1, 9]}"#, "[2,3]"),
            .init(#"{"$firstN": {"n": 2, "input": [3, 1, 2]}}"#, "[3,1]"),
            .init(#"{"$lastN": {"n": 2, "input": [3, 1, 2]}}"#, "[1,2]"),
            .init(#"{"$lastN": {"n": 9, "input": [3, 1, 2]}}"#, "[3,1,2]"),
            .init(#"{"$maxN": {"n": 2, "input": [3, null, 1, 2]}}"#, "[3,2]"),
            .init(#"{"$minN": {"n": 2, "input": [3, null, 1, 2]}}"#, "[1,2]"),
            .init(#"{"$sortArray": {"input": [3, "a", 1, null], "sortBy": -1}}"#, #"["a",3,1,null]"#),
            .init(
                #"{"$sortArray": {"input": "$a", "sortBy": {"b.c": 1, "d": -1}}}"#,
                #"[{"d":9},{"b":{"c":1},"d":5},{"b":{"c":1},"d":4},{"b":{"c":2}}]"#,
                of: #"{"a": [{"b": {"c": 2}}, {"b": {"c": 1}, "d": 4}, {"b": {"c": 1}, "d": 5}, {"d": 9}]}"#),
            .init(#"{"$zip": {"inputs": [[1, 2], ["a"]]}}"#, #"[[1,"a"]]"#),
            .init(
                #"{"$zip": {"inputs": [[1, 2], ["a"]], "useLongestLength": true, "defaults": [0, "z"]}}"#,
                #"[[1,"a"],[2,"z"]]"#),
        ] as [ExpressionCheck])
    func values(check: ExpressionCheck) throws { try check.run() }

    @Test(
        "loops bind the element and its index, and see what is around them",
        arguments: [
            .init(
                #"{"$map": {"input": "$a", "in": {"$add": ["$$this", "$b"]}}}"#, "[11,12]",
                of: #"{"a": [1, 2], "b": 10}"#),
            .init(
                #"{"$map": {"input": [7, 8], "as": "x", "in": ["$$x", "$$IDX", "$none"]}}"#, "[[7,0,null],[8,1,null]]"),
            .init(#"{"$map": {"input": [7, 8], "arrayIndexAs": "i", "in": "$$i"}}"#, "[0,1]"),
            .init(
                #"{"$map": {"input": [1, 2], "in": {"$map": {"input": [3], "as": "y", "in": ["$$this", "$$y"]}}}}"#,
                "[[[1,3]],[[2,3]]]"),
            .init(#"{"$map": {"input": "$x", "in": 1}}"#, "null"),
            .init(#"{"$map": {"input": [{"b": 1}], "as": "CURRENT", "in": "$b"}}"#, "[1]"),
            .init(#"{"$filter": {"input": [1, 2, 3, 4], "cond": {"$gt": ["$$this", 1]}, "limit": 2}}"#, "[2,3]"),
            .init(#"{"$filter": {"input": [5, 6, 7], "as": "x", "cond": {"$ne": ["$$IDX", 1]}}}"#, "[5,7]"),
            .init(
                #"{"$reduce": {"input": [1, 2, 3], "initialValue":0,"in": {"$add": ["$$value", "$$this", "$$IDX"]}}}"#,
                "9"),
            .init(
                #"{"$reduce": {"input": [1, 2], "initialValue": [], "as": "e", "valueAs": "all", "in": "#
                    + #"{"$concatArrays": ["$$all", ["$$e"]]}}}"#, "[1,2]"),
        ] as [ExpressionCheck])
    func loops(check: ExpressionCheck) throws { try check.run() }

    @Test("a loop takes back the memory of its turns")
    func loopMemory() throws {
        // Each loop makes more than 350 MiB on the way; one document may take 256 MiB.
        let text = String(repeating: "x", count: 10_000)
        let document = #"{"a": [\#(Array(repeating: "\"\(text)\"", count: 300).joined(separator: ","))]}"#
        let work = #"{"$size": {"$concatArrays": ["$a", "$a"]}}"#
        let grow = #"{"$concatArrays": ["$$value", ["$$this"]]}"#
        try ExpressionCheck(
            #"{"$size": {"$reduce": {"input": "$a", "initialValue": [], "in": \#(grow)}}}"#, "300", of: document
        ).run()
        let turns = #"{"$range": [0, 70]}"#
        try ExpressionCheck(#"{"$size": {"$map": {"input": \#(turns), "in": \#(work)}}}"#, "70", of: document).run()
        try ExpressionCheck(
            #"{"$filter": {"input": \#(turns), "cond": {"$eq": ["$$this", {"$add": [\#(work), -590]}]}}}"#, "[10]",
            of: document
        ).run()
    }

    @Test(
        "wrong uses are refused with MongoDB's codes",
        arguments: [
            (#"{"$arrayElemAt": [1, 0]}"#, 28689), (#"{"$arrayElemAt": [[1], "a"]}"#, 28690),
            (#"{"$arrayElemAt": [[1], 1.5]}"#, 28691), (#"{"$first": 1}"#, 28689), (#"{"$concatArrays": [1]}"#, 28664),
            (#"{"$in": [1, null]}"#, 40081), (#"{"$indexOfArray": [1, 1]}"#, 40090),
            (#"{"$indexOfArray": [[1]]}"#, 28667),
            (#"{"$indexOfArray": [[1], 1, -1]}"#, 9_711_601), (#"{"$range": [null, 1]}"#, 34443),
            (#"{"$range": [0, 2147483647]}"#, 146), (#"{"$range": [0, 1, 0]}"#, 34449), (#"{"$size": null}"#, 17124),
            (#"{"$slice": [[1], 0, 0]}"#, 28729), (#"{"$filter": {"input": [1]}}"#, 28650),
            (#"{"$filter": {"input": [1], "cond": 1, "limit": 0}}"#, 327_392), (#"{"$map": {"in": 1}}"#, 16880),
            (#"{"$map": {"input": [1], "as": "", "in": 1}}"#, 9), (#"{"$map": {"input": 1, "in": 1}}"#, 16883),
            (#"{"$reduce": {"input": [1], "in": 1}}"#, 40078), (#"{"$zip": {"inputs": []}}"#, 34465),
            (#"{"$sortArray": {"input": [1], "sortBy": 2}}"#, 2_942_506),
            (#"{"$sortArray": {"input": [1], "sortBy": {"$numberLong": "-9223372036854775808"}}}"#, 2_942_506),
            (#"{"$firstN": {"n": 0, "input": [1]}}"#, 7_548_606), (#"{"$minN": {"n": 1, "input": null}}"#, 5_788_200),
            (#"{"$map": {"input": [1], "in": "$$value"}}"#, 17276),
        ] as [(String, Int32)])
    func refusals(expression: String, code: Int32) {
        #expect(ExpressionCheck.code(expression) == code)
    }
}
