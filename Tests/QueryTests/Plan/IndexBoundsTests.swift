import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Bounds of indexes")
struct IndexBoundsTests {
    @Test(
        "one field: what conditions become",
        arguments: [
            (#"{"a":5}"#, "[5, 5] exact"),
            (#"{"a":{"$in":[3,"x",1,3.0]}}"#, #"[1, 1] [3, 3] ["x", "x"] exact"#),
            (#"{"a":{"$in":[true,false]}}"#, "[false, false] [true, true] exact"),
            (#"{"a":{"$gt":5}}"#, "(5, inf.0] exact"),
            (#"{"a":{"$lte":5}}"#, "[-inf.0, 5] exact"),
            (#"{"a":{"$gte":1,"$lt":5}}"#, "[1, 5) exact"),
            (#"{"a":{"$gte":5,"$lte":5}}"#, "[5, 5] exact"),
            (#"{"a":{"$gt":5,"$lt":5}}"#, "exact"),
            (#"{"$and":[{"a":{"$gt":1}},{"a":{"$gt":3}}]}"#, "(3, inf.0] exact"),
            (#"{"a":{"$gt":5,"$lt":"x"}}"#, "exact"),
            (#"{"a":{"$gt":"x"}}"#, #"("x", {}) exact"#),
            (#"{"a":{"$lt":{"$numberDouble":"NaN"}}}"#, "exact"),
            (#"{"a":{"$lte":{"$numberDouble":"NaN"}}}"#, "[nan, nan] exact"),
            (#"{"a":{"$gt":{"$minKey":1}}}"#, "(MinKey, MaxKey] exact"),
            (#"{"a":{"$lte":{"$maxKey":1}}}"#, "[MinKey, MaxKey] exact"),
            (#"{"a":null}"#, "[null, null] exact"),
            (#"{"a":{"$ne":null}}"#, "[MinKey, null) (null, MaxKey] exact"),
            (#"{"a":{"$ne":5}}"#, "[MinKey, 5) (5, MaxKey] exact"),
            (#"{"a":{"$nin":[1,2]}}"#, "[MinKey, 1) (1, 2) (2, MaxKey] exact"),
            (#"{"a":{"$not":{"$gt":5}}}"#, "[MinKey, 5] (inf.0, MaxKey] exact"),
            (#"{"a":{"$not":{"$gt":1,"$lt":5}}}"#, "[MinKey, 1] [5, MaxKey] exact"),
            (#"{"$nor":[{"a":1},{"a":{"$gt":5}}]}"#, "[MinKey, 1) (1, 5] (inf.0, MaxKey]"),
            (#"{"$or":[{"a":1},{"a":{"$gt":5}}]}"#, "[1, 1] (5, inf.0] exact"),
            (#"{"$or":[{"a":1},{"b":2}]}"#, "[MinKey, MaxKey]"),
            (#"{"$or":[{"a":1,"b":1},{"a":{"$in":[3,4]}}]}"#, "[1, 1] [3, 3] [4, 4]"),
            (#"{"a":1,"b":2}"#, "[1, 1]"),
            (#"{"a":{"$exists":true}}"#, "[MinKey, MaxKey]"),
            (#"{"a":{"$exists":false}}"#, "[null, null]"),
            (#"{"a":{"$type":"number"}}"#, "[nan, inf.0] exact"),
            (#"{"a":{"$type":["int","string"]}}"#, #"[nan, inf.0] ["", {})"#),
            (#"{"a":{"$type":"null"}}"#, "[null, null]"),
            (#"{"a":{"$type":"date"}}"#, "[new Date(-9223372036854775808), new Date(9223372036854775807)] exact"),
            (#"{"a":{"$regex":"^ab"}}"#, #"["ab", "ac") [/^ab/, /^ab/] exact"#),
            (#"{"a":{"$regex":"^ab.*"}}"#, #"["ab", "ac") [/^ab.*/, /^ab.*/] exact"#),
            (#"{"a":{"$regex":"^a.c"}}"#, #"["a", "b") [/^a.c/, /^a.c/]"#),
            (#"{"a":{"$regex":"^ab*"}}"#, #"["a", "b") [/^ab*/, /^ab*/]"#),
            (#"{"a":{"$regex":"^ab+"}}"#, #"["ab", "ac") [/^ab+/, /^ab+/]"#),
            (#"{"a":{"$regex":"^a\\.b"}}"#, #"["a.b", "a.c") [/^a\.b/, /^a\.b/] exact"#),
            (#"{"a":{"$regex":"^ab|c"}}"#, #"["", {}) [/^ab|c/, /^ab|c/]"#),
            (#"{"a":{"$regex":"^ab","$options":"i"}}"#, #"["", {}) [/^ab/i, /^ab/i]"#),
            (#"{"a":{"$regex":"ab"}}"#, #"["", {}) [/ab/, /ab/]"#),
            (#"{"a":{"$mod":[2,0]}}"#, "[nan, inf.0]"),
            (#"{"a":{"$size":2}}"#, "[MinKey, MaxKey]"),
            (#"{"a":{"$all":[1]}}"#, "[1, 1] exact"),
            (#"{"a":{"$elemMatch":{"$gte":1,"$lt":5}}}"#, "[1, 5)"),
            (#"{"a":{"$gt":{"$date":{"$numberLong":"5"}}}}"#, "(new Date(5), new Date(9223372036854775807)] exact"),
            (#"{"$alwaysFalse":1}"#, "exact"),
            (#"{}"#, "[MinKey, MaxKey] exact"),
        ])
    func single(_ filter: String, _ expected: String) throws {
        #expect(try describe(filter, #"{"key":{"a":1}}"#) == expected)
    }

    @Test(
        "one field with many values: conditions may be met by different ones",
        arguments: [
            (#"{"a":{"$gte":1,"$lt":5}}"#, "[-inf.0, 5)"),
            (#"{"a":{"$gte":1},"$or":[{"a":7}]}"#, "[7, 7]"),
            (#"{"a":{"$elemMatch":{"$gte":1,"$lt":5}}}"#, "[1, 5)"),
            (#"{"a":{"$ne":5}}"#, "[MinKey, 5) (5, MaxKey]"),
            (#"{"a":[1,2]}"#, "[1, 1] [[ 1, 2 ], [ 1, 2 ]]"),
            (#"{"a":[]}"#, "[undefined, undefined] [[], []]"),
            (#"{"a":{"$type":"array"}}"#, "[MinKey, MaxKey]"),
            (#"{"a":{"$gt":[1]}}"#, "[MinKey, MaxKey]"),
            (#"{"a":{"$all":[1,2]}}"#, "[1, 1]"),
            (#"{"a":null}"#, "[null, null] exact"),
        ])
    func multikey(_ filter: String, _ expected: String) throws {
        #expect(try describe(filter, #"{"key":{"a":1}}"#, multikey: 1) == expected)
    }

    @Test(
        "compound: points narrow further fields, ranges do not",
        arguments: [
            (#"{"a":1,"b":{"$gt":2}}"#, #"{"a":1,"b":1}"#, 0, "[1, 1] / (2, inf.0] exact", 1),
            (#"{"a":{"$in":[1,2]},"b":{"$in":[3,4]}}"#, #"{"a":1,"b":1}"#, 0, "[1, 1] [2, 2] / [3, 3] [4, 4] exact", 4),
            (#"{"a":{"$gt":1},"b":3}"#, #"{"a":1,"b":1}"#, 0, "(1, inf.0] / [3, 3]", 1),
            (#"{"b":3}"#, #"{"a":1,"b":1}"#, 0, "[MinKey, MaxKey] / [3, 3]", 1),
            (#"{"a":{"$gt":1}}"#, #"{"a":-1,"b":1}"#, 0, "[inf.0, 1) / [MinKey, MaxKey] exact", 1),
            (#"{"a":{"$in":[1,2]}}"#, #"{"a":-1}"#, 0, "[2, 2] [1, 1] exact", 2),
            (#"{"x.a":1,"x.b":2}"#, #"{"x.a":1,"x.b":1}"#, 3, "[1, 1] / [MinKey, MaxKey]", 1),
            (#"{"x.a":1,"x.b":2}"#, #"{"x.a":1,"x.b":1}"#, 0, "[1, 1] / [2, 2] exact", 1),
            (#"{"x":{"$elemMatch":{"a":1,"b":2}}}"#, #"{"x.a":1,"x.b":1}"#, 3, "[1, 1] / [2, 2]", 1),
            (#"{"x.0":1,"y":2}"#, #"{"x.0":1,"y":1}"#, 1, "[1, 1] / [2, 2]", 1),
        ])
    func compound(
        _ filter: String, _ pattern: String, _ multikey: UInt32, _ expected: String, _ intervals: Int
    ) throws {
        let specification = #"{"key":\#(pattern)}"#
        #expect(try describe(filter, specification, multikey: multikey) == expected)
        #expect(try bounds(filter, specification, multikey: multikey)?.intervals.count == intervals)
    }

    @Test(
        "a sparse index serves what does not match where the field is missing",
        arguments: [
            (#"{"a":5}"#, 0, "[5, 5] exact"), (#"{"a":null}"#, 0, nil), (#"{"a":{"$exists":false}}"#, 0, nil),
            (#"{"a":{"$exists":true}}"#, 0, "[MinKey, MaxKey]"), (#"{"a":{"$ne":5}}"#, 0, nil),
            (#"{"a":{"$ne":null}}"#, 0, "[MinKey, null) (null, MaxKey] exact"), (#"{}"#, 0, nil),
            (#"{"$or":[{"a":5},{"a":null}]}"#, 0, nil), (#"{"b":1}"#, 0, nil),
            (#"{"a":{"$in":[1,null]}}"#, 0, nil), (#"{"a":{"$exists":true,"$in":[1,null]}}"#, 1, "[MinKey, MaxKey]"),
            (#"{"a":{"$gt":1,"$in":[1,null]}}"#, 1, "(1, inf.0]"),
        ] as [(String, UInt32, String?)])
    func sparse(_ filter: String, _ multikey: UInt32, _ expected: String?) throws {
        #expect(try describe(filter, #"{"key":{"a":1},"sparse":true}"#, multikey: multikey) == expected)
    }

    @Test("a text longer than a key is looked for by its beginning")
    func long() throws {
        let text = String(repeating: "x", count: 700)
        let bounds = try #require(try bounds(#"{"a":"\#(text)"}"#, #"{"key":{"a":1}}"#))
        #expect(!bounds.isExact && !bounds.isOfWholeKeys)
        #expect(bounds.intervals.count == 1)
        let interval = try #require(bounds.intervals.first)
        #expect(interval.lower.count == 600 && interval.upper.count == 600)
        #expect(interval.lower.dropLast() == interval.upper.dropLast())
    }

    @Test("the number of intervals is bounded")
    func bounded() throws {
        let many = (0..<100).map(String.init).joined(separator: ",")
        let filter = #"{"a":{"$in":[\#(many)]},"b":{"$in":[\#(many)]}}"#
        let bounds = try #require(try bounds(filter, #"{"key":{"a":1,"b":1}}"#))
        #expect(bounds.intervals.count == 100 && !bounds.isExact)
        let more = (0..<20_000).map(String.init).joined(separator: ",")
        let single = try #require(try self.bounds(#"{"a":{"$in":[\#(more)]}}"#, #"{"key":{"a":1}}"#))
        #expect(single.intervals.count <= 10_000 && !single.isExact)
    }

    private func bounds(_ filter: String, _ specification: String, multikey: UInt32 = 0) throws -> IndexBounds? {
        let planner = IndexPlanner([], describesBounds: true)
        return planner.bounds(
            of: try Filter(compiling: json(filter)), in: try candidate(specification, multikey: multikey))
    }

    private func describe(_ filter: String, _ specification: String, multikey: UInt32 = 0) throws -> String? {
        guard let bounds = try bounds(filter, specification, multikey: multikey) else { return nil }
        let fields = bounds.fieldBounds.map { $0.intervals.joined(separator: " ") }.joined(separator: " / ")
        return (fields + (bounds.isExact ? " exact" : "")).trimmed
    }
}

/// An index named as its key pattern.
func candidate(
    _ specification: String, multikey: UInt32 = 0, hasCutKeys: Bool = false, statistics: KeyStatistics? = nil
) throws -> IndexCandidate {
    let raw = json(specification)
    let named = Document { builder in
        raw.withRaw { for element in $0 where !(element.key == "name") { builder.append(element) } }
        builder.append("name", string: raw.withRaw { $0["name"]?.string ?? "\($0["key"]?.errorText ?? "")" })
    }
    return IndexCandidate(
        definition: try IndexDefinition(named),
        facts: IndexFacts(multikeyFields: multikey, hasCutKeys: hasCutKeys), statistics: statistics)
}

extension String {
    fileprivate var trimmed: String { String(drop { $0 == " " }) }
}
