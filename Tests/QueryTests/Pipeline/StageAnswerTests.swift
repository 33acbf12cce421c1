import BSON
import CommandModel
import Testing

@testable import Query

@Suite("what stages answer in cases that few think of")
struct StageAnswerTests {
    @Test(
        "results",
        arguments: [
            // What computes a field in an array makes documents of what is none.
            (
                #"{"$project": {"_id": 0, "a.b": {"$literal": 9}}}"#, #"{"a": [{"b": 1}, 2, null, {"c": 3}, [4]]}"#,
                #"{"a":[{"b":9},{"b":9},{"b":9},{"b":9},[{"b":9}]]}"#
            ),
            (#"{"$project": {"_id": 0, "a.b": 1}}"#, #"{"a": [{"b": 1}, 2]}"#, #"{"a":[{"b":1}]}"#),
            // Nobody knows these, and nobody is refused.
            (#"{"$project": {"a": 1, "r": {"$meta": "randVal"}}}"#, #"{"a": 1}"#, #"{"a":1}"#),
            (#"{"$project": {"a": 0, "r": {"$meta": "randVal"}}}"#, #"{"a": 1, "b": 2}"#, #"{"b":2}"#),
            (#"{"$addFields": {"r": {"$meta": "searchScore"}}}"#, #"{"a": 1}"#, #"{"a":1}"#),
            // An order of nothing is an order.
            (
                #"{"$setWindowFields": {"sortBy": {}, "output": {"r": {"$sum": "$a", "#
                    + #""window": {"documents": [-1, 0]}}}}}"#,
                #"{"a": 1}"#, #"{"a":1,"r":1}"#
            ),
        ])
    func results(stage: String, document: String, expected: String) throws {
        #expect(try give(try compile("[\(stage)]"), [json(document)]) == [expected])
    }

    @Test(
        "refusals",
        arguments: [
            (#"{"$bucket": {"groupBy": "$a", "boundaries": [0, "$$NOW"]}}"#, 40191),
            (#"{"$replaceWith": "$$DESCEND"}"#, 17276), (#"{"$project": {"a": "$$KEEP"}}"#, 17276),
            (#"{"$project": {"r": {"$meta": "textScore"}}}"#, 40218),
            (
                #"{"$setWindowFields": {"output": {"r": {"$sum": "$a", "window": {"documents": [-1, 0]}}}}}"#, 5_339_901
            ),
            (#"{"$unionWith": {"coll": "d", "pipeline": [{"$listClusterCatalog": {}}]}}"#, 9_621_301),
            (#"{"$unionWith": {"coll": "d", "pipeline": [{"$querySettings": {}}]}}"#, 73),
            (#"{"$unionWith": {"coll": "d", "pipeline": [{"$match": {}}, {"$collStats": {}}]}}"#, 40602),
            (
                #"{"$lookup": {"from": "f", "localField": "a", "foreignField": "b", "as": "j", "#
                    + #""pipeline": [{"$collStats": {}}]}}"#, 40602
            ),
        ] as [(String, Int32)])
    func refusals(stage: String, code: Int32) {
        #expect(errorCode { _ = try compile("[\(stage)]") } == code)
    }

    @Test("a variable without a value is not there, where a command defines it, too")
    func absent() throws {
        var environment = ExpressionEnvironment.anyTime
        try environment.define(json(#"{"x": "$$REMOVE", "y": 1}"#))
        let stage = json(#"{"p": [{"$addFields": {"x": "$$x", "y": "$$y"}}]}"#)
        let pipeline = try stage.withRaw { raw in
            try PipelineCompiler(in: environment).compile(raw["p"]?.array ?? .none).pipeline
        }
        #expect(try give(pipeline, [json("{}")]) == [#"{"y":1}"#])
    }
}
