import BSON
import CommandModel
import Testing

@testable import Query

@Suite struct AccumulatorTests {
    @Test(
        "an accumulator yields what MongoDB's would, in one piece and in two parts",
        arguments: [
            (#"{"$sum": "$a"}"#, #"[{"a": 1}, {"a": "x"}, {}, {"a": [2]}, {"a": 2}]"#, "3"),
            (#"{"$sum": "$a"}"#, "[]", "0"),
            (#"{"$sum": "$a"}"#, #"[{"a": 2147483647}, {"a": 1}]"#, #"{"$numberLong": "2147483648"}"#),
            (#"{"$sum": "$a"}"#, #"[{"a": {"$numberLong": "1"}}, {"a": 1}]"#, #"{"$numberLong": "2"}"#),
            (
                #"{"$sum": "$a"}"#,
                #"[{"a": {"$numberLong": "9223372036854775807"}}, {"a": 1}, {"a": {"$numberLong": "-2"}}]"#,
                #"{"$numberLong": "9223372036854775806"}"#
            ),
            (
                #"{"$sum": "$a"}"#, #"[{"a": {"$numberLong": "9223372036854775807"}}, {"a": 1}]"#,
                #"{"$numberDouble": "9223372036854775808"}"#
            ),
            (#"{"$sum": "$a"}"#, #"[{"a": 1e100}, {"a": 1}, {"a": -1e100}]"#, #"{"$numberDouble": "1"}"#),
            (
                #"{"$sum": "$a"}"#, #"[{"a": {"$numberDouble": "Infinity"}}, {"a": 1}]"#,
                #"{"$numberDouble": "Infinity"}"#
            ),
            (
                #"{"$sum": "$a"}"#, #"[{"a": {"$numberDecimal": "1.50"}}, {"a": 1}]"#,
                #"{"$numberDecimal": "2.50"}"#
            ),
            (#"{"$avg": "$a"}"#, #"[{"a": 1}, {"a": 2}, {"a": null}]"#, #"{"$numberDouble": "1.5"}"#),
            (#"{"$avg": "$a"}"#, "[{}]", "null"), (#"{"$count": {}}"#, "[{}, {}, {}]", "3"),
            (#"{"$min": "$a"}"#, #"[{"a": "x"}, {"a": null}, {"a": 7}, {"a": 7.0}]"#, "7"),
            (
                #"{"$max": "$a"}"#, #"[{"a": 3}, {"a": "a long string, longer than 16"}, {}]"#,
                #""a long string, longer than 16""#
            ),
            (#"{"$first": "$a"}"#, #"[{}, {"a": 1}]"#, "null"),
            (#"{"$last": "$a"}"#, #"[{"a": 1}, {"a": {"b": 2}}]"#, #"{"b": 2}"#),
            (#"{"$push": "$a"}"#, #"[{"a": 1}, {}, {"a": [2]}, {"a": null}]"#, "[1, [2], null]"),
            (#"{"$addToSet": "$a"}"#, #"[{"a": 1}, {"a": 1.0}, {"a": "1"}, {"a": 1}]"#, #"[1, "1"]"#),
            (#"{"$setUnion": "$a"}"#, #"[{"a": [1, 2]}, {}, {"a": [2, 3]}]"#, "[1, 2, 3]"),
            (#"{"$concatArrays": "$a"}"#, #"[{"a": [1, 2]}, {}, {"a": [2, 3]}]"#, "[1, 2, 2, 3]"),
            (
                #"{"$mergeObjects": "$a"}"#, #"[{"a": {"x": 1, "y": 2}}, {"a": null}, {"a": {"z": 3, "x": 4}}]"#,
                #"{"x": 4, "y": 2, "z": 3}"#
            ),
            (#"{"$stdDevPop": "$a"}"#, #"[{"a": 3}, {"a": 7}, {"a": "x"}]"#, #"{"$numberDouble": "2"}"#),
            (#"{"$stdDevSamp": "$a"}"#, #"[{"a": 3}]"#, "null"),
            (#"{"$firstN": {"input": "$a", "n": 2}}"#, #"[{"a": 1}, {}, {"a": 3}]"#, "[1, null]"),
            (#"{"$lastN": {"input": "$a", "n": 2}}"#, #"[{"a": 1}, {"a": 2}, {}, {"a": 3}, {"a": 4}]"#, "[3, 4]"),
            (#"{"$minN": {"input": "$a", "n": 2}}"#, #"[{"a": 3}, {"a": 1}, {}, {"a": 2}]"#, "[1, 2]"),
            (#"{"$maxN": {"input": "$a", "n": 2}}"#, #"[{"a": 3}, {"a": 1}, {"a": null}, {"a": 2}]"#, "[3, 2]"),
            (
                #"{"$top": {"sortBy": {"s": -1}, "output": "$a"}}"#, #"[{"a": 1, "s": 1}, {"a": 2, "s": 3}, {"s": 2}]"#,
                "2"
            ),
            (
                #"{"$bottomN": {"sortBy": {"s": 1}, "output": "$a", "n": 2}}"#,
                #"[{"a": 1, "s": 1}, {"a": 2, "s": 3}, {"s": 2}]"#, "[null, 2]"
            ),
            (
                #"{"$median": {"input": "$a", "method": "approximate"}}"#, #"[{"a": 20}, {"a": 10}, {"a": "x"}]"#,
                #"{"$numberDouble": "10"}"#
            ),
            (
                #"{"$percentile": {"input": "$a", "p": [0, 0.9], "method": "approximate"}}"#,
                #"[{"a": 20}, {"a": 10}]"#, #"[{"$numberDouble": "10"}, {"$numberDouble": "20"}]"#
            ),
        ] as [(String, String, String)])
    func results(specification: String, documents: String, expected: String) throws {
        let expectedValue = try json(#"{"v": \#(expected)}"#)
        let program = try AccumulatorProgram(specification)
        try json(#"{"d": \#(documents)}"#).withRaw { raw throws(CommandError) in
            let documents = Array(raw["d"]?.array ?? .none).compactMap(\.value.document)
            for split in 0...documents.count {
                #expect(try program.result(documents, split: split) == expectedValue, "split at \(split)")
            }
        }
    }

    @Test("of many values the best ones are kept", arguments: [1, 3, 20])
    func ranking(limit: Int) throws {
        var random = SeededGenerator(seed: 4711)
        let numbers = (0..<500).map { _ in Int32.random(in: 0..<1000, using: &random) }
        let document = Document { builder in
            builder.beginArray("d")
            for (index, number) in numbers.enumerated() {
                builder.append(index: index, Value.document(Document { $0.append("a", int32: number) }))
            }
            builder.end()
        }
        for (name, sorted) in [("$minN", numbers.sorted()), ("$maxN", numbers.sorted(by: >))] {
            let program = try AccumulatorProgram(#"{"\#(name)": {"input": "$a", "n": \#(limit)}}"#)
            let expected = try json(#"{"v": \#(Array(sorted.prefix(limit)))}"#)
            try document.withRaw { raw throws(CommandError) in
                let documents = Array(raw["d"]?.array ?? .none).compactMap(\.value.document)
                #expect(try program.result(documents, split: 100) == expected, "seed 4711")
            }
        }
    }

    @Test(
        "what is no accumulator is refused with MongoDB's code",
        arguments: [
            ("1", 40234), ("{}", 40234), (#"{"x": 1}"#, 40234), (#"{"$sum": [1, 2]}"#, 40237),
            (#"{"$add": [1]}"#, 40237), (#"{"$add": 1}"#, 15952), (#"{"$sum": 1, "$avg": 1}"#, 40238),
            (#"{"$count": 1}"#, 14), (#"{"$firstN": {"input": 1, "n": 0}}"#, 7_548_606),
            (#"{"$maxN": {"input": 1}}"#, 5_787_906), (#"{"$topN": {"output": 1, "sortBy": {"a": 1}}}"#, 5_788_003),
            (#"{"$percentile": {"input": 1, "p": [2], "method": "approximate"}}"#, 7_750_303),
            (#"{"$percentile": {"input": 1, "p": [], "method": "approximate"}}"#, 7_750_301),
            (#"{"$percentile": {"input": 1, "p": [0.5]}}"#, 40414),
            (#"{"$median": {"input": 1, "method": "exact"}}"#, 2),
        ] as [(String, Int32)])
    func refusals(specification: String, code: Int32) {
        let error = #expect(throws: CommandError.self) { try AccumulatorProgram(specification) }
        #expect(error?.code.number == code)
    }

    @Test("a sum from which a number was removed is as if it had never been there")
    func removal() throws {
        let run = Evaluator(EvaluatorSettings())
        var state = AccumulatorState(.sum)
        try json(#"{"a": 5, "b": 7, "c": 1.5}"#).withRaw { raw throws(CommandError) in
            try state.add(raw["a"], run)
            try state.add(raw["b"], run)
            let isRemoved = state.remove(raw["a"])
            #expect(isRemoved)
            #expect(try state.result(run).int32 == 7)
            try state.add(raw["c"], run)
            let isDoubleRemoved = state.remove(raw["c"])
            #expect(!isDoubleRemoved)
        }
    }

    @Test("a state takes no more than 40 bytes in place")
    func size() {
        #expect(MemoryLayout<AccumulatorState>.stride <= 40)
        #expect(_isPOD(Accumulator.self))
    }
}

/// A compiled accumulator with what it needs to run.
private struct AccumulatorProgram {
    private let arena = ProgramArena()
    private let accumulator: Accumulator
    private let run: Evaluator

    init(_ specification: String) throws(CommandError) {
        var compiler = ExpressionCompiler(arena: arena, environment: .none)
        let source = try? json(#"{"v": \#(specification)}"#)
        let arena = self.arena
        let copy = (source ?? .empty).withRaw { arena.copy($0) }
        guard let field = copy.firstElement else { throw CommandError(.badValue, "no JSON: \(specification)") }
        accumulator = try compiler.compileAccumulator(field: field)
        run = Evaluator(compiler.settings)
    }

    /// - Parameter split: how many documents the first of two parts has.
    func result(_ documents: [RawDocument], split: Int) throws(CommandError) -> Document {
        var state = try state(documents.prefix(split))
        try state.merge(try self.state(documents.dropFirst(split)), run)
        let value = try state.result(run)
        #expect(state.byteCount >= 32)
        return Document { $0.append("v", value) }
    }

    private func state(_ documents: ArraySlice<RawDocument>) throws(CommandError) -> AccumulatorState {
        var state = try accumulator.begin(run)
        for document in documents {
            run.begin(document)
            try accumulator.add(to: &state, run)
        }
        return state
    }
}
