import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Fields that pipelines need")
struct NarrowingTests {
    @Test(
        "a pipeline is asked what it reads",
        arguments: [
            (#"[{"$unwind": "$l"}, {"$group": {"_id": "$l", "n": {"$sum": "$v.w"}}}]"#, "l v.w"),
            (#"[{"$unwind": "$l"}, {"$group": {"_id": "$l.x"}}]"#, "l.x"),
            (#"[{"$unwind": "$l"}, {"$count": "n"}]"#, "l"),
            (#"[{"$sort": {"a": 1}}, {"$group": {"_id": 1, "x": {"$first": "$b"}}}]"#, "b a"),
            (#"[{"$sort": {"a": 1}}, {"$group": {"_id": 1, "x": {"$first": "$$ROOT"}}}]"#, nil),
            (#"[{"$sort": {"a": 1}}, {"$project": {"b": 1}}]"#, "_id b a"),
            (#"[{"$sort": {"a": 1}}, {"$project": {"b": 0}}]"#, nil),
            (#"[{"$addFields": {"x": {"$add": ["$a", "$b"]}}}, {"$group": {"_id": "$x"}}]"#, "x a b"),
            (#"[{"$unwind": "$l"}, {"$match": {"l.0.x": 1}}, {"$count": "n"}]"#, "l"),
            (#"[{"$unwind": "$l"}, {"$replaceWith": "$l"}]"#, "l"),
            (#"[{"$match": {"$expr": {"$getField": "a.b"}}}, {"$group": {"_id": {"$getField": "$c"}}}]"#, nil),
            (#"[{"$match": {"b": 1}}, {"$group": {"_id": {"$getField": "a.b"}}}]"#, "a.b b"),
            (
                #"[{"$setWindowFields": {"sortBy": {"t": 1}, "output": {"s": {"$sum": "$v"}}}}, "#
                    + #"{"$project": {"s": 1}}]"#,
                "_id s t v"
            ),
            (#"[{"$redact": "$$KEEP"}, {"$count": "n"}]"#, nil),
            (#"[{"$unwind": "$l"}]"#, nil),
            // There is nothing to carry.
            (#"[{"$group": {"_id": "$a"}}]"#, nil),
            (#"[{"$project": {"a": 1}}, {"$sort": {"a": 1}}]"#, nil),
        ] as [(String, String?)])
    func needs(_ pipeline: String, _ expected: String?) throws {
        #expect(try compile(pipeline).narrowing?.paths.joined(separator: " ") == expected)
    }

    @Test(
        "what is left keeps its shape",
        arguments: [
            (#"{"_id": 1, "b": 2, "a": {"x": 1, "y": 2}}"#, #"{"a":{"x":1}}"#),
            (#"{"a": [{"x": 1, "y": 2}, 3, [{"y": 1}], {"y": 2}]}"#, #"{"a":[{"x":1},3,[{"y":1}],{}]}"#),
            (#"{"a": "text"}"#, #"{"a":"text"}"#), (#"{"a": {"y": 2}}"#, #"{"a":{}}"#), (#"{"b": 1}"#, "{}"),
            (#"{"a": {"x": {"z": [1]}}, "c": 1, "a": 2}"#, #"{"a":{"x":{"z":[1]}},"a":2}"#),
        ])
    func shape(_ document: String, _ expected: String) throws {
        let narrowing = try #require(try compile(#"[{"$match": {"a.x": 1}}, {"$count": "n"}]"#).narrowing)
        let narrowed = json(document).withRaw { narrowing.narrowed($0) }
        #expect(narrowed.text.filter { $0 != " " } == expected)
    }

    private static let seed: UInt64 = 7_20_261_121

    @Test("narrowed documents give the same, errors too")
    func metamorphic() throws {
        var source = RandomPipeline(random: SeededGenerator(seed: Self.seed))
        var (narrowed, failed) = (0, 0)
        for round in 0..<20_000 {
            let text = source.pipeline(2...5)
            let documents = (0..<8).map { source.document($0) }
            // Not all that is put together is a pipeline.
            guard let pipeline = try? compile(text) else { continue }
            guard let narrowing = pipeline.narrowingOfKept else { continue }
            narrowed += 1
            let expected = outcome(pipeline, documents)
            if case .failure = expected { failed += 1 }
            let left = documents.map { $0.withRaw { narrowing.narrowed($0) } }
            #expect(
                outcome(pipeline, left) == expected,
                "seed \(Self.seed) round \(round): \(text) over \(documents.map(\.text)), left \(left.map(\.text))")
        }
        #expect(narrowed > 3000)
        #expect(failed > 300)
    }

    private func outcome(_ pipeline: Pipeline, _ documents: [Document]) -> Result<[String], Code> {
        do {
            return .success(try give(pipeline, documents))
        } catch {
            return .failure(Code(number: (error as? CommandError)?.code.number))
        }
    }

    private struct Code: Error, Equatable {
        let number: Int32?
    }
}
