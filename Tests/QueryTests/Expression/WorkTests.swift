import BSON
import CommandModel
import Synchronization
import Testing

@testable import Query

/// Whatever grows with a value asks now and then whether its command has ended: at least once in so many units of work.
@Suite struct WorkTests {
    /// Asked by what runs; ends it the given time.
    private final class Clock: Sendable {
        private let asked = Atomic<Int>(0)
        private let last: Int

        init(endingAt last: Int = .max) { self.last = last }

        var count: Int { asked.load(ordering: .relaxed) }

        var patience: Patience {
            Patience {
                let number = self.asked.add(1, ordering: .relaxed).newValue
                return number < self.last ? nil : CommandError(.interrupted, "enough")
            }
        }
    }

    /// Much to do for each of 100,000 elements or bytes.
    private static let range = #"{"$range": [0, 100000]}"#
    /// 131,072 letters.
    private static let text = """
        {"$reduce": {"input": {"$range": [0, 17]}, "initialValue": "x", "in": {"$concat": ["$$value", "$$value"]}}}
        """

    @Test(
        "expressions",
        arguments: [
            range, #"{"$size": \#(range)}"#, #"{"$map": {"input": \#(range), "in": 1}}"#,
            #"{"$filter": {"input": \#(range), "cond": true}}"#,
            #"{"$reduce": {"input": \#(range), "initialValue": 0, "in": "$$this"}}"#,
            #"{"$concatArrays": [\#(range), [1]]}"#, #"{"$reverseArray": \#(range)}"#,
            #"{"$slice": [\#(range), 90000, 1]}"#, #"{"$in": ["x", \#(range)]}"#,
            #"{"$indexOfArray": [\#(range), "x"]}"#, #"{"$arrayElemAt": [\#(range), -1]}"#,
            #"{"$zip": {"inputs": [\#(range), \#(range)]}}"#, #"{"$sortArray": {"input": \#(range), "sortBy": -1}}"#,
            #"{"$sortArray": {"input": \#(range), "sortBy": {"a": 1}}}"#, #"{"$setUnion": [\#(range), [1]]}"#,
            #"{"$setIntersection": [\#(range), \#(range)]}"#, #"{"$setDifference": [\#(range), [1]]}"#,
            #"{"$setEquals": [\#(range), \#(range)]}"#, #"{"$setIsSubset": [\#(range), \#(range)]}"#,
            #"{"$allElementsTrue": [{"$range": [1, 100000]}]}"#, #"{"$sum": \#(range)}"#, #"{"$avg": \#(range)}"#,
            #"{"$max": \#(range)}"#, #"{"$last": \#(range)}"#, #"{"$maxN": {"n": 2, "input": \#(range)}}"#,
            #"{"$median": {"input": \#(range), "method": "approximate"}}"#, #"{"$eq": [\#(range), \#(range)]}"#,
            #"{"$split": [\#(text), "x"]}"#,
            #"{"$replaceAll": {"input": \#(text), "find": "x", "replacement": "y"}}"#,
            #"{"$replaceAll": {"input": \#(text), "find": "", "replacement": "y"}}"#,
            #"{"$regexFindAll": {"input": \#(text), "regex": "x"}}"#,
            #"{"$trim": {"input": \#(text), "chars": "yx"}}"#,
        ])
    func expressions(_ expression: String) throws {
        try check(expression, units: 100_000)
    }

    @Test("what moves bytes does less for each")
    func bytes() throws {
        try check(#"{"$toUpper": \#(Self.text)}"#, units: 3 * WorkMeter.unitsBetweenChecks)
    }

    private func check(_ expression: String, units: Int) throws {
        try check(units: units) { patience in
            var environment = ExpressionEnvironment.none
            environment.patience = patience
            let compiled = try json(#"{"v": \#(expression)}"#).withRaw { raw in
                try CompiledExpression(compiling: #require(raw["v"]), in: environment)
            }
            try json("{}").withRaw { raw throws(CommandError) in try compiled.withValue(of: raw) { _ in } }
        }
    }

    private static let numbers = "[" + (0..<2000).map(String.init).joined(separator: ",") + "]"
    private static let texts =
        "[" + Array(repeating: #""xxxxxxxxxxxx""#, count: 200).joined(separator: ",") + "]"
    private static let objects = "[" + (0..<500).map { #"{"c": \#($0)}"# }.joined(separator: ",") + "]"
    private static let remainders = (0..<300).map { #"{"c": {"$mod": [10000, \#($0 + 5000)]}}"# }.joined(separator: ",")
    private static let enumerations = (0..<60).map { #"{"enum": [\#($0 + 5000)]}"# }.joined(separator: ",")

    @Test(
        "filters",
        arguments: [
            ("$or", (0..<50).map { #"{"a": {"$mod": [10000, \#($0 + 5000)]}}"# }),
            ("$and", (0..<50).map { #"{"a": {"$ne": \#($0 + 5000)}}"# }),
            ("$nor", (0..<50).map { #"{"a": {"$gt": \#($0 + 5000)}}"# }),
            ("$or", [#"{"o": {"$elemMatch": {"$or": [\#(remainders)]}}}"#]),
            ("$or", [#"{"t": {"$regex": "(x+x+)+y"}}"#]),
            ("$nor", [#"{"t": {"$in": [{"$regularExpression": {"pattern": "(x+x+)+y", "options": ""}}]}}"#]),
            (
                "$or",
                [
                    #"{"$jsonSchema": {"properties": {"a": {"items": {"not": {"anyOf": [\#(enumerations)]}}}}}}"#
                ]
            ),
        ] as [(String, [String])])
    func filters(_ operation: String, _ conditions: [String]) throws {
        let document = json(#"{"a": \#(Self.numbers), "o": \#(Self.objects), "t": \#(Self.texts)}"#)
        try check(units: 100_000) { patience in
            var environment = ExpressionEnvironment.none
            environment.patience = patience
            let filter = try Filter(
                compiling: json(#"{"\#(operation)": [\#(conditions.joined(separator: ", "))]}"#),
                environment: environment)
            _ = try filter.matches(document)
        }
    }

    @Test(
        "stages",
        arguments: [
            #"[{"$unwind": "$a"}, {"$group": {"_id": "$a"}}]"#, #"[{"$unwind": "$a"}, {"$sort": {"a": -1}}]"#,
            #"[{"$unwind": "$a"}, {"$bucketAuto": {"groupBy": "$a", "buckets": 9}}]"#,
            #"[{"$unwind": "$a"}, {"$setWindowFields": {"sortBy": {"a": 1}, "output": {"v": {"$max": "$a", "#
                + #""window": {"documents": [-5, 5]}}}}}]"#,
            #"[{"$facet": {"a": [{"$unwind": "$a"}, {"$group": {"_id": "$a"}}]}}]"#,
        ])
    func stages(_ pipeline: String) throws {
        // A document for each batch of the harness.
        let document = json(#"{"a": \#(Self.numbers)}"#)
        let documents = Array(repeating: document, count: 20)
        try check(units: 40_000) { patience in
            var harness = PipelineHarness()
            harness.limits.patience = patience
            harness.environment.patience = patience
            let stages = try json(#"{"p":\#(pipeline)}"#).withRaw { raw throws(CommandError) in
                try PipelineCompiler(in: harness.environment).compile(raw["p"]?.array ?? .none).pipeline.optimized()
            }
            _ = try harness.run(stages, over: documents)
        }
    }

    /// Runs it to the end, then until somewhere on the way.
    private func check(units: Int, _ body: (Patience) throws -> Void) throws {
        let whole = Clock()
        try body(whole.patience)
        #expect(whole.count >= units / WorkMeter.unitsBetweenChecks)
        var random = SeededGenerator(seed: UInt64(whole.count))
        for _ in 0..<3 where whole.count > 0 {
            let last = Int.random(in: 1...whole.count, using: &random)
            let part = Clock(endingAt: last)
            #expect(errorCode { try body(part.patience) } == ErrorCode.interrupted.number)
            // Nobody goes on. The compiler tries what is constant, too, and leaves its failure to whoever runs it.
            #expect(part.count - last <= 2)
        }
    }

    private static func doubling(_ first: String, _ body: String) -> String {
        #"{"$reduce": {"input": {"$range": [0, 60]}, "initialValue": \#(first), "in": \#(body)}}"#
    }

    @Test(
        "what grows without end is refused before it is there",
        arguments: [
            (doubling("[1]", #"{"$concatArrays": ["$$value", "$$value"]}"#), 146),
            (doubling("[1]", #"["$$value", "$$value"]"#), 146),
            (doubling(#""x""#, #"{"$concat": ["$$value", "$$value"]}"#), 16493),
            (#"{"$range": [0, 2147483647]}"#, 146),
            (#"{"$replaceAll": {"input": \#(text), "find": "x", "replacement": \#(text)}}"#, 16493),
        ])
    func growth(_ expression: String, _ code: Int) throws {
        #expect(errorCode { _ = try run(#"[{"$project": {"v": \#(expression)}}]"#, on: "[{}]") } == Int32(code))
    }

    @Test("a path through an array does not make a document of any size")
    func copies() throws {
        let documents = "[" + Array(repeating: "{}", count: 2000).joined(separator: ",") + "]"
        let text = String(repeating: "x", count: 100_000)
        #expect(
            errorCode {
                _ = try run(
                    #"[{"$addFields": {"l.x": "$t"}}]"#, on: #"[{"l": \#(documents), "t": "\#(text)"}]"#)
            } == ErrorCode.bsonObjectTooLarge.number)
    }
}
