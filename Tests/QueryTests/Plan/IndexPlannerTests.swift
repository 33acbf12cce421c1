import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Choice of an index")
struct IndexPlannerTests {
    @Test(
        "which index, in which direction, with or without the order asked for",
        arguments: [
            (#"{"a":1}"#, nil, "a"), (#"{"z":1}"#, nil, "collection"), (#"{}"#, nil, "collection"),
            (#"{"a":1,"b":2}"#, nil, "ab"), (#"{"a":1,"b":{"$gt":2}}"#, nil, "ab"), (#"{"b":2}"#, nil, "collection"),
            (#"{"a":1}"#, #"{"b":1}"#, "ab sorted"), (#"{"a":1}"#, #"{"b":-1}"#, "ab reversed sorted"),
            (#"{}"#, #"{"a":1,"b":1}"#, "ab sorted"), (#"{}"#, #"{"a":1,"b":-1}"#, "collection"),
            (#"{}"#, #"{"c":-1}"#, "c reversed sorted"), (#"{}"#, #"{"b":1}"#, "collection"),
            (#"{"$or":[{"a":1},{"c":2}]}"#, nil, "union a c"), (#"{"$or":[{"a":1},{"z":2}]}"#, nil, "collection"),
            (#"{"$or":[{"a":1},{"a":2}]}"#, nil, "a"), (#"{"_id":5,"a":1}"#, nil, "collection"),
            (#"{"a":1,"$alwaysFalse":1}"#, nil, "nothing"), (#"{"u":7}"#, nil, "u"),
            (#"{"u":7,"a":1,"b":1}"#, nil, "u"),
            (#"{"h":5}"#, nil, "h"), (#"{"h":{"$gt":5}}"#, nil, "collection"),
            (#"{"p":5}"#, nil, "collection"), (#"{"p":5,"s":"on"}"#, nil, "p exact"),
            (#"{"p":5,"s":{"$in":["on"]},"z":1}"#, nil, "p"), (#"{"p":5,"s":{"$in":["on","off"]}}"#, nil, "collection"),
            (#"{"hidden":1}"#, nil, "collection"),
        ] as [(String, String?, String)])
    func choice(_ filter: String, _ sort: String?, _ expected: String) throws {
        #expect(try plan(filter, sort: sort).hasPrefix(expected))
        if !expected.contains("sorted") { #expect(try !plan(filter, sort: sort).contains("sorted")) }
    }

    @Test(
        "the order of an index serves where no value is hidden by bounds",
        arguments: [
            (#"{"a":1}"#, 0, #"{}"#, #"{"a":1}"#, "forward"), (#"{"a":1}"#, 0, #"{}"#, #"{"a":-1}"#, "backward"),
            (#"{"a":-1}"#, 0, #"{}"#, #"{"a":-1}"#, "forward"),
            (#"{"a":1}"#, 0, #"{"a":{"$gt":1}}"#, #"{"a":1}"#, "forward"),
            (#"{"a":1}"#, 1, #"{}"#, #"{"a":1}"#, "forward"), (#"{"a":1}"#, 1, #"{"a":{"$gt":1}}"#, #"{"a":1}"#, nil),
            (#"{"a":1,"b":1}"#, 0, #"{"a":{"$in":[1,2]}}"#, #"{"b":1}"#, nil),
            (#"{"a":1,"b":1}"#, 0, #"{"a":{"$in":[1,2]}}"#, #"{"a":1,"b":1}"#, "forward"),
            (#"{"a":1,"b":1,"c":1}"#, 0, #"{"b":5}"#, #"{"a":1,"c":1}"#, "forward"),
            (#"{"a":1,"b":1,"c":1}"#, 2, #"{"b":5}"#, #"{"a":1,"c":1}"#, nil),
            (#"{"a":1,"b":1}"#, 0, #"{"a":5}"#, #"{"b":-1,"a":1}"#, "backward"),
            (#"{"a":1,"b":1}"#, 1, #"{"a":5}"#, #"{"b":1}"#, "forward"),
            (#"{"x.a":1,"x.b":1}"#, 3, #"{"x.a":5}"#, #"{"x.b":1}"#, nil),
            (#"{"a":1,"b":-1}"#, 0, #"{}"#, #"{"a":-1,"b":1}"#, "backward"),
            (#"{"a":1}"#, 0, #"{}"#, #"{"a":1,"_id":1}"#, nil),
        ] as [(String, UInt32, String, String, String?)])
    func order(_ pattern: String, _ multikey: UInt32, _ filter: String, _ sort: String, _ expected: String?) throws {
        let index = try candidate(#"{"key":\#(pattern)}"#, multikey: multikey)
        #expect(try direction(index, filter, sort) == expected)
        let cut = try candidate(#"{"key":\#(pattern)}"#, multikey: multikey, hasCutKeys: true)
        #expect(try direction(cut, filter, sort) == nil)
    }

    private func direction(_ index: IndexCandidate, _ filter: String, _ sort: String) throws -> String? {
        let request = PlanRequest(
            try Filter(compiling: json(filter)), sort: try SortPattern(compiling: json(sort)),
            hint: .name(index.definition.name))
        guard case .index(let scan) = try IndexPlanner([index]).plan(request), scan.providesSort else { return nil }
        return scan.isReversed ? "backward" : "forward"
    }

    @Test("a hint decides, also for an index that lacks documents")
    func hints() throws {
        #expect(try plan(#"{"a":1}"#, hint: .name("ab")).hasPrefix("ab"))
        #expect(try plan(#"{}"#, hint: .keyPattern(json(#"{"c":1}"#))).hasPrefix("c"))
        #expect(try plan(#"{"p":5}"#, hint: .name("p")).hasPrefix("p"))
        #expect(errorCode { _ = try plan("{}", hint: .name("none")) } == 2)
        #expect(errorCode { _ = try plan("{}", hint: .name("hidden")) } == 2)
    }

    @Test("what is known of values goes before guesses")
    func statistics() throws {
        var planner = IndexPlanner(
            [try candidate(#"{"key":{"a":1},"name":"a"}"#), try candidate(#"{"key":{"b":1},"name":"b"}"#)],
            rows: 100_000)
        let request = PlanRequest(try Filter(compiling: json(#"{"a":1,"b":{"$gt":1}}"#)))
        #expect(name(try planner.plan(request), planner) == "a")
        planner.selectivity = { position, _ in position == 0 ? 0.9 : 0.001 }
        #expect(name(try planner.plan(request), planner) == "b")
    }

    @Test("text in a filter is found by an index of the same collation only")
    func collation() throws {
        let french = #"{"key":{"a":1},"name":"a","collation":{"locale":"fr","strength":1}}"#
        let collator = try Collator.shared(for: Collation(locale: "fr"))
        let planner = IndexPlanner([try candidate(french)], rows: 10)
        for (filter, expected) in [
            (#"{"a":"x"}"#, "collection"), (#"{"a":5}"#, "a exact"), (#"{"a":{"$gt":5}}"#, "a exact"),
        ] {
            for collator in [nil, collator] {
                let request = PlanRequest(try Filter(compiling: json(filter), collator: collator))
                #expect(name(try planner.plan(request), planner) == expected, "\(filter)")
            }
        }
        let own = PlanRequest(
            try Filter(compiling: json(#"{"a":"x"}"#), collator: planner.candidates[0].definition.collator))
        #expect(name(try planner.plan(own), planner) == "a exact")
    }

    @Test(
        "min and max are bounds in the order of the index",
        arguments: [
            (#"{"a":1}"#, #"{"a":1}"#, #"{"a":5}"#, nil), (#"{"a":1}"#, #"{"a":5}"#, #"{"a":1}"#, 51175),
            (#"{"a":1}"#, #"{"a":1}"#, #"{"a":1}"#, 51175), (#"{"a":-1}"#, #"{"a":5}"#, #"{"a":1}"#, nil),
            (#"{"a":1,"b":-1}"#, #"{"a":1,"b":5}"#, #"{"a":1,"b":1}"#, nil),
            (#"{"a":1,"b":1}"#, #"{"a":1}"#, #"{"a":2}"#, 51174), (#"{"a":1}"#, #"{"b":1}"#, #"{"a":2}"#, 51174),
            (#"{"a":1,"b":1}"#, #"{"b":1,"a":1}"#, #"{"a":2,"b":1}"#, 51174),
            (#"{"a":1}"#, #"{"a":1}"#, #"{"a":"x"}"#, nil), (#"{"a":"hashed"}"#, #"{"a":1}"#, #"{"a":2}"#, 51174),
        ] as [(String, String, String, Int32?)])
    func range(_ pattern: String, _ min: String, _ max: String, _ code: Int32?) throws {
        let definition = try candidate(#"{"key":\#(pattern)}"#).definition
        let found = errorCode {
            let range = try IndexRange(min: json(min), max: json(max), of: definition, collator: nil)
            for (bound, isInside) in [(min, true), (max, false)] {
                let keys = try json(bound).withRaw { raw throws(CommandError) in try definition.keys(of: raw).keys }
                let bounds = IndexBounds(
                    intervals: [range.interval], isExact: false, isOfWholeKeys: false, fieldBounds: [],
                    equalityFields: 0)
                #expect(keys.allSatisfy { bounds.contain($0) == isInside })
            }
        }
        #expect(found == code)
    }

    private func plan(_ filter: String, sort: String? = nil, hint: IndexHint? = nil) throws -> String {
        let specifications = [
            #"{"key":{"a":1},"name":"a"}"#, #"{"key":{"a":1,"b":1},"name":"ab"}"#, #"{"key":{"c":1},"name":"c"}"#,
            #"{"key":{"u":1},"name":"u","unique":true}"#, #"{"key":{"h":"hashed"},"name":"h"}"#,
            #"{"key":{"p":1},"name":"p","partialFilterExpression":{"s":"on"}}"#,
            #"{"key":{"hidden":1},"name":"hidden","hidden":true}"#,
        ]
        let planner = IndexPlanner(try specifications.map { try candidate($0) }, rows: 1000)
        let request = PlanRequest(
            try Filter(compiling: json(filter)), sort: try sort.map { try SortPattern(compiling: json($0)) },
            hint: hint)
        return name(try planner.plan(request), planner)
    }

    private func name(_ plan: AccessPlan, _ planner: IndexPlanner) -> String {
        func name(_ scan: IndexScan) -> String { planner.candidates[scan.position].definition.name }
        switch plan {
        case .collection: return "collection"
        case .nothing: return "nothing"
        case .union(let scans): return "union " + scans.map(name).joined(separator: " ")
        case .index(let scan):
            return name(scan) + (scan.isReversed ? " reversed" : "") + (scan.providesSort ? " sorted" : "")
                + (scan.bounds.isExact && planner.candidates[scan.position].definition.partialFilter != nil
                    || scan.bounds.isExact && planner.candidates[scan.position].definition.collator != nil
                    ? " exact" : "")
        }
    }
}
