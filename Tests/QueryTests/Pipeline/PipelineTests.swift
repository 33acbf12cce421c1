import BSON
import CommandModel
import Testing

@testable import Query

/// Runs stages over documents as Storage does, but without a source: batch by batch, each of a random size.
struct PipelineHarness {
    var limits = StageLimits()
    var environment = ExpressionEnvironment.none
    var random = SeededGenerator(seed: 1)

    mutating func run(_ pipeline: String, over documents: [Document]) throws -> [Document] {
        let stages = try json(#"{"p":\#(pipeline)}"#).withRaw { raw throws(CommandError) in
            try PipelineCompiler(in: environment).compile(raw["p"]?.array ?? .none).pipeline.stages
        }
        return try run(Pipeline(stages), over: documents)
    }

    mutating func run(_ pipeline: Pipeline, over documents: [Document]) throws -> [Document] {
        var documents = documents
        for stage in pipeline.stages { documents = try run(stage.makeRun(limits), over: documents) }
        return documents
    }

    private mutating func run(_ stage: any StageRun, over documents: [Document]) throws -> [Document] {
        var results: [Document] = []
        var rest = documents[...]
        while !rest.isEmpty, !stage.isSatisfied {
            let input = Batch(rest.prefix(Int.random(in: 1...7, using: &random)))
            rest = rest.dropFirst(input.count)
            var position = 0
            while position < input.count, !stage.isSatisfied {
                var output = Batch()
                try stage.process(input, from: &position, into: &output)
                results += output.documents
            }
        }
        while true {
            var output = Batch()
            try stage.finish(into: &output)
            if output.isEmpty { return results }
            results += output.documents
        }
    }
}

@Suite struct PipelineTests {
    private func run(_ pipeline: String, _ documents: [String]) throws -> [String] {
        var harness = PipelineHarness()
        return try harness.run(pipeline, over: documents.map { json($0) }).map(\.text)
    }

    @Test(
        "a pipeline yields what MongoDB's would",
        arguments: [
            (#"[{"$match":{"a":{"$gt":1}}}]"#, [#"{"a":2}"#, #"{"a":3}"#]),
            (#"[{"$skip":1},{"$limit":1}]"#, [#"{"a":2}"#]),
            (#"[{"$limit":9}]"#, [#"{"a":1}"#, #"{"a":2}"#, #"{"a":3}"#]),
            (#"[{"$sort":{"a":-1}},{"$limit":2}]"#, [#"{"a":3}"#, #"{"a":2}"#]),
            (#"[{"$group":{"_id":null,"n":{"$sum":"$a"},"m":{"$max":"$a"}}}]"#, [#"{"_id":null,"n":6,"m":3}"#]),
            (
                #"[{"$group":{"_id":{"$mod":["$a",2]},"v":{"$push":"$a"}}}]"#,
                [#"{"_id":1,"v":[1,3]}"#, #"{"_id":0,"v":[2]}"#]
            ),
            (#"[{"$count":"n"}]"#, [#"{"n":3}"#]), (#"[{"$match":{"a":9}},{"$count":"n"}]"#, []),
            (#"[{"$project":{"l":["$a",9]}},{"$unwind":"$l"},{"$match":{"l":9}},{"$count":"n"}]"#, [#"{"n":3}"#]),
            (#"[{"$replaceWith":{"x":"$a"}},{"$match":{"x":1}}]"#, [#"{"x":1}"#]),
            (#"[{"$sortByCount":{"$gt":["$a",1]}}]"#, [#"{"_id":true,"count":2}"#, #"{"_id":false,"count":1}"#]),
        ] as [(String, [String])])
    func results(pipeline: String, expected: [String]) throws {
        #expect(try run(pipeline, [#"{"a":1}"#, #"{"a":2}"#, #"{"a":3}"#]) == expected.map { json($0).text })
    }

    @Test(
        "$unwind gives a document for each element",
        arguments: [
            (#""$a""#, [#"{"i":1,"a":1}"#, #"{"i":1,"a":2}"#, #"{"i":5,"a":7}"#]),
            (
                #"{"path":"$a","preserveNullAndEmptyArrays":true}"#,
                [
                    #"{"i":1,"a":1}"#, #"{"i":1,"a":2}"#, #"{"i":2}"#, #"{"i":3}"#, #"{"i":4,"a":null}"#,
                    #"{"i":5,"a":7}"#,
                ]
            ),
            (
                #"{"path":"$a","includeArrayIndex":"n.x"}"#,
                [#"{"i":1,"a":1,"n":{"x":0}}"#, #"{"i":1,"a":2,"n":{"x":1}}"#, #"{"i":5,"a":7,"n":{"x":null}}"#]
            ),
        ] as [(String, [String])])
    func unwind(specification: String, expected: [String]) throws {
        let documents = [
            #"{"i":1,"a":[1,2]}"#, #"{"i":2,"a":[]}"#, #"{"i":3}"#, #"{"i":4,"a":null}"#, #"{"i":5,"a":7}"#,
        ]
        #expect(try run(#"[{"$unwind":\#(specification)}]"#, documents) == expected.map { json($0).text })
    }

    @Test("a document that unwinds to more than a batch holds goes on in the next")
    func largeUnwind() throws {
        let elements = (0..<5000).map(String.init).joined(separator: ",")
        let results = try run(#"[{"$unwind":"$a"}]"#, [#"{"a":[\#(elements)]}"#, #"{"a":[-1]}"#])
        #expect(results.count == 5001)
        #expect(results.last == json(#"{"a":-1}"#).text)
    }

    @Test("groups and sorts are the same in little memory", arguments: [UInt64.random(in: 0...UInt64.max)])
    func spilling(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let documents = (0..<600).map { index in
            json(#"{"_id":\#(index),"k":\#(Int.random(in: 0..<90, using: &random)),"v":\#(index % 13)}"#)
        }
        for pipeline in [
            #"[{"$group":{"_id":"$k","s":{"$sum":"$v"},"l":{"$push":"$_id"}}},{"$sort":{"_id":1}}]"#,
            #"[{"$sort":{"v":-1,"_id":1}}]"#,
        ] {
            var roomy = PipelineHarness(random: random)
            var tight = PipelineHarness(random: random)
            let space = MemorySpace()
            (tight.limits.memoryBytesMax, tight.limits.spill) = (4000, space)
            let expected = try roomy.run(pipeline, over: documents)
            #expect(try tight.run(pipeline, over: documents) == expected, "seed \(seed)")
            #expect(!space.isEmpty, "nothing was spilled")
            tight.limits.spill = nil
            #expect(errorCode { _ = try tight.run(pipeline, over: documents) } == 292)
        }
    }

    @Test(
        "what is no pipeline is refused with MongoDB's code",
        arguments: [
            (#"[{"$nope":1}]"#, 40324), (#"[{"$out":"a"}]"#, 72), (#"[{}]"#, 40323), ("[1]", 14),
            (#"[{"$limit":0}]"#, 15958),
            (#"[{"$skip":-1}]"#, 5_107_200), (#"[{"$match":1}]"#, 15959), (#"[{"$group":{}}]"#, 15955),
            (#"[{"$group":1}]"#, 15947), (#"[{"$sort":{}}]"#, 15976), (#"[{"$unwind":"a"}]"#, 28818),
            (#"[{"$unwind":{}}]"#, 28812), (#"[{"$count":""}]"#, 40157), (#"[{"$unset":[]}]"#, 31119),
            (#"[{"$replaceRoot":{}}]"#, 40414), (#"[{"$sample":{"size":0}}]"#, 28747),
            (#"[{"$project":{}}]"#, 51272),
        ] as [(String, Int32)])
    func refusals(pipeline: String, code: Int32) {
        #expect(errorCode { _ = try run(pipeline, [#"{"a":1}"#]) } == code, "\(pipeline)")
    }
}
