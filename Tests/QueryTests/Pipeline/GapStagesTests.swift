import BSON
import CommandModel
import Testing

@testable import Query

@Suite struct GapStagesTests {
    @Test(
        "$densify makes the documents between",
        arguments: [
            (
                #"{"field": "t", "range": {"step": 2, "bounds": "full"}}"#, #"[{"t": 5}, {"t": 1}, {"x": 1}]"#,
                #"[{"x":1}, {"t":1}, {"t":3}, {"t":5}]"#
            ),
            (
                #"{"field": "t", "partitionByFields": ["p"], "range": {"step": 1, "bounds": "full"}}"#,
                #"[{"p": "b", "t": 3}, {"p": "a", "t": 1}]"#,
                #"[{"p":"a","t":1}, {"p":"a","t":2}, {"p":"a","t":3}, {"p":"b","t":1}, {"p":"b","t":2}, "#
                    + #"{"p":"b","t":3}]"#
            ),
            (
                #"{"field": "t", "partitionByFields": ["p"], "range": {"step": 1, "bounds": "partition"}}"#,
                #"[{"p": "b", "t": 3}, {"p": "a", "t": 1}, {"p": "b", "t": 1}]"#,
                #"[{"p":"a","t":1}, {"p":"b","t":1}, {"p":"b","t":2}, {"p":"b","t":3}]"#
            ),
            (
                #"{"field": "t", "range": {"step": 1, "bounds": [0, 3]}}"#, #"[{"t": 1.5}, {"t": 9}]"#,
                #"[{"t":0}, {"t":1}, {"t":1.5}, {"t":2}, {"t":9}]"#
            ),
            (#"{"field": "t", "range": {"step": 1, "bounds": [0, 2]}}"#, "[]", #"[{"t":0}, {"t":1}]"#),
        ])
    func densify(_ specification: String, _ documents: String, _ expected: String) throws {
        #expect(try run(#"[{"$densify": \#(specification)}]"#, on: documents) == expected)
    }

    @Test(
        "$densify refuses what has no steps",
        arguments: [
            (#"{"field": "t", "range": {"step": 0, "bounds": "full"}}"#, 5_733_401),
            (#"{"field": "t", "range": {"step": 1, "bounds": "x"}}"#, 5_946_802),
            (#"{"field": "t", "range": {"step": 1, "bounds": ["a", "b"]}}"#, 5_733_402),
            (#"{"field": "s", "range": {"step": 1, "bounds": "full"}}"#, 5_733_201),
        ] as [(String, Int32)])
    func densifyRefused(_ specification: String, _ code: Int32) {
        let documents = #"[{"t": 1, "s": "x"}, {"t": 2}]"#
        #expect(errorCode { _ = try run(#"[{"$densify": \#(specification)}]"#, on: documents) } == code)
    }

    @Test(
        "$fill puts values in place of null and nothing",
        arguments: [
            (#"{"output": {"v": {"value": 7}}}"#, #"[{"t":1,"v":1}, {"t":2,"v":7}, {"t":3,"v":3}]"#),
            (
                #"{"sortBy": {"t": 1}, "output": {"v": {"method": "locf"}}}"#,
                #"[{"t":1,"v":1}, {"t":2,"v":1}, {"t":3,"v":3}]"#
            ),
            (
                #"{"sortBy": {"t": 1}, "output": {"v": {"method": "linear"}}}"#,
                #"[{"t":1,"v":1}, {"t":2,"v":2.0}, {"t":3,"v":3}]"#
            ),
            (
                #"{"sortBy": {"t": 1}, "partitionByFields": ["t"], "output": {"v": {"method": "locf"}}}"#,
                #"[{"t":1,"v":1}, {"t":2,"v":null}, {"t":3,"v":3}]"#
            ),
        ])
    func fill(_ specification: String, _ expected: String) throws {
        let documents = #"[{"t": 1, "v": 1}, {"t": 2, "v": null}, {"t": 3, "v": 3}]"#
        #expect(try run(#"[{"$fill": \#(specification)}]"#, on: documents) == expected)
    }

    @Test(
        "numbers are rounded to their neighbours in a series",
        arguments: [
            ("R5", 1, 0.63, 1.6), ("R80", 100, 97.5, 103), ("1-2-5", 20, 10, 50), ("E192", 9.15, 9.09, 9.2),
            ("POWERSOF2", 8, 4, 16), ("POWERSOF2", 9, 8, 16), ("E6", 0, 0, 0), ("R10", 3e-320, 2.5e-320, 3.15e-320),
        ] as [(String, Double, Double, Double)])
    func granularity(_ name: String, _ number: Double, _ below: Double, _ above: Double) throws {
        let series = try #require(Granularity(name))
        #expect(series.below(number) < number || number == 0)
        #expect(series.above(number) > number || number == 0)
        guard number == 0 || number > 1e-300 else { return }
        #expect(series.below(number) == below)
        #expect(series.above(number) == above)
    }
}
