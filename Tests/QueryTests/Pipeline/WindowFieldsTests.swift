import BSON
import CommandModel
import Testing

@testable import Query

@Suite struct WindowFieldsTests {
    private static let numbers = #"[{"t": 1, "v": 10}, {"t": 2, "v": 20}, {"t": 4, "v": 40}, {"t": 5}]"#

    /// The results of one function over ``numbers``, in order.
    private func column(_ function: String, on documents: String = numbers) throws -> String {
        let pipeline = #"""
            [{"$setWindowFields": {"sortBy": {"t": 1}, "output": {"r": \#(function)}}}, {"$project": {"r": 1}},
                {"$group": {"_id": null, "r": {"$push": "$r"}}}, {"$project": {"_id": 0}}]
            """#
        return try run(pipeline, on: documents)
    }

    @Test(
        "a function sees the documents of its frame",
        arguments: [
            (#"{"$sum": "$v"}"#, "[70,70,70,70]"),
            (#"{"$sum": "$v", "window": {"documents": ["unbounded", "current"]}}"#, "[10,30,70,70]"),
            (#"{"$sum": "$v", "window": {"documents": ["current", "unbounded"]}}"#, "[70,60,40,0]"),
            (#"{"$sum": "$v", "window": {"documents": [-1, 1]}}"#, "[30,70,60,40]"),
            (#"{"$push": "$t", "window": {"documents": [-2, -1]}}"#, "[[],[1],[1,2],[2,4]]"),
            (#"{"$push": "$t", "window": {"documents": [5, 9]}}"#, "[[],[],[],[]]"),
            (#"{"$push": "$t", "window": {"range": [-1, 1]}}"#, "[[1,2],[1,2],[4,5],[4,5]]"),
            (#"{"$push": "$t", "window": {"range": [1, 3]}}"#, "[[2,4],[4,5],[5],[]]"),
            (#"{"$push": "$t", "window": {"range": ["unbounded", "current"]}}"#, "[[1],[1,2],[1,2,4],[1,2,4,5]]"),
            (#"{"$max": "$v", "window": {"documents": [-1, 0]}}"#, "[10,20,40,40]"),
        ])
    func frame(_ function: String, _ expected: String) throws {
        #expect(try column(function) == #"[{"r":\#(expected)}]"#)
    }

    @Test(
        "a function without a frame sees its partition",
        arguments: [
            (#"{"$rank": {}}"#, "[1,2,3,4]"), (#"{"$documentNumber": {}}"#, "[1,2,3,4]"),
            (#"{"$shift": {"output": "$t", "by": 1}}"#, "[2,4,5,null]"),
            (#"{"$shift": {"output": "$t", "by": -3, "default": "x"}}"#, #"["x","x","x",1]"#),
            (#"{"$locf": "$v"}"#, "[10,20,40,40]"), (#"{"$linearFill": "$v"}"#, "[10,20,40,null]"),
            (#"{"$expMovingAvg": {"input": "$v", "alpha": 0.5}}"#, "[10.0,15.0,27.5,null]"),
            (#"{"$derivative": {"input": "$t"}, "window": {"documents": [-1, 0]}}"#, "[null,1.0,1.0,1.0]"),
            (#"{"$integral": {"input": "$t"}}"#, "[12.0,12.0,12.0,12.0]"),
        ])
    func frameless(_ function: String, _ expected: String) throws {
        #expect(try column(function) == #"[{"r":\#(expected)}]"#)
    }

    @Test("ties have one rank, and a gap or none behind them")
    func ties() throws {
        let tied = #"[{"t": 1}, {"t": 1}, {"t": 2}]"#
        #expect(try column(#"{"$rank": {}}"#, on: tied) == #"[{"r":[1,1,3]}]"#)
        #expect(try column(#"{"$denseRank": {}}"#, on: tied) == #"[{"r":[1,1,2]}]"#)
    }

    @Test("partitions are apart, and null and missing are one")
    func partitions() throws {
        let pipeline = #"""
            [{"$setWindowFields": {"partitionBy": "$p", "sortBy": {"t": 1},
                "output": {"n.m": {"$count": {}, "window": {"documents": ["unbounded", "current"]}}}}}]
            """#
        let documents = #"[{"p": "b", "t": 1}, {"t": 2}, {"p": "b", "t": 0}, {"p": null, "t": 1}]"#
        let expected =
            #"[{"p":null,"t":1,"n":{"m":1}}, {"t":2,"n":{"m":2}}, {"p":"b","t":0,"n":{"m":1}}, "#
            + #"{"p":"b","t":1,"n":{"m":2}}]"#
        #expect(try run(pipeline, on: documents) == expected)
    }

    @Test(
        "a line of missing values is filled between its neighbours only",
        arguments: [
            (#"[{"t": 0}, {"t": 1, "v": 1}, {"t": 2}, {"t": 4}, {"t": 5, "v": 9}]"#, "[null,1,3.0,7.0,9]"),
            (#"[{"t": 0}, {"t": 1}]"#, "[null,null]"),
        ])
    func line(_ documents: String, _ expected: String) throws {
        #expect(try column(#"{"$linearFill": "$v"}"#, on: documents) == #"[{"r":\#(expected)}]"#)
    }

    @Test(
        "what cannot be computed is refused",
        arguments: [
            (#"{"output": {}, "x": 1}"#, 40415), (#"{}"#, 40414), (#"{"sortBy": 1, "output": {}}"#, 14),
            (#"{"output": {"a": {"$sum": 1, "window": {"documents": [1, 0]}}}}"#, 5_339_900),
            (#"{"output": {"a": {"$sum": 1, "window": {"documents": [0, 1]}}}}"#, 5_339_901),
            (#"{"output": {"a": {"$sum": 1, "window": {"range": [0, 1]}}}}"#, 5_339_902),
            (#"{"sortBy": {"t": -1}, "output": {"a": {"$sum": 1, "window": {"range": [0, 1]}}}}"#, 8_947_401),
            (#"{"sortBy": {"x": 1}, "output": {"a": {"$sum": 1, "window": {"range": [0, 1]}}}}"#, 5_429_414),
            (#"{"output": {"a": {"$rank": {}}}}"#, 5_371_602),
            (#"{"output": {"a": {"$mergeObjects": "$t"}}}"#, 9), (#"{"output": {"a": {"window": {}}}}"#, 9),
            (#"{"partitionBy": ["$t"], "output": {}}"#, 14),
            (#"{"output": {"a": {"$sum": 1}, "a.b": {"$sum": 1}}}"#, 40176),
        ] as [(String, Int32)])
    func refused(_ specification: String, _ code: Int32) {
        let pipeline = #"[{"$setWindowFields": \#(specification)}]"#
        #expect(errorCode { _ = try run(pipeline, on: Self.numbers) } == code)
    }

    @Test("a partition larger than memory is refused")
    func memory() {
        var limits = StageLimits()
        limits.memoryBytesMax = 200
        let pipeline = #"[{"$setWindowFields": {"output": {"a": {"$sum": 1}}}}]"#
        let code = errorCode { _ = try run(pipeline, on: Self.numbers, limits) }
        #expect(code == 146 || code == 292)
    }
}
