import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Sort keys of arrays")
struct ParallelKeyTests {
    private func precedes(_ pattern: String, _ first: String, _ second: String) throws -> Bool {
        let pattern = try SortPattern(compiling: json(pattern))
        let keys = try [first, second].map { document in try json(document).withRaw { try pattern.key(of: $0) } }
        return keys[0].lexicographicallyPrecedes(keys[1])
    }

    @Test(
        "paths into one array are compared element by element",
        arguments: [
            // The pair (1, 9) is the least of the first document, though it has a smaller c.
            (#"{"a.b":1,"a.c":1}"#, #"{"a":[{"b":1,"c":5}]}"#, #"{"a":[{"b":1,"c":9},{"b":2,"c":0}]}"#),
            (#"{"a.b":1,"a.c":-1}"#, #"{"a":[{"b":1,"c":9},{"b":2,"c":0}]}"#, #"{"a":[{"b":1,"c":5}]}"#),
            (#"{"a.b":1,"a.c":1}"#, #"{"a":[{"b":1},{"b":0,"c":7}]}"#, #"{"a":[{"b":0,"c":8}]}"#),
            (
                #"{"a.b.x":1,"a.b.y":1}"#, #"{"a":[{"b":[{"x":1,"y":2}]}]}"#,
                #"{"a":[{"b":[{"x":1,"y":3},{"x":2,"y":1}]}]}"#
            ),
            (#"{"a":1,"a.b":1}"#, #"{"a":[]}"#, #"{"a":[{"b":1}]}"#),
            (#"{"a.b":1,"a.c":1,"d":1}"#, #"{"a":[{"b":1,"c":1}],"d":1}"#, #"{"a":[{"b":1,"c":1}],"d":2}"#),
        ])
    func elementwise(pattern: String, first: String, second: String) throws {
        #expect(try precedes(pattern, first, second), "\(first) before \(second)")
    }

    @Test(
        "paths into two arrays are refused",
        arguments: [
            (#"{"a":1,"b":1}"#, #"{"a":[1],"b":[2]}"#), (#"{"a":1,"b":1}"#, #"{"a":[],"b":[]}"#),
            (#"{"a.x":1,"a.y":1}"#, #"{"a":[{"x":[1],"y":[2]}]}"#),
            (#"{"a.x":1,"b.y":-1}"#, #"{"a":[{"x":1}],"b":[5]}"#),
        ])
    func refusal(pattern: String, document: String) throws {
        let pattern = try SortPattern(compiling: json(pattern))
        #expect(errorCode { _ = try json(document).withRaw { try pattern.key(of: $0) } } == 2, "\(document)")
    }

    @Test(
        "two paths of which one meets an array, and an index into it, are not parallel",
        arguments: [#"{"a":[1,2],"b":3}"#, #"{"a":[3],"b":{"c":[1]}}"#, #"{"a":1}"#])
    func single(document: String) throws {
        let pattern = try SortPattern(compiling: json(#"{"a":1,"b":-1,"a.0":1}"#))
        #expect(errorCode { _ = try json(document).withRaw { try pattern.key(of: $0) } } == nil, "\(document)")
    }
}
