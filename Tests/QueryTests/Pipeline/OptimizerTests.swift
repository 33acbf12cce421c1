import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Pipeline optimizer")
struct OptimizerTests {
    @Test(
        "stages move and merge",
        arguments: [
            (#"[{"$match": {"a": 1}}, {"$match": {"b": 2}}]"#, "match"),
            (#"[{"$match": {}}, {"$limit": 3}]"#, "limit 3"),
            (#"[{"$sort": {"a": 1}}, {"$match": {"b": 2}}]"#, "match, sort"),
            (#"[{"$project": {"a": 1}}, {"$match": {"a": 2}}]"#, "match, projection"),
            (#"[{"$project": {"a": 1}}, {"$match": {"_id": 2}}]"#, "match, projection"),
            (#"[{"$project": {"a": 1, "_id": 0}}, {"$match": {"_id": 2}}]"#, "projection, match"),
            (#"[{"$project": {"a.b": 1}}, {"$match": {"a": 2}}]"#, "projection, match"),
            (#"[{"$project": {"a": 1}}, {"$match": {"b": null}}]"#, "projection, match"),
            (#"[{"$project": {"a": 0}}, {"$match": {"b.c": 2}}]"#, "match, projection"),
            (#"[{"$project": {"a": 0}}, {"$match": {"a": null}}]"#, "projection, match"),
            (#"[{"$addFields": {"a": 1}}, {"$match": {"b": 2}}]"#, "match, projection"),
            (#"[{"$addFields": {"a.x": 1}}, {"$match": {"a.y": 2}}]"#, "projection, match"),
            (#"[{"$addFields": {"a": 1}}, {"$match": {"$or": [{"b": 1}, {"a": 2}]}}]"#, "projection, match"),
            (#"[{"$addFields": {"a": 1}}, {"$match": {"$expr": "$b"}}]"#, "projection, match"),
            (#"[{"$unwind": "$a.b"}, {"$match": {"c": 2}}]"#, "match, unwind"),
            (#"[{"$unwind": "$a.b"}, {"$match": {"a.c": 2}}]"#, "unwind, match"),
            (#"[{"$unwind": {"path": "$a", "includeArrayIndex": "c"}}, {"$match": {"c": 2}}]"#, "unwind, match"),
            (#"[{"$limit": 3}, {"$match": {"a": 2}}]"#, "limit 3, match"),
            (#"[{"$limit": 9}, {"$limit": 4}, {"$skip": 1}, {"$skip": 2}]"#, "skip 3, limit 1"),
            (#"[{"$limit": 2}, {"$skip": 5}]"#, "skip 5, limit 0"),
            (#"[{"$project": {"a": 1}}, {"$skip": 2}, {"$limit": 3}]"#, "skip 2, limit 3, projection"),
            (#"[{"$sort": {"a": 1}}, {"$project": {"a": 1}}, {"$limit": 3}]"#, "sort for 3, limit 3, projection"),
            (#"[{"$sort": {"a": 1}}, {"$skip": 2}, {"$limit": 3}]"#, "sort for 5, skip 2, limit 3"),
            (
                #"[{"$sort": {"a": 1}}, {"$skip": 9223372036854775807}, {"$limit": 3}]"#,
                "sort, skip 9223372036854775807, limit 3"
            ),
            (#"[{"$skip": 9223372036854775807}, {"$skip": 1}]"#, "skip 9223372036854775807, skip 1"),
            (#"[{"$unwind": "$a"}, {"$limit": 3}]"#, "unwind, limit 3"),
        ])
    func rewrites(_ pipeline: String, _ expected: String) throws {
        #expect(try compile(pipeline).optimized().stages.map(\.summary).joined(separator: ", ") == expected)
    }

    @Test("a merged filter matches what both match")
    func merged() throws {
        let pipeline = try compile(#"[{"$match": {"a": 1}}, {"$match": {"$or": [{"b": 1}, {"b": 2}]}}]"#).optimized()
        let documents = [#"{"a": 1, "b": 1}"#, #"{"a": 1, "b": 3}"#, #"{"a": 2, "b": 1}"#, #"{"a": 1, "b": 2}"#]
        let found = try give(pipeline, documents.map(json))
        #expect(found == [json(documents[0]).text, json(documents[3]).text])
    }

    @Test(
        "a group that only counts is found",
        arguments: [
            (#"{"_id": 1, "n": {"$sum": 1}}"#, true), (#"{"_id": null, "n": {"$count": {}}}"#, true),
            (#"{"_id": "$a", "n": {"$sum": 1}}"#, false), (#"{"_id": 1, "n": {"$sum": 2}}"#, false),
            (#"{"_id": 1, "n": {"$sum": "$a"}}"#, false), (#"{"_id": 1}"#, false),
            (#"{"_id": 1, "n": {"$sum": 1}, "m": {"$sum": 1}}"#, false), (#"{"_id": 1, "n": {"$max": 1}}"#, false),
        ])
    func counting(_ group: String, _ isCounting: Bool) throws {
        guard case .group(let group)? = try compile(#"[{"$group": \#(group)}]"#).stages.first else {
            Issue.record("no group")
            return
        }
        #expect((group.counting != nil) == isCounting)
        guard let counting = group.counting else { return }
        let documents = (0..<3).map { json(#"{"_id": \#($0)}"#) }
        #expect(counting.documents(count: 3).map(\.text) == (try give(Pipeline([.group(group)]), documents)))
        #expect(counting.documents(count: 0).isEmpty)
    }

    private static let seed: UInt64 = 20_261_121

    @Test("pipelines give the same documents with and without it")
    func metamorphic() throws {
        var random = SeededGenerator(seed: Self.seed)
        var rewritten = 0
        for round in 0..<1500 {
            let stages = (0..<Int.random(in: 1...6, using: &random)).map { _ in Self.stage(&random) }
            let text = "[\(stages.joined(separator: ", "))]"
            let documents = (0..<12).map { Self.document($0, &random) }
            let pipeline = try compile(text)
            let optimized = pipeline.optimized()
            // A document less may be an error less.
            guard let expected = try? give(pipeline, documents) else { continue }
            if pipeline.stages.map(\.summary) != optimized.stages.map(\.summary) { rewritten += 1 }
            #expect(
                try give(optimized, documents) == expected,
                "seed \(Self.seed) round \(round): \(text) over \(documents.map(\.text))")
        }
        #expect(rewritten > 500)
    }

    private static func stage(_ random: inout SeededGenerator) -> String {
        let number = Int.random(in: 1...9, using: &random)
        let field = ["a", "b", "b.c", "d", "_id"].randomElement(using: &random) ?? "a"
        return [
            #"{"$match": {"\#(field)": \#(number % 4)}}"#, #"{"$match": {"\#(field)": {"$gt": \#(number % 3)}}}"#,
            #"{"$match": {"$or": [{"\#(field)": 1}, {"d": 2}]}}"#, #"{"$match": {"$nor": [{"\#(field)": 1}]}}"#,
            #"{"$match": {"$expr": {"$gt": ["$\#(field)", 1]}}}"#, #"{"$match": {}}"#,
            #"{"$match": {"\#(field)": {"$exists": true}}}"#,
            #"{"$project": {"\#(field)": 1}}"#, #"{"$project": {"\#(field)": 0}}"#,
            #"{"$project": {"a": 1, "d": "$b"}}"#, #"{"$project": {"_id": 0, "a": 1, "b": 1}}"#,
            #"{"$addFields": {"\#(field)": \#(number)}}"#, #"{"$addFields": {"a": "$d"}}"#,
            #"{"$replaceWith": {"a": "$\#(field)", "d": "$a", "_id": \#(number)}}"#,
            #"{"$unwind": "$\#(field)"}"#,
            #"{"$unwind": {"path": "$a", "includeArrayIndex": "d", "preserveNullAndEmptyArrays": true}}"#,
            #"{"$limit": \#(number)}"#, #"{"$skip": \#(number / 2)}"#, #"{"$limit": \#(number)}"#,
            #"{"$sort": {"\#(field)": 1}}"#, #"{"$sort": {"d": -1, "_id": 1}}"#,
            #"{"$group": {"_id": "$\#(field)", "a": {"$push": "$a"}, "d": {"$sum": 1}}}"#,
        ].randomElement(using: &random) ?? "{}"
    }

    private static func document(_ id: Int, _ random: inout SeededGenerator) -> Document {
        func value(_ random: inout SeededGenerator) -> String {
            ["0", "1", "2", "3", "null", "[1, 2]", "[]", #"{"c": 1}"#].randomElement(using: &random) ?? "0"
        }
        var fields = [#""_id": \#(id)"#]
        if Bool.random(using: &random) { fields.append(#""a": \#(value(&random))"#) }
        if Bool.random(using: &random) { fields.append(#""b": {"c": \#(value(&random))}"#) }
        fields.append(#""d": \#(Int.random(in: 0...3, using: &random))"#)
        return json("{\(fields.joined(separator: ", "))}")
    }
}

private func compile(_ pipeline: String) throws -> Pipeline {
    try json(#"{"pipeline": \#(pipeline)}"#).withRaw { document in
        try PipelineCompiler(in: .anyTime).compile(document["pipeline"]?.array ?? .none).pipeline
    }
}

/// What comes out of a pipeline.
private func give(_ pipeline: Pipeline, _ documents: [Document]) throws -> [String] {
    var documents = documents
    for stage in pipeline.stages { documents = try pass(documents, through: stage.makeRun(StageLimits())) }
    return documents.map(\.text)
}

private func pass(_ documents: [Document], through stage: any StageRun) throws -> [Document] {
    var (input, position, result) = (Batch(), 0, [Document]())
    for document in documents { document.withRaw { input.append($0) } }
    func take(_ output: Batch) {
        var position = 0
        output.forEach(from: &position) { document in
            result.append(Document(copying: document))
            return true
        }
    }
    while position < input.count, !stage.isSatisfied {
        var output = Batch()
        try stage.process(input, from: &position, into: &output)
        take(output)
    }
    while true {
        var output = Batch()
        try stage.finish(into: &output)
        guard !output.isEmpty else { return result }
        take(output)
    }
}

extension Stage {
    fileprivate var summary: String {
        switch self {
        case .match: "match"
        case .limit(let count): "limit \(count)"
        case .skip(let count): "skip \(count)"
        case .projection: "projection"
        case .unwind: "unwind"
        case .sort(_, nil): "sort"
        case .sort(_, let limit?): "sort for \(limit)"
        default: "other"
        }
    }
}
