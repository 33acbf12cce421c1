import BSON
import CommandModel
import Testing

@testable import Query

@Suite("$group that takes the elements of an $unwind")
struct GroupElementsTests {
    private static let seed: UInt64 = 7_20_261_121_17

    @Test("what comes out is what $unwind and $group give one after the other, in little memory too")
    func metamorphic() throws {
        var source = RandomPipeline(random: SeededGenerator(seed: Self.seed))
        var fused = 0
        for round in 0..<3_000 {
            let field = ["a", "b", "d", "e"].randomElement(using: &source.random) ?? "a"
            let preserves = Bool.random(using: &source.random)
            var group = source.stage()
            while !group.hasPrefix(#"{"$group""#) { group = source.stage() }
            let text = #"""
                [{"$unwind": {"path": "$\#(field)", "preserveNullAndEmptyArrays": \#(preserves)}}, \#(group)]
                """#
            guard let pipeline = try? compile(text) else { continue }
            let optimized = pipeline.optimized()
            guard optimized.stages.count == 1, case .group(let one)? = optimized.stages.first else { continue }
            let documents = (0..<12).map { source.document($0) }
            guard let expected = try? give(pipeline, documents) else { continue }
            #expect(one.counting == nil)
            let context: Comment = "seed \(Self.seed) round \(round): \(text) over \(documents.map(\.text))"
            #expect(try give(optimized, documents) == expected, context)
            let narrowing = try #require(optimized.narrowingOfKept)
            let left = documents.map { $0.withRaw { narrowing.narrowed($0) } }
            #expect(try give(optimized, left) == expected, context)
            var limits = StageLimits()
            (limits.memoryBytesMax, limits.spill) = (900, MemorySpace())
            var harness = PipelineHarness(limits: limits)
            #expect(try harness.run(optimized, over: documents).map(\.text).sorted() == expected.sorted(), context)
            fused += 1
        }
        #expect(fused > 1_000)
    }

    @Test(
        "a group that reads more than elements and fields beside them stays behind",
        arguments: [
            (#"{"_id": "$l", "n": {"$sum": "$v"}}"#, true),
            (#"{"_id": {"x": "$l.x"}, "n": {"$push": {"v": "$l"}}}"#, true),
            (#"{"_id": null, "n": {"$sum": 1}}"#, true), (#"{"_id": "$l", "n": {"$first": "$$ROOT"}}"#, false),
            (#"{"_id": {"$getField": "l"}, "n": {"$sum": 1}}"#, false),
            (#"{"_id": "$l", "n": {"$top": {"sortBy": {"l": 1}, "output": "$v"}}}"#, false),
            (#"{"_id": "$l", "n": {"$firstN": {"input": "$v", "n": "$l"}}}"#, false),
        ])
    func fusing(_ group: String, _ isFused: Bool) throws {
        let pipeline = try compile(#"[{"$unwind": "$l"}, {"$group": \#(group)}]"#).optimized()
        #expect((pipeline.stages.count == 1) == isFused)
    }
}
