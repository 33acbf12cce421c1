import BSON
import CommandModel
import Testing

@testable import Query

@Suite("stages that read other collections")
struct ForeignStagesTests {
    static let foreign = [
        #"{"_id":1,"v":1}"#, #"{"_id":2,"v":[1,2]}"#, #"{"_id":3,"v":null}"#, #"{"_id":4}"#, #"{"_id":5,"v":[[1]]}"#,
        #"{"_id":6,"v":{"a":1}}"#,
    ]

    private func run(
        _ pipeline: String, on documents: String, _ reader: MemoryReader, memory: Int? = nil
    ) throws -> String {
        var limits = StageLimits()
        limits.reader = reader
        if let memory { limits.memoryBytesMax = memory }
        return try QueryTests.run(pipeline, on: documents, limits)
    }

    @Test(
        "equality of localField and foreignField",
        arguments: [
            ("1", "1,2"), ("[1]", "1,2"), ("[2, 1]", "1,2"), ("2", "2"), ("1.0", "1,2"), ("null", "3,4"), ("[]", "3,4"),
            ("[null]", "3,4"), ("[[1]]", "5"), (#"{"a": 1}"#, "6"), (#"{"a": 2}"#, ""), (#"[{"a": 1}, null]"#, "3,4,6"),
        ])
    func equality(local: String, expected: String) throws {
        for memory in [nil, 900] {
            let result = try run(
                #"[{"$lookup": {"from": "f", "localField": "x", "foreignField": "v", "as": "j"}}]"#,
                on: #"[{"x": \#(local)}]"#, MemoryReader(["f": Self.foreign]), memory: memory)
            #expect(ids(result) == expected)
        }
    }

    private func ids(_ text: String) -> String {
        text.split(separator: #""_id":"#).dropFirst().map { $0.prefix { $0.isNumber } }.joined(separator: ",")
    }

    @Test("what is not there is null on both sides")
    func missing() throws {
        let reader = MemoryReader(["f": Self.foreign])
        let stage = #"[{"$lookup": {"from": "f", "localField": "y", "foreignField": "v", "as": "j"}}]"#
        #expect(ids(try run(stage, on: #"[{"x": 1}]"#, reader)) == "3,4")
    }

    @Test("documents of a batch are looked up by their keys together")
    func keys() throws {
        let reader = MemoryReader(["f": (0..<50).map { #"{"_id":\#($0)}"# }])
        let documents = "[" + (0..<20).map { #"{"x":\#($0)}"# }.joined(separator: ",") + "]"
        let stage = #"[{"$lookup": {"from": "f", "localField": "x", "foreignField": "_id", "as": "j"}}]"#
        let batch = try run(stage, on: documents, reader)
        #expect(batch.contains(#"{"x":19,"j":[{"_id":19}]}"#))
        // The harness cuts its input into batches of up to seven documents.
        #expect(reader.opened.count <= 20 && reader.opened.allSatisfy { $0.contains("$in") })
    }

    @Test("a collection without keys is read for the first batch, then once for all")
    func scans() throws {
        let reader = MemoryReader(["f": (0..<50).map { #"{"_id":\#($0),"v":\#($0)}"# }])
        let documents = "[" + (0..<40).map { #"{"x":\#($0)}"# }.joined(separator: ",") + "]"
        let stage = #"[{"$lookup": {"from": "f", "localField": "x", "foreignField": "v", "as": "j"}}]"#
        let result = try run(stage, on: documents, reader)
        #expect(result.contains(#"{"x":39,"j":[{"_id":39,"v":39}]}"#))
        #expect(reader.opened == ["f", "f"])
    }

    @Test("what does not fit into memory is read in several passes, and gives the same", arguments: [250, 700, 5_000])
    func passes(memory: Int) throws {
        let foreign = (0..<60).map { #"{"_id":\#($0),"v":\#($0 % 30)}"# }
        let documents = "[" + (0..<30).map { #"{"x":\#($0)}"# }.joined(separator: ",") + "]"
        let stage = #"[{"$lookup": {"from": "f", "localField": "x", "foreignField": "v", "as": "j"}}]"#
        let all = try run(stage, on: documents, MemoryReader(["f": foreign]))
        let reader = MemoryReader(["f": foreign])
        // The least table takes some hundred bytes for its slots alone.
        #expect(try run(stage, on: documents, reader, memory: memory + 600) == all)
    }

    @Test("too much for one document is refused")
    func tooLarge() {
        let reader = MemoryReader(["f": (0..<60).map { #"{"_id":\#($0),"v":1}"# }])
        let stage = #"[{"$lookup": {"from": "f", "localField": "x", "foreignField": "v", "as": "j"}}]"#
        #expect(errorCode { _ = try run(stage, on: #"[{"x": 1}]"#, reader, memory: 900) } == 4568)
    }

    @Test(
        "a pipeline with variables",
        arguments: [
            (#"[{"$match": {"$expr": {"$gt": ["$v", "$$a"]}}}]"#, "3:2:1:"),
            (#"[{"$match": {"v": {"$gt": 0}}}, {"$match": {"$expr": {"$gt": ["$v", "$$a"]}}}]"#, "3:2:1:"),
            (#"[{"$sort": {"v": -1}}, {"$limit": 1}, {"$match": {"$expr": {"$ne": ["$v", "$$a"]}}}]"#, "1:1:1:"),
            (#"[{"$group": {"_id": "$$a"}}]"#, "1:1:1:"), (#"[{"$match": {"v": 9}}]"#, "0:0:0:"),
        ])
    func variables(pipeline: String, counts: String) throws {
        let foreign = (1...3).map { #"{"_id":\#($0),"v":\#($0)}"# }
        let stages = #"""
            [{"$lookup": {"from": "f", "let": {"a": "$x"}, "pipeline": \#(pipeline), "as": "j"}},
             {"$project": {"_id": 0, "n": {"$size": "$j"}}}]
            """#
        for memory in [nil, 10] where memory == nil || counts != "1:1:1:" && counts != "3:2:1:" {
            let reader = MemoryReader(["f": foreign])
            let result = try run(stages, on: #"[{"x": 0}, {"x": 1}, {"x": 2}]"#, reader, memory: memory)
            let found = result.split(separator: #""n":"#).dropFirst().map { $0.prefix { $0.isNumber } + ":" }.joined()
            #expect(found == counts)
        }
    }

    @Test("the constant front of a pipeline is read once")
    func front() throws {
        let reader = MemoryReader(["f": (0..<50).map { #"{"_id":\#($0),"v":\#($0)}"# }])
        let documents = "[" + (0..<30).map { #"{"x":\#($0)}"# }.joined(separator: ",") + "]"
        let stage = #"""
            [{"$lookup": {"from": "f", "let": {"a": "$x"}, "as": "j", "pipeline":
                [{"$match": {"v": {"$gt": 9}}}, {"$match": {"$expr": {"$eq": ["$v", "$$a"]}}}]}}]
            """#
        let result = try run(stage, on: documents, reader)
        #expect(result.contains(#"{"x":9,"j":[]}, {"x":10,"j":[{"_id":10,"v":10}]}"#))
        #expect(reader.opened.count == 2)
    }

    @Test("a variable without a value is not null")
    func absentVariable() throws {
        let reader = MemoryReader(["f": [#"{"_id":1}"#]])
        let stage = #"""
            [{"$lookup": {"from": "f", "let": {"a": "$x"}, "as": "j", "pipeline":
                [{"$project": {"_id": 0, "t": {"$type": "$$a"}}}]}}]
            """#
        let expected = #"[{"x":null,"j":[{"t":"null"}]}, {"j":[{"t":"missing"}]}]"#
        #expect(try run(stage, on: #"[{"x": null}, {}]"#, reader) == expected)
    }

    @Test("$graphLookup gives each document once, with its depth", arguments: [true, false])
    func graph(hasKeys: Bool) throws {
        // 1 → 2 → 3 → 1, and 4 from 2.
        let reader = MemoryReader([
            "f": [
                #"{"_id":1,"to":2}"#, #"{"_id":2,"to":[3,4]}"#, #"{"_id":3,"to":1}"#, #"{"_id":4}"#, #"{"_id":5}"#,
            ]
        ])
        reader.hasKeys = hasKeys
        let stage = { (rest: String) in
            #"""
            [{"$graphLookup": {"from": "f", "startWith": "$x", "connectFromField": "to", "connectToField": "_id",
                "as": "g", "depthField": "d"\#(rest)}},
             {"$unwind": "$g"}, {"$sort": {"g._id": 1}}, {"$project": {"_id": "$g._id", "d": "$g.d"}}]
            """#
        }
        let all = #"[{"_id":1,"d":0}, {"_id":2,"d":1}, {"_id":3,"d":2}, {"_id":4,"d":2}]"#
        #expect(try run(stage(""), on: #"[{"x": 1}]"#, reader) == all)
        let near = #"[{"_id":1,"d":0}, {"_id":2,"d":1}]"#
        #expect(try run(stage(#", "maxDepth": 1"#), on: #"[{"x": 1}]"#, reader) == near)
        let restricted = stage(#", "restrictSearchWithMatch": {"_id": {"$ne": 2}}"#)
        #expect(try run(restricted, on: #"[{"x": [1, 5]}]"#, reader) == #"[{"_id":1,"d":0}, {"_id":5,"d":0}]"#)
    }

    @Test("a level of the searches from all documents is one read of keys, also through a view that only filters")
    func graphLevels() throws {
        let reader = MemoryReader(["f": (0..<100).map { #"{"_id":\#($0),"to":\#($0 + 1),"v":\#($0 % 10)}"# }])
        let stage = #"""
            [{"$graphLookup": {"from": "w", "startWith": "$x", "connectFromField": "to", "connectToField": "_id",
                "as": "g", "maxDepth": 2}}, {"$project": {"n": {"$size": "$g"}}}]
            """#
        for (view, expected) in [([], 3), ([#"{"$match": {"v": {"$ne": 2}}}"#], 1), ([#"{"$project": {"v": 0}}"#], 3)] {
            let views = ["w": ForeignSource(collection: "f", pipeline: view.map { json($0) })]
            let pipeline = try json(#"{"p": \#(stage)}"#).withRaw { raw in
                try PipelineCompiler(in: .none, views: views).compile(raw["p"]?.array ?? .none).pipeline
            }
            let before = reader.opened.count
            // From 1: what follows 2 is not found where the view hides that.
            let rows = try give(pipeline, (0..<40).map { json(#"{"x":\#($0 * 2 + 1)}"#) }, reader)
            #expect(rows.first == #"{"n":\#(expected)}"#)
            let isFiltered = !view.contains { $0.contains("$project") }
            let opened = reader.opened[before...]
            #expect(opened.count == (isFiltered ? 3 : 1))
            #expect(opened.allSatisfy { $0.contains("$in") == isFiltered })
        }
    }

    @Test("$unionWith puts another collection behind, $facet looks at the same documents more than once")
    func unionAndFacet() throws {
        let reader = MemoryReader(["f": [#"{"a":3}"#, #"{"a":4}"#]])
        let union = #"[{"$unionWith": {"coll": "f", "pipeline": [{"$match": {"a": 4}}]}}, {"$skip": 1}]"#
        #expect(try run(union, on: #"[{"a": 1}, {"a": 2}]"#, reader) == #"[{"a":2}, {"a":4}]"#)
        let facet = #"""
            [{"$facet": {"n": [{"$count": "n"}], "first": [{"$limit": 1}], "none": [{"$match": {"a": 9}}],
                "both": [{"$unionWith": "f"}, {"$group": {"_id": null, "s": {"$sum": "$a"}}}]}}]
            """#
        let expected = #"[{"n":[{"n":2}],"first":[{"a":1}],"none":[],"both":[{"_id":null,"s":10}]}]"#
        #expect(try run(facet, on: #"[{"a": 1}, {"a": 2}]"#, reader) == expected)
    }

    @Test(
        "what MongoDB refuses",
        arguments: [
            (#"{"$lookup": {"from": "f", "localField": "a", "as": "j"}}"#, 9),
            (#"{"$lookup": {"from": "f", "localField": "a", "foreignField": "b"}}"#, 40414),
            (#"{"$lookup": {"from": {"db": "x", "coll": "y"}, "localField": "a", "foreignField": "b", "as": "j"}}"#, 9),
            (#"{"$lookup": {"from": "f", "pipeline": [{"$out": "x"}], "as": "j"}}"#, 51047),
            (#"{"$lookup": {"from": "f", "pipeline": [{"$documents": []}], "as": "j"}}"#, 73),
            (#"{"$lookup": {"from": "f", "let": {"a": 1}, "localField": "a", "foreignField": "b", "as": "j"}}"#, 9),
            (#"{"$lookup": {"from": "f", "let": {"A": 1}, "pipeline": [], "as": "j"}}"#, 9),
            (#"{"$lookup": {"from": "f", "pipeline": [{"$match": {"$expr": "$$b"}}], "as": "j"}}"#, 17276),
            (#"{"$unionWith": {"coll": "f", "pipeline": [{"$out": "x"}]}}"#, 31441), (#"{"$unionWith": 1}"#, 9),
            (#"{"$facet": {}}"#, 40169), (#"{"$facet": {"a": 1}}"#, 40170), (#"{"$facet": {"a": [1]}}"#, 40171),
            (#"{"$facet": {"a": [{"$facet": {"b": []}}]}}"#, 40600), (#"{"$facet": {"a.b": []}}"#, 16412),
            (#"{"$graphLookup": {"from": "f"}}"#, 40105), (#"{"$graphLookup": {"x": 1}}"#, 40104),
        ] as [(String, Int32)])
    func refused(stage: String, code: Int32) {
        #expect(errorCode { _ = try run("[\(stage)]", on: "[]", MemoryReader([:])) } == code)
    }

    @Test("pipelines nest twenty deep, and views do not multiply without bound")
    func bounds() throws {
        var pipeline = "[]"
        for depth in 1...21 {
            pipeline = #"[{"$lookup": {"from": "f", "pipeline": \#(pipeline), "as": "j"}}]"#
            let code = errorCode { _ = try run(pipeline, on: "[]", MemoryReader([:])) }
            #expect(code == (depth > 20 ? 232 : nil))
        }
        var views: [String: ForeignSource] = [:]
        for level in 1...15 {
            let stages = ["a", "b"].map {
                json(#"{"$lookup": {"from": "v\#(level - 1)", "pipeline": [], "as": "\#($0)"}}"#)
            }
            views["v\(level)"] = ForeignSource(collection: "f", pipeline: stages)
        }
        let top = json(#"{"p": [{"$unionWith": "v15"}]}"#)
        let code = errorCode {
            try top.withRaw { raw in
                _ = try PipelineCompiler(in: .none, views: views).compile(raw["p"]?.array ?? .none)
            }
        }
        #expect(code == 232)
    }
}
