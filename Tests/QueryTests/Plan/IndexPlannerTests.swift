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
            (#"{"a":1,"b":1}"#, 0, #"{"a":{"$in":[1,2]}}"#, #"{"b":1}"#, "forward merged 1"),
            (#"{"a":-1,"b":1}"#, 0, #"{"a":{"$in":[1,2]}}"#, #"{"b":-1}"#, "backward merged 1"),
            (#"{"a":1,"b":1}"#, 1, #"{"a":{"$in":[1,2]}}"#, #"{"b":1}"#, "forward merged 1"),
            (#"{"a":1,"b":1}"#, 2, #"{"a":{"$in":[1,2]},"b":{"$gt":1}}"#, #"{"b":1}"#, nil),
            (#"{"a":1,"b":1,"c":1}"#, 0, #"{"a":{"$in":[1,2]},"b":{"$gt":1}}"#, #"{"b":1,"c":1}"#, "forward merged 1"),
            (#"{"a":1,"b":1,"c":1}"#, 0, #"{"a":{"$in":[1,2]},"b":{"$in":[3,4]}}"#, #"{"c":-1}"#, "backward merged 2"),
            (#"{"a":1,"b":1,"c":1}"#, 0, #"{"a":{"$in":[1,2]},"b":{"$gt":1}}"#, #"{"c":1}"#, nil),
            (#"{"a":1,"b":1,"c":1}"#, 0, #"{"a":{"$in":[1,2]},"b":3}"#, #"{"c":1}"#, "forward merged 2"),
            (#"{"a":1,"b":1}"#, 0, #"{"$or":[{"a":1},{"a":2}]}"#, #"{"b":1}"#, "forward merged 1"),
            (#"{"a":1,"b":1}"#, 0, #"{"a":{"$in":[1,"x",3]},"b":{"$ne":5}}"#, #"{"b":1}"#, "forward merged 1"),
            (#"{"x.a":1,"x.b":1}"#, 3, #"{"x.a":{"$in":[1,2]}}"#, #"{"x.b":1}"#, nil),
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
        let merged = scan.mergedFields > 0 ? " merged \(scan.mergedFields)" : ""
        #expect(scan.bounds.mergedBytes.count == (scan.mergedFields > 0 ? scan.bounds.intervals.count : 0))
        return (scan.isReversed ? "backward" : "forward") + merged
    }

    @Test("a hint decides, also for an index that lacks documents")
    func hints() throws {
        #expect(try plan(#"{"a":1}"#, hint: .name("ab")).hasPrefix("ab"))
        #expect(try plan(#"{}"#, hint: .keyPattern(json(#"{"c":1}"#))).hasPrefix("c"))
        #expect(try plan(#"{"p":5}"#, hint: .name("p")).hasPrefix("p"))
        #expect(errorCode { _ = try plan("{}", hint: .name("none")) } == 2)
        #expect(errorCode { _ = try plan("{}", hint: .name("hidden")) } == 2)
    }

    @Test(
        "a compound wildcard index serves a path between its other fields, or these alone",
        arguments: [
            (#"{"t":1,"x.y":5}"#, "x.y: [5, 5] exact"), (#"{"t":1,"x.y":5,"z":{"$gt":2}}"#, "x.y: [5, 5] exact"),
            (#"{"t":1,"x":{"$in":[1,2]},"z":3}"#, "x: [1, 1] [2, 2] exact"), (#"{"t":1}"#, "exact"),
            (#"{"t":{"$in":[1,2]},"x":{"$gt":5}}"#, "x: (5, inf.0] exact"), (#"{"t":{"$gt":1},"x":5}"#, "x: [5, 5]"),
            (#"{"x":5}"#, "collection"), (#"{"t":1,"x":{"$exists":true}}"#, "x: [MinKey, MaxKey]"),
            (#"{"t":1,"x":null}"#, ""), (#"{"z":3}"#, "collection"), (#"{"t":1,"x":5,"y":6}"#, "x: [5, 5]"),
        ])
    func compoundWildcard(_ filter: String, _ expected: String) throws {
        let index = try candidate(#"{"key":{"t":1,"$**":1,"z":-1},"wildcardProjection":{"t":0,"z":0}}"#)
        let planner = IndexPlanner([index], describesBounds: true)
        let plan = try planner.plan(PlanRequest(try Filter(compiling: json(filter))))
        guard case .index(let scan) = plan else { return #expect(expected == "collection") }
        let field = scan.bounds.fieldBounds.first { !["t", "z", "$_path"].contains($0.path) }
        let texts = field.map { ["\($0.path): \($0.intervals.joined(separator: " "))"] } ?? []
        #expect((texts + (scan.bounds.isExact ? ["exact"] : [])).joined(separator: " ") == expected)
    }

    @Test(
        "a wildcard index by hint: what its keys can answer, in part or whole",
        arguments: [
            (#"{"a":[]}"#, true), (#"{"a":{}}"#, true), (#"{"a":{"b":1}}"#, false), (#"{"a":[1]}"#, false),
            (#"{"a":{"$ne":null}}"#, true), (#"{"a":null}"#, false), (#"{"$or":[{"a":1},{"b":2}]}"#, true),
            (#"{"$or":[{"a":1},{"b":null}]}"#, false), (#"{"_id":1}"#, false), (#"{}"#, false),
        ])
    func hintedWildcard(_ filter: String, _ isAnswered: Bool) throws {
        let planner = IndexPlanner([try candidate(#"{"key":{"$**":1},"name":"w"}"#)])
        let request = PlanRequest(try Filter(compiling: json(filter)), hint: .name("w"))
        #expect((errorCode { _ = try planner.plan(request) } == nil) == isAnswered)
    }

    @Test("paths that are longer than a key are cut, whatever comes before them", arguments: [600, 601, 640, 5_000])
    func longPaths(_ length: Int) throws {
        let name = String(repeating: "n", count: length)
        for (key, filter) in [
            (#"{"$**":1}"#, #"{"\#(name)":5}"#), (#"{"$**":1}"#, #"{"\#(name)":{"$exists":true}}"#),
            (#"{"t":1,"$**":1}"#, #"{"t":1,"\#(name)":{"$in":[5,6]}}"#),
        ] {
            let index = try candidate(#"{"key":\#(key)}"#)
            let compiled = try Filter(compiling: json(filter))
            let bounds = try #require(IndexPlanner([]).bounds(of: compiled, in: index))
            let document = json(#"{"t":1,"\#(name)":5}"#)
            let keys = try document.withRaw { raw throws(CommandError) in try index.definition.keys(of: raw).keys }
            #expect(keys.contains(where: bounds.contain) && !bounds.isExact)
        }
    }

    @Test("a count needs no documents, so that an index serves it which reads most keys")
    func counts() throws {
        #expect(try skewed(["a"], #"{"a":1}"#) == "collection")
        #expect(try skewed(["a"], #"{"a":1}"#, counts: true) == "a")
        #expect(try skewed(["a"], #"{"a":1,"z":1}"#, counts: true) == "collection")
    }

    @Test("how many documents are to be sorted is known from any index")
    func sortedMatches() throws {
        #expect(try skewed(["c", "b"], #"{"c":{"$in":[1,2,3,4]}}"#, sort: #"{"b":1}"#) == "b sorted")
    }

    @Test("more walks than 200 are not merged")
    func mergedMax() throws {
        let index = try candidate(#"{"key":{"a":1,"b":1}}"#)
        for (count, expected) in [(200, "forward merged 1"), (201, nil)] as [(Int, String?)] {
            let values = (0..<count).map(String.init).joined(separator: ",")
            #expect(try direction(index, "{\"a\":{\"$in\":[\(values)]}}", #"{"b":1}"#) == expected)
        }
    }

    /// 100,000 documents: `a` is 1 in nine of ten, `b` one of ten thousand numbers, `c` one of five.
    private func skewed(
        _ keys: [String], _ filter: String, sort: String? = nil, limit: Int? = nil, counts: Bool = false
    ) throws -> String {
        let statistics = try [
            "a": known(distinct: 10_001, common: [("1", 0.9)], bounds: (0...100).map { "\($0 * 100 + 2)" }),
            "b": known(distinct: 10_000, bounds: (0...100).map { "\($0 * 100)" }),
            "c": known(distinct: 5, common: (0..<5).map { ("\($0)", 0.2) }),
        ]
        let planner = IndexPlanner(
            try keys.map { key in
                try candidate(#"{"key":{"\#(key)":1},"name":"\#(key)"}"#, statistics: statistics[key])
            })
        var request = PlanRequest(
            try Filter(compiling: json(filter)), sort: try sort.map { try SortPattern(compiling: json($0)) },
            matchesNeeded: limit)
        request.isCount = counts
        return name(try planner.plan(request), planner)
    }

    private func known(
        distinct: Double, common: [(String, Double)] = [], bounds: [String] = []
    ) throws -> KeyStatistics {
        func key(_ value: String) throws -> [UInt8] {
            json("{\"v\":\(value)}").withRaw { raw in
                KeyEncoder.encode(raw["v"] ?? RawValue.nothing(.null)) as [UInt8]
            }
        }
        return KeyStatistics(
            entries: 100_000, documents: 100_000, distinct: distinct,
            common: try common.map { KeyStatistics.CommonKey(key: try key($0.0), part: $0.1) },
            bounds: try bounds.map(key))
    }

    @Test(
        "with statistics the plan that reads least is taken",
        arguments: [
            // Without the common value both are as good, and the first is taken.
            (["a", "b"], #"{"a":2,"b":7}"#, nil, nil, "a"), (["a", "b"], #"{"a":1,"b":7}"#, nil, nil, "b"),
            (["a", "b"], #"{"a":2,"b":{"$gt":7}}"#, nil, nil, "a"),
            (["a", "b"], #"{"a":{"$gt":9900},"b":{"$lt":5000}}"#, nil, nil, "a"),
            (["a", "b"], #"{"a":{"$gt":1},"b":{"$lt":200}}"#, nil, nil, "b"),
            (["a"], #"{"a":1}"#, nil, nil, "collection"), (["a"], #"{"a":{"$gte":1}}"#, nil, nil, "collection"),
            (["a"], #"{"a":{"$gt":9000}}"#, nil, nil, "a"), (["c"], #"{"c":3}"#, nil, nil, "c"),
            (["c"], #"{"c":{"$in":[1,2,3]}}"#, nil, nil, "collection"), (["b"], #"{}"#, #"{"b":1}"#, nil, "b sorted"),
            (["c", "b"], #"{"c":3}"#, #"{"b":1}"#, 10, "b sorted"), (["c", "b"], #"{"c":9}"#, #"{"b":1}"#, 10, "c"),
            (["a", "c"], #"{"$or":[{"a":5},{"c":9}]}"#, nil, nil, "union a c"),
            (["a", "c"], #"{"$or":[{"a":1},{"c":9}]}"#, nil, nil, "collection"),
        ] as [([String], String, String?, Int?, String)])
    func statistics(_ keys: [String], _ filter: String, _ sort: String?, _ limit: Int?, _ expected: String) throws {
        #expect(try skewed(keys, filter, sort: sort, limit: limit) == expected)
    }

    @Test("text in a filter is found by an index of the same collation only")
    func collation() throws {
        let french = #"{"key":{"a":1},"name":"a","collation":{"locale":"fr","strength":1}}"#
        let collator = try Collator.shared(for: Collation(locale: "fr"))
        let planner = IndexPlanner([try candidate(french)])
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
                let bounds = IndexBounds(intervals: [range.interval])
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
        let planner = IndexPlanner(try specifications.map { try candidate($0) })
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
        case .text, .textUnion: return "text"
        case .union(let scans): return "union " + scans.map(name).joined(separator: " ")
        case .index(let scan):
            return name(scan) + (scan.isReversed ? " reversed" : "") + (scan.providesSort ? " sorted" : "")
                + (scan.bounds.isExact && planner.candidates[scan.position].definition.partialFilter != nil
                    || scan.bounds.isExact && planner.candidates[scan.position].definition.collator != nil
                    ? " exact" : "")
        }
    }
}
