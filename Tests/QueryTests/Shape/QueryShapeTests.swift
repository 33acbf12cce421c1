import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Shapes of queries")
struct QueryShapeTests {
    @Test(
        "filters of one shape, for query settings and for plans",
        arguments: [
            (#"{"a":1}"#, #"{"a":{"$eq":2.5}}"#, true, true), (#"{"a":1}"#, #"{"a":"x"}"#, false, true),
            (#"{"a":1}"#, #"{"b":1}"#, false, false), (#"{"a":1}"#, #"{"a.b":1}"#, false, false),
            (#"{"a":1,"b":2}"#, #"{"$and":[{"a":1},{"b":2}]}"#, true, true),
            (#"{"a":1,"b":2}"#, #"{"b":2,"a":1}"#, false, true),
            (#"{"a":{"$gt":1,"$lt":5}}"#, #"{"$and":[{"a":{"$gt":7}},{"a":{"$lt":9}}]}"#, true, true),
            (#"{"a":{"$gt":1}}"#, #"{"a":{"$gte":1}}"#, false, false),
            (#"{"a":{"$in":[1,2]}}"#, #"{"a":{"$in":[5,6,7]}}"#, true, true),
            (#"{"a":{"$in":[1,2]}}"#, #"{"a":{"$in":[1,"x"]}}"#, false, true),
            (#"{"a":{"$in":[1]}}"#, #"{"a":{"$in":[1,2]}}"#, true, false),
            (#"{"a":{"$in":[1]}}"#, #"{"a":1}"#, false, true),
            (#"{"a":{"$in":[1,2]}}"#, #"{"a":{"$nin":[1,2]}}"#, false, false),
            (#"{"a":{"$all":[1,2]}}"#, #"{"a":{"$all":[3,4]}}"#, true, true),
            (#"{"a":{"$all":[1]}}"#, #"{"a":{"$all":[1,2]}}"#, false, false),
            (#"{"a":{"$exists":true}}"#, #"{"a":{"$exists":false}}"#, false, false),
            (#"{"a":{"$exists":1}}"#, #"{"a":{"$exists":true}}"#, true, true),
            (#"{"a":{"$ne":1}}"#, #"{"a":{"$not":{"$eq":1}}}"#, true, true),
            (#"{"a":{"$ne":1}}"#, #"{"a":1}"#, false, false),
            (#"{"a":{"$type":"int"}}"#, #"{"a":{"$type":["int"]}}"#, true, true),
            (#"{"a":{"$type":"int"}}"#, #"{"a":{"$type":"string"}}"#, false, true),
            (#"{"a":{"$regex":"^a"}}"#, #"{"a":{"$regex":"^b"}}"#, true, true),
            (#"{"a":{"$regex":"a","$options":"i"}}"#, #"{"a":{"$regex":"a"}}"#, false, false),
            (#"{"a":{"$elemMatch":{"$gt":1}}}"#, #"{"a":{"$elemMatch":{"$gt":2}}}"#, true, true),
            (#"{"a":{"$elemMatch":{"$gt":1}}}"#, #"{"a":{"$elemMatch":{"b":{"$gt":1}}}}"#, false, false),
            (#"{"$or":[{"a":1},{"b":2}]}"#, #"{"$or":[{"b":1},{"a":2}]}"#, false, true),
            (#"{"$or":[{"a":1},{"b":2}]}"#, #"{"$nor":[{"a":1},{"b":2}]}"#, false, false),
            (#"{"$or":[{"a":1},{"b":2}]}"#, #"{"$and":[{"a":1},{"b":2}]}"#, false, false),
            (#"{"$expr":{"$gt":["$a",1]}}"#, #"{"$expr":{"$gt":["$a",7]}}"#, true, true),
            (#"{"$expr":{"$gt":["$a","$b"]}}"#, #"{"$expr":{"$lt":["$a","$b"]}}"#, false, true),
            (#"{"$jsonSchema":{"required":["a"]}}"#, #"{"$jsonSchema":{"required":["b"]}}"#, false, false),
            (#"{"$jsonSchema":{"maxProperties":5}}"#, #"{"$jsonSchema":{"maxProperties":9}}"#, true, true),
            (#"{"a":1,"$comment":"x"}"#, #"{"a":1}"#, true, true), (#"{}"#, #"{"$and":[{}]}"#, true, true),
            (#"{"a":{"b":1}}"#, #"{"a":{"c":5,"d":6}}"#, true, true),
            (#"{"a":{"$mod":[2,0]}}"#, #"{"a":{"$mod":[3,1]}}"#, true, true),
        ] as [(String, String, Bool, Bool)])
    func filters(_ left: String, _ right: String, isSameQuery: Bool, isSamePlan: Bool) throws {
        let queries = try [left, right].map { try Self.shape(#"{"find":"c","filter":\#($0)}"#).hash }
        #expect((queries[0] == queries[1]) == isSameQuery)
        let plans = [left, right].map { PlanShape(filter: json($0)) }
        #expect((plans[0] == plans[1]) == isSamePlan)
        #expect((plans[0].hash == plans[1].hash) == isSamePlan)
    }

    @Test(
        "what else of a command is part of its shape",
        arguments: [
            (#"{"find":"c","limit":5}"#, #"{"find":"c","limit":7}"#, true),
            (#"{"find":"c","limit":5}"#, #"{"find":"c"}"#, false), (#"{"find":"c","limit":0}"#, #"{"find":"c"}"#, true),
            (#"{"find":"c","filter":{},"sort":{},"projection":{}}"#, #"{"find":"c"}"#, true),
            (#"{"find":"c","sort":{"a":1}}"#, #"{"find":"c","sort":{"a":-1}}"#, false),
            (#"{"find":"c","sort":{"a":1}}"#, #"{"find":"c","sort":{"a":1.0}}"#, true),
            (#"{"find":"c","projection":{"a":1}}"#, #"{"find":"c","projection":{"a":true}}"#, true),
            (#"{"find":"c","projection":{"a":1}}"#, #"{"find":"c","projection":{"a":0}}"#, false),
            (#"{"find":"c","hint":{"a":1},"batchSize":7,"comment":"x"}"#, #"{"find":"c"}"#, true),
            (#"{"find":"c"}"#, #"{"find":"d"}"#, false), (#"{"find":"c"}"#, #"{"count":"c"}"#, false),
            (#"{"distinct":"c","key":"a"}"#, #"{"distinct":"c","key":"b"}"#, false),
            (#"{"aggregate":"c","pipeline":[]}"#, #"{"aggregate":"c","pipeline":[{"$limit":1}]}"#, false),
            (#"{"aggregate":"c","pipeline":[{"$limit":1}]}"#, #"{"aggregate":"c","pipeline":[{"$limit":2}]}"#, true),
            (
                #"{"aggregate":"c","pipeline":[{"$lookup":{"from":"x","as":"a","pipeline":[{"$match":{"a":1}}]}}]}"#,
                #"{"aggregate":"c","pipeline":[{"$lookup":{"from":"x","as":"a","pipeline":[{"$match":{"a":2}}]}}]}"#,
                true
            ),
            (
                #"{"aggregate":"c","pipeline":[{"$lookup":{"from":"x","as":"a","pipeline":[]}}]}"#,
                #"{"aggregate":"c","pipeline":[{"$lookup":{"from":"y","as":"a","pipeline":[]}}]}"#, false
            ),
            (
                #"{"aggregate":"c","pipeline":[{"$facet":{"f":[{"$sort":{"a":1}}]}}]}"#,
                #"{"aggregate":"c","pipeline":[{"$facet":{"f":[{"$sort":{"a":-1}}]}}]}"#, false
            ),
            (
                #"{"aggregate":"c","pipeline":[{"$group":{"_id":"$a","n":{"$sum":1}}}]}"#,
                #"{"aggregate":"c","pipeline":[{"$group":{"_id":"$b","n":{"$sum":1}}}]}"#, false
            ),
        ] as [(String, String, Bool)])
    func commands(_ left: String, _ right: String, isSame: Bool) throws {
        #expect((try Self.shape(left).hash == Self.shape(right).hash) == isSame)
    }

    @Test("a shape is shown with placeholders")
    func shown() throws {
        let shape = try Self.shape(
            #"{"find":"c","filter":{"a":{"$gt":5},"b":{"$in":["x"]},"$or":[{"c":null},{"d":{"$not":{"$gt":1}}}]},"#
                + #""sort":{"a":-1}}"#
        )
        let expected =
            #"{"cmdNs":{"db":"test","coll":"c"},"command":"find","filter":{"$and":[{"a":{"$gt":"?number"}},"#
            + #"{"b":{"$in":"?array<?string>"}},{"$or":[{"c":{"$eq":"?null"}},{"d":{"$not":{"$gt":"?number"}}}]}]},"#
            + #""sort":{"a":-1}}"#
        #expect(shape.document.text.filter { $0 != " " } == expected)
        #expect(shape.hash.description.utf8.count == 64)
    }

    @Test("hashes are the same in every process and version: settings are stored under them")
    func hashesStay() throws {
        let shape = try Self.shape(#"{"find":"c","filter":{"a":1}}"#)
        #expect(shape.hash.description == "1FE25CBDAED0F12DA4BF1D52257A93E26C25C0C8BC1F9595785A663CE0072DFD")
        #expect(PlanShape(filter: json(#"{"a":1}"#)).hash == "F2D52CDF")
    }

    @Test("a sort, a projection and a collation make another shape of plans, their order or spelling does not")
    func plans() {
        let filter = json(#"{"a":1}"#)
        let plain = PlanShape(filter: filter)
        #expect(plain == PlanShape(filter: filter, sort: .empty, projection: .empty))
        #expect(plain != PlanShape(filter: filter, sort: json(#"{"a":1}"#)))
        #expect(
            PlanShape(filter: filter, sort: json(#"{"a":1}"#)) != PlanShape(filter: filter, sort: json(#"{"a":-1}"#)))
        #expect(
            PlanShape(filter: filter, projection: json(#"{"a":1,"b":1}"#))
                == PlanShape(filter: filter, projection: json(#"{"b":1,"a":true}"#)))
        #expect(plain != PlanShape(filter: filter, collation: json(#"{"locale":"en"}"#)))
        #expect(plain.key(amongIndexes: ["a_1"]) != plain.key(amongIndexes: []))
    }

    @Test("commands without a shape", arguments: [#"{"insert":"c"}"#, #"{}"#, #"{"explain":{"find":"c"}}"#])
    func shapeless(command: String) {
        #expect(QueryShape(of: json(command), in: "test") == nil)
    }

    @Test(
        "hashes that clients give",
        arguments: [
            ("", 16), ("ABCD", 16), (String(repeating: "A", count: 66), 16), ("tooshort", 2),
            (String(repeating: "G", count: 64), 2), ("ABC", 2), (String(repeating: "é", count: 32), 2),
            (String(repeating: "aB", count: 32), nil),
        ] as [(String, Int32?)])
    func hashes(text: String, code: Int32?) {
        #expect(errorCode { _ = try QueryShapeHash(text) } == code)
    }

    @Test("nothing in a filter makes its shape grow without bound, or traps")
    func hostile() {
        var nested = #"{"a":1}"#
        for _ in 0..<40 { nested = #"{"$and":[\#(nested)]}"# }
        _ = PlanShape(filter: json(nested)).hash
        for odd in [
            #"{"$and":5}"#, #"{"$or":[1,null]}"#, #"{"a":{"$all":1}}"#, #"{"a":{"$elemMatch":5}}"#,
            #"{"a":{"$not":5}}"#,
        ] {
            _ = PlanShape(filter: json(odd)).hash
            #expect(QueryShape(of: json(#"{"find":"c","filter":\#(odd)}"#), in: "d") != nil)
        }
    }

    private static func shape(_ command: String) throws -> QueryShape {
        try #require(QueryShape(of: json(command), in: "test"))
    }
}
