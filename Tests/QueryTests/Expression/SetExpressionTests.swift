import BSON
import CommandModel
import Testing

@testable import Query

@Suite struct SetExpressionTests {
    @Test(
        "arrays are compared as sets, whatever the order and type of their numbers",
        arguments: [
            .init(#"{"$setUnion": [[2, 1], [3, 2.0]]}"#, "[1,2,3]"), .init(#"{"$setUnion": [[1], "$x"]}"#, "null"),
            .init(#"{"$setIntersection": [[3, 2, 1, 2], [2, 3, 4], [3, 2]]}"#, "[2,3]"),
            .init(#"{"$setIntersection": []}"#, "[]"), .init(#"{"$setUnion": ["x", "$x"]}"#, "null"),
            .init(#"{"$setIntersection": [[1.0, 1], [1]]}"#, "[1.0]"),
            .init(#"{"$setDifference": [[3, 1, 3, 2], [1]]}"#, "[3,2]"),
            .init(#"{"$setDifference": [[1, 2], [3]]}"#, "[1,2]"),
            .init(#"{"$setDifference": [[5], [1, 5, 9]]}"#, "[]"),
            .init(#"{"$setDifference": [["a", 4, {"b": 1}], [{"b": 1}, 3]]}"#, #"["a",4]"#),
            .init(#"{"$setEquals": [[1, 2, 2], [2, 1], [1, 2, 1]]}"#, "true"),
            .init(#"{"$setEquals": [[1, 2], [1, 3]]}"#, "false"), .init(#"{"$setEquals": [[1], [1, 3]]}"#, "false"),
            .init(#"{"$setIsSubset": [[2, 2], [1, 2, 3]]}"#, "true"),
            .init(#"{"$setIsSubset": [[2, 4], [1, 2, 3]]}"#, "false"), .init(#"{"$setIsSubset": [[], []]}"#, "true"),
            .init(#"{"$allElementsTrue": [[1, "", []]]}"#, "true"),
            .init(#"{"$allElementsTrue": [[1, null]]}"#, "false"),
            .init(#"{"$anyElementTrue": [[0, false]]}"#, "false"), .init(#"{"$anyElementTrue": [[0, 1]]}"#, "true"),
        ] as [ExpressionCheck])
    func values(check: ExpressionCheck) throws { try check.run() }

    @Test(
        "wrong uses are refused with MongoDB's codes",
        arguments: [
            (#"{"$setUnion": [1]}"#, 17043), (#"{"$setIntersection": {"a": 1}}"#, 17047),
            (#"{"$setDifference": [1, []]}"#, 17048), (#"{"$setDifference": [[], 1]}"#, 17049),
            (#"{"$setEquals": [[1]]}"#, 17045), (#"{"$setEquals": [[1], null]}"#, 5_887_502),
            (#"{"$setEquals": [[1], "$x"]}"#, 17044), (#"{"$setIsSubset": [1, []]}"#, 17046),
            (#"{"$setIsSubset": [[], 1]}"#, 17042), (#"{"$allElementsTrue": [null]}"#, 17040),
            (#"{"$anyElementTrue": [null]}"#, 17041), (#"{"$allElementsTrue": [[1], [2]]}"#, 16020),
        ] as [(String, Int32)])
    func refusals(expression: String, code: Int32) {
        #expect(ExpressionCheck.code(expression) == code)
    }

    /// Against sets of numbers made by Swift.
    @Test("sets of random numbers agree with Swift's", arguments: [UInt64.random(in: 0...UInt64.max)])
    func random(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let left = Self.numbers(&generator)
            let right = Self.numbers(&generator)
            let document = #"{"a": \#(left), "b": \#(right)}"#
            func check(_ operation: String, _ expected: some CustomStringConvertible) throws {
                try ExpressionCheck(#"{"\#(operation)": ["$a", "$b"]}"#, "\(expected)", of: document).run()
            }
            try check("$setUnion", Set(left).union(right).sorted())
            try check("$setIntersection", Set(left).intersection(right).sorted())
            var seen = Set(right)
            try check("$setDifference", left.filter { seen.insert($0).inserted })
            try check("$setIsSubset", Set(left).isSubset(of: right))
            try check("$setEquals", Set(left) == Set(right))
        }
    }

    private static func numbers(_ generator: inout SeededGenerator) -> [Int] {
        (0..<Int.random(in: 0...8, using: &generator)).map { _ in Int.random(in: 0...9, using: &generator) }
    }
}
