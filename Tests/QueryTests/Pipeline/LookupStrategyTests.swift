import BSON
import CommandModel
import Testing

@testable import Query

/// How documents of another collection are found, and what is made of them at once, changes no answer.
@Suite("how $lookup finds and gives its documents")
struct LookupStrategyTests {
    private static let seed: UInt64 = 20_261_121_16

    /// Stages around one that reads another collection. An equality of the sub-pipeline is written in two ways: as one
    /// that is found by a key, and as one that every document is asked for.
    private struct Case {
        let keyed: String
        let asked: String
        let local: [Document]
        let foreign: [Document]

        init(_ source: inout RandomPipeline) {
            func pick(_ texts: [String]) -> String { texts.randomElement(using: &source.random) ?? "" }
            let (local, foreign) = (pick(["a", "b", "b.c", "d", "e.f.g"]), pick(["a", "b", "b.c", "d", "_id", "a.c"]))
            let rest = pick([
                "", "", #", {"$match": {"d": {"$gt": 0}}}"#, #", {"$project": {"d": 1, "b.c": 1}}"#,
                #", {"$sort": {"d": -1, "_id": 1}}, {"$limit": 2}"#, #", {"$addFields": {"v": "$$v"}}"#,
                #", {"$group": {"_id": "$d", "n": {"$sum": 1}}}, {"$sort": {"_id": 1}}"#,
            ])
            let guardian = pick(["", "", #"{"$match": {"d": {"$lt": 3}}}, "#])
            let stage = pick([
                #"{"$lookup": {"from": "f", "localField": "\#(local)", "foreignField": "\#(foreign)", "as": "j"}}"#,
                #"{"$lookup": {"from": "f", "localField": "\#(local)", "foreignField": "\#(foreign)", "as": "j", "#
                    + #""pipeline": [{"$match": {"d": {"$ne": 1}}}, {"$project": {"a": 1, "d": 1}}]}}"#,
                #"{"$lookup": {"from": "f", "let": {"v": "$\#(local)", "w": "$d"}, "as": "j", "pipeline": "#
                    + #"[\#(guardian){"$match": {"$expr": EQ}}\#(rest)]}}"#,
                #"{"$lookup": {"from": "f", "let": {"v": "$\#(local)", "w": "$d"}, "as": "j", "pipeline": "#
                    + #"[{"$match": {"$and": [{"$expr": {"$and": [EQ, {"$lte": ["$d", "$$w"]}]}}]}}\#(rest)]}}"#,
                #"{"$unionWith": {"coll": "f", "pipeline": [{"$match": {"\#(foreign)": 1}}]}}"#,
                #"{"$unionWith": "f"}"#,
                #"{"$facet": {"j": [\#(source.stage())], "b": [{"$match": {"d": 1}}, {"$project": {"a": 1}}]}}"#,
            ])
            let behind = pick([
                "", #", {"$unwind": "$j"}"#, #", {"$unwind": {"path": "$j", "preserveNullAndEmptyArrays": true}}"#,
                #", {"$unwind": {"path": "$j", "includeArrayIndex": "i"}}"#,
                #", {"$unwind": {"path": "$j", "includeArrayIndex": "j.i", "preserveNullAndEmptyArrays": true}}"#,
                #", {"$unwind": "$j"}, {"$match": {"j.d": {"$gt": 0}, "a": {"$ne": 7}}}"#,
                #", {"$match": {"\#(local)": {"$ne": null}}}"#, #", {"$sort": {"d": -1, "_id": 1}}, {"$limit": 3}"#,
            ])
            let ends = (0..<Int.random(in: 0...2, using: &source.random)).map { _ in
                ", "
                    + pick([
                        source.stage(), #"{"$project": {"j.d": 1, "j.b.c": 1}}"#,
                        #"{"$project": {"n": {"$size": "$j"}}}"#,
                        #"{"$group": {"_id": "$j.d", "l": {"$push": "$j.a"}}}"#, #"{"$match": {"j.b.c": 1}}"#,
                    ])
            }
            let front = Bool.random(using: &source.random) ? source.stage() + ", " : ""
            let text = "[\(front)\(stage)\(behind)\(ends.joined())]"
            keyed = text.replacing("EQ", with: #"{"$eq": ["$\#(foreign)", "$$v"]}"#)
            asked = text.replacing("EQ", with: #"{"$cond": [{"$eq": ["$\#(foreign)", "$$v"]}, true, false]}"#)
            self.local = (0..<6).map { source.document($0) }
            self.foreign = (0..<9).map { source.document($0 % 7 + 100) }
        }

        func outcome(_ text: String, isOptimized: Bool, hasKeys: Bool) throws -> Result<[String], Failure> {
            let reader = MemoryReader([:])
            reader.collections["f"] = foreign
            reader.hasAllKeys = hasKeys
            let pipeline = try compile(text)
            do {
                return .success(try give(isOptimized ? pipeline.optimized() : pipeline, local, reader))
            } catch { return .failure(Failure()) }
        }
    }

    private struct Failure: Error, Equatable {}

    @Test("documents are the same that are found by keys, unwound at once, narrowed")
    func metamorphic() throws {
        var source = RandomPipeline(random: SeededGenerator(seed: Self.seed))
        var compared = 0
        for round in 0..<1_500 {
            let one = Case(&source)
            // Not all that is put together is a pipeline; and fewer documents may meet fewer errors.
            guard let expected = try? one.outcome(one.asked, isOptimized: false, hasKeys: false),
                case .success(let rows) = expected
            else { continue }
            compared += rows.isEmpty ? 0 : 1
            for hasKeys in [false, true] {
                for isOptimized in [false, true] {
                    let found = try one.outcome(one.keyed, isOptimized: isOptimized, hasKeys: hasKeys)
                    #expect(
                        found == expected,
                        """
                        seed \(Self.seed) round \(round), keys \(hasKeys), optimized \(isOptimized): \(one.keyed)
                        over \(one.local.map(\.text)) and \(one.foreign.map(\.text))
                        """)
                    if found != expected { return }
                }
            }
        }
        #expect(compared > 500)
    }

    @Test("an equality with a variable is a read of keys for each batch")
    func keyedEquality() throws {
        let reader = MemoryReader(["f": (0..<50).map { #"{"_id":\#($0),"v":\#($0 % 10)}"# }])
        let documents = (0..<20).map { json(#"{"x":\#($0)}"#) }
        let stages = #"""
            [{"$lookup": {"from": "f", "let": {"x": "$x"}, "as": "j",
                "pipeline": [{"$match": {"$expr": {"$eq": ["$_id", "$$x"]}}}, {"$project": {"v": 1}}]}}]
            """#
        let rows = try give(try compile(stages), documents, reader)
        #expect(rows.last == #"{"x":19,"j":[{"_id":19,"v":9}]}"#)
        #expect(reader.opened.count == 1 && reader.opened.allSatisfy { $0.contains("$in") })
    }

    @Test(
        "a variable that fails fails the stage, whoever reads it",
        arguments: [
            #""localField": "x", "foreignField": "_id", "pipeline": []"#,
            #""pipeline": [{"$match": {"$expr": {"$eq": ["$_id", "$$x"]}}}]"#,
        ])
    func failingVariable(_ rest: String) throws {
        let stages =
            #"[{"$lookup": {"from": "f", "as": "j", "let": {"x": "$x", "e": {"$divide": [1, "$y"]}}, \#(rest)}}]"#
        let pipeline = try compile(stages)
        let reader = MemoryReader(["f": [#"{"_id":1}"#]])
        #expect(try give(pipeline, [json(#"{"x":1,"y":1}"#)], reader) == [#"{"x":1,"y":1,"j":[{"_id":1}]}"#])
        #expect(throws: CommandError.self) { _ = try give(pipeline, [json(#"{"x":1,"y":0}"#)], reader) }
    }

    @Test("a pipeline is read no more than it asks for")
    func fields() throws {
        let stages = #"""
            [{"$lookup": {"from": "f", "localField": "a", "foreignField": "b", "as": "j"}}, {"$unwind": "$j"},
             {"$match": {"j.c": 1}}, {"$group": {"_id": "$x", "n": {"$sum": "$j.d"}}}]
            """#
        let pipeline = try compile(stages).optimized()
        #expect(pipeline.stages.count == 2)
        #expect(pipeline.narrowing?.paths == ["x", "j.d", "a"])
        guard case .lookup(let lookup, let use)? = pipeline.stages.first else {
            Issue.record("no $lookup")
            return
        }
        #expect(lookup.narrowing(use)?.paths.sorted() == ["b", "c", "d"])
        #expect(use.unwind != nil && use.filter?.specification.text == #"{"c":1}"#)
    }

    @Test(
        "stages move ahead of $lookup",
        arguments: [
            (#"{"$match": {"a": 1}}"#, true), (#"{"$match": {"j.a": 1}}"#, false), (#"{"$sort": {"a": 1}}"#, true),
            (#"{"$sort": {"j.a": 1}}"#, false), (#"{"$limit": 3}"#, true), (#"{"$skip": 3}"#, true),
        ])
    func moving(_ stage: String, _ isMoved: Bool) throws {
        let lookup = #"{"$lookup": {"from": "f", "localField": "a", "foreignField": "b", "as": "j"}}"#
        let stages = try compile("[\(lookup), \(stage)]").optimized().stages
        let isFirst = if case .lookup? = stages.first { true } else { false }
        #expect(isFirst != isMoved)
    }
}
