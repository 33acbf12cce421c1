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
            (#"[{"$project": {"a": 1, "b": 1}}, {"$match": {"a": 2, "c": 1}}]"#, "match, projection, match"),
            (#"[{"$project": {"x": "$a"}}, {"$match": {"x": 2}}]"#, "match, projection"),
            (#"[{"$project": {"x": "$a.b"}}, {"$match": {"x": 2}}]"#, "projection, match"),
            (#"[{"$addFields": {"a": 1}}, {"$match": {"a": 2}}, {"$match": {"b": 2}}]"#, "match, projection, match"),
            (#"[{"$group": {"_id": "$a"}}, {"$match": {"_id": {"$gt": 2}}}]"#, "match, other"),
            (#"[{"$group": {"_id": "$a"}}, {"$match": {"_id": {"$type": "int"}}}]"#, "other, match"),
            (#"[{"$group": {"_id": "$a"}}, {"$match": {"_id": {"$exists": true}}}]"#, "other, match"),
            (#"[{"$group": {"_id": "$a.b"}}, {"$match": {"_id": 2}}]"#, "other, match"),
            (
                #"[{"$setWindowFields": {"partitionBy": "$a", "output": {"n": {"$sum": 1}}}}, "#
                    + #"{"$match": {"a": 1, "n": 2}}]"#,
                "match, other, match"
            ),
            (#"[{"$set": {}}, {"$limit": 3}]"#, "limit 3"),
            (
                #"[{"$project": {"a": 1, "b": "$c"}}, {"$sort": {"a": 1}}, {"$limit": 2}]"#,
                "sort for 2, limit 2, projection"
            ),
            (#"[{"$project": {"a": 1, "b": "$c"}}, {"$sort": {"b": 1}}]"#, "projection, sort"),
            (
                #"[{"$sort": {"b": 1}}, {"$unwind": {"path": "$a", "preserveNullAndEmptyArrays": true}}, "#
                    + #"{"$limit": 2}]"#,
                "sort for 2, limit 2, unwind, limit 2"
            ),
            (#"[{"$sort": {"a": 1}}, {"$group": {"_id": null, "n": {"$sum": "$b"}}}]"#, "other"),
            (#"[{"$sort": {"a": 1}}, {"$group": {"_id": "$a", "n": {"$sum": 1}}}]"#, "sort, other"),
            (#"[{"$sort": {"a": 1}}, {"$group": {"_id": null, "n": {"$max": "$b"}}}]"#, "sort, other"),
            (#"[{"$sort": {"a": 1}}, {"$group": {"_id": "$a", "n": {"$first": "$b"}}}]"#, "sort, other"),
            (#"[{"$sort": {"a": 1}}, {"$limit": 2}, {"$count": "n"}]"#, "sort for 2, limit 2, other, projection"),
            (#"[{"$project": {"a": 0}}, {"$match": {"b.c": 2}}]"#, "match, projection"),
            (#"[{"$project": {"a": 0}}, {"$match": {"a": null}}]"#, "projection, match"),
            (#"[{"$addFields": {"a": 1}}, {"$match": {"b": 2}}]"#, "match, projection"),
            (#"[{"$addFields": {"a.x": 1}}, {"$match": {"a.y": 2}}]"#, "projection, match"),
            (#"[{"$addFields": {"a": 1}}, {"$match": {"$or": [{"b": 1}, {"a": 2}]}}]"#, "projection, match"),
            (#"[{"$addFields": {"a": 1}}, {"$match": {"$expr": "$b"}}]"#, "match, projection"),
            (#"[{"$addFields": {"a": 1}}, {"$match": {"$expr": "$$ROOT"}}]"#, "projection, match"),
            (#"[{"$addFields": {"a": 1}}, {"$match": {"$expr": {"$abs": "$b"}}}]"#, "projection, match"),
            (#"[{"$unwind": "$a"}, {"$match": {"$sampleRate": 0.5}}]"#, "unwind, match"),
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

    @Test("a sort goes away where its order decides nothing")
    func droppedSort() throws {
        let pipeline = #"[{"$sort": {"a": 1}}, {"$unwind": "$b"}, {"$group": {"_id": 1, "n": {"$sum": "$a"}}}]"#
        let optimized = try compile(pipeline).optimized()
        // The group has taken in what unwinds.
        #expect(optimized.stages.map(\.summary) == ["other"])
        let documents = (0..<20).map { json(#"{"_id": \#($0), "a": \#(($0 * 7) % 20), "b": [\#($0 % 3), 4]}"#) }
        #expect(try give(optimized, documents) == give(compile(pipeline), documents))
    }

    @Test(
        "a filter is asked for the field behind another name",
        arguments: [
            (#"[{"$project": {"x": "$a"}}, {"$match": {"x.y": {"$gt": 1}}}]"#, #"{"a.y":{"$gt":1}}"#),
            (#"[{"$set": {"x": "$a"}}, {"$match": {"$or": [{"x": 1}, {"b": 2}]}}]"#, #"{"$or":[{"a":1},{"b":2}]}"#),
            (#"[{"$replaceWith": {"x": "$a"}}, {"$match": {"x": 1}}]"#, #"{"a":1}"#),
            (#"[{"$group": {"_id": "$a"}}, {"$match": {"_id": {"$in": [1, null]}}}]"#, #"{"a":{"$in":[1,null]}}"#),
        ])
    func renamed(_ pipeline: String, _ expected: String) throws {
        guard case .match(let filter)? = try compile(pipeline).optimized().stages.first else {
            Issue.record("the filter did not move")
            return
        }
        #expect(filter.specification.text.filter { $0 != " " } == expected)
    }

    private static let seed: UInt64 = 20_261_121

    @Test("pipelines give the same documents with and without it")
    func metamorphic() throws {
        var source = RandomPipeline(random: SeededGenerator(seed: Self.seed), readsOthers: true)
        var (rewritten, compared) = (0, 0)
        for round in 0..<6000 {
            let text = source.pipeline(1...6)
            let documents = (0..<12).map { source.document($0) }
            let reader = MemoryReader([:])
            reader.collections["f"] = (0..<5).map { source.document($0 + 6) }
            // Not all that is put together is a pipeline.
            guard let pipeline = try? compile(text) else { continue }
            let optimized = pipeline.optimized()
            // A document less may be an error less.
            guard let expected = try? give(pipeline, documents, reader) else { continue }
            compared += 1
            if pipeline.stages.map(\.summary) != optimized.stages.map(\.summary) { rewritten += 1 }
            #expect(
                try give(optimized, documents, reader) == expected,
                """
                seed \(Self.seed) round \(round): \(text) over \(documents.map(\.text))
                and \(reader.collections["f"]?.map(\.text) ?? [])
                """)
        }
        #expect(compared > 2000)
        #expect(rewritten > 500)
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
