import BSON
import Testing

@testable import Query

@Suite("$near")
struct GeoNearTests {
    /// The numbers of the documents `{a: value}` that match, nearest first.
    private func order(_ condition: String, _ values: [String]) throws -> [Int] {
        let filter = try Filter(compiling: json(#"{"a":\#(condition)}"#), allowing: .query)
        let pattern = try SortPattern(nearestFirst: #require(filter.near))
        var sorter = Sorter(limit: nil)
        for (number, value) in values.enumerated() {
            try json(#"{"n":\#(number),"a":\#(value)}"#).withRaw { document in
                guard filter.matchesPlainly(document) else { return }
                try sorter.insert(key: pattern.key(of: document), rid: Int64(number), row: document)
            }
        }
        return try sorter.finish().map { Int($0.rid) }
    }

    @Test("the nearest comes first, and what is no geometry does not come")
    func nearestFirst() throws {
        let values = [
            "[5,5]", geoJSON("Point", "[1,1]"), "null", "[0,0]", #""x""#, "[[9,9],[0.5,0]]",
            geoJSON("LineString", "[[4,-4],[4,4]]"), geoJSON("Polygon", "[\(square(0, 0, 3))]"), "[0,91]",
        ]
        let point = geoJSON("Point", "[0,0]")
        for condition in [
            #"{"$near":{"$geometry":\#(point)}}"#, #"{"$nearSphere":{"$geometry":\#(point)}}"#,
            #"{"$geoNear":{"$geometry":{"coordinates":[0,0,7]}}}"#, #"{"$nearSphere":[0,0]}"#,
        ] {
            // Within the polygon the distance is none, as it is at the point itself.
            #expect(try order(condition, values) == [3, 7, 5, 1, 6, 0], "\(condition)")
        }
        #expect(try order(#"{"$near":[0,0]}"#, values) == [3, 5, 1, 0, 8])
    }

    static let ranges: [(String, [Int])] = [
        // The third document is a degree away: 111,318.8 m, 0.017453.
        (#"{"$near":{"$geometry":{"type":"Point","coordinates":[0,0]},"$maxDistance":111318}}"#, [0, 1]),
        (#"{"$near":{"$geometry":{"type":"Point","coordinates":[0,0]},"$maxDistance":111319}}"#, [0, 1, 2]),
        (#"{"$near":{"$geometry":{"type":"Point","coordinates":[0,0]},"$minDistance":1}}"#, [1, 2, 3]),
        (#"{"$near":{"$geometry":{"type":"Point","coordinates":[0,0]},"$maxDistance":0}}"#, [0]),
        (#"{"$near":{"$geometry":{"type":"Point","coordinates":[0,0]},"$minDistance":5,"$maxDistance":1}}"#, []),
        (#"{"$nearSphere":[0,0],"$maxDistance":0.0175}"#, [0, 1, 2]),
        (#"{"$nearSphere":[0,0],"$minDistance":0.0175}"#, [3]),
        (#"{"$near":[0,0],"$minDistance":0.1,"$maxDistance":1}"#, [1, 2]),
        (#"{"$near":{"x":0,"y":0},"$maxDistance":1,"$uniqueDocs":true}"#, [0, 1, 2]),
        (#"{"$near":[0,0,0.5]}"#, [0, 1]),
    ]

    @Test("distances are metres with GeoJSON, radians on the sphere and units on the plane", arguments: ranges)
    func distances(condition: String, expected: [Int]) throws {
        let values = ["[0,0]", "[0.5,0]", "[1,0]", "[40,0]"]
        #expect(try order(condition, values) == expected)
    }

    static let angles: [(from: [Double], to: [Double], radians: Double)] = [
        ([0, 0], [180, 0], .pi), ([0, 90], [0, -90], .pi), ([179, 0], [-179, 0], .pi / 90),
        ([10, 89], [-170, 89], .pi / 90), ([-73.9667, 40.78], [-73.9667, 40.78], 0), ([0, 0], [90, 45], .pi / 2),
    ]

    @Test("distances are those of a sphere", arguments: angles)
    func sphere(from: [Double], to: [Double], radians: Double) throws {
        let near = try NearCondition(
            path: RawKey("a.b"), center: GeoPosition(x: from[0], y: from[1]), metric: .sphere, range: (0, 10),
            isGeoJSON: false)
        let found = json(#"{"a":[{"c":1},{"b":[\#(to[0]),\#(to[1])]}]}"#).withRaw { near.nearest(in: $0)?.distance }
        #expect(try abs(#require(found) - radians) < 1e-14)
    }

    private static let infinity = #"{"$numberDouble":"Infinity"}"#

    @Test("what a client is told are MongoDB's numbers, to the last digit")
    func reported() throws {
        let document = json(#"{"a":[3,0],"b":{"type":"LineString","coordinates":[[0,0],[2,0]]}}"#)
        func distance(_ point: String, _ path: StaticString, isSpherical: Bool = true) throws -> Double? {
            try json(#"{"p":\#(point)}"#).withRaw { arguments in
                let near = try NearCondition(
                    from: #require(arguments["p"]), path: RawKey(path), isSpherical: isSpherical, least: nil, most: nil)
                return document.withRaw { near.nearest(in: $0).map { near.reported($0.distance) } }
            }
        }
        #expect(try distance(geoJSON("Point", "[0,0]"), "a") == 333_956.53506435105)
        #expect(try distance(geoJSON("Point", "[1,1]"), "b") == 111_318.84502145031)
        #expect(try distance(geoJSON("Point", "[1,0]"), "b") == 0)
        #expect(try distance("[0,0]", "a") == 0.0523598775598299)
        #expect(try distance("[0,4]", "a", isSpherical: false) == 5)
        #expect(try distance("[0,0]", "b", isSpherical: false) == nil)
        #expect(try distance("[0,0]", "c") == nil)
    }

    static let refusals: [(String, Int32)] = [
        (#"{"a":{"$near":{}}}"#, 2), (#"{"a":{"$near":1}}"#, 2), (#"{"a":{"$near":[1]}}"#, 2),
        (#"{"a":{"$near":["a",1]}}"#, 2), (#"{"a":{"$near":{"$maxDistance":1,"$minDistance":0}}}"#, 2),
        (#"{"a":{"$near":{"$box":[[0,0],[1,1]]}}}"#, 2), (#"{"a":{"$near":{"$geometry":[0,0]}}}"#, 2),
        (#"{"a":{"$near":[0,0,-1]}}"#, 2), (#"{"a":{"$nearSphere":[181,0]}}"#, 2),
        (#"{"a":{"$near":[{"$numberDouble":"NaN"},0]}}"#, 2),
        (#"{"a":{"$near":[0,0],"$minDistance":"1"}}"#, 16893), (#"{"a":{"$near":[0,0],"$minDistance":-1}}"#, 16894),
        (#"{"a":{"$near":[0,0],"$maxDistance":"1"}}"#, 16895), (#"{"a":{"$near":[0,0],"$maxDistance":-1}}"#, 16896),
        (#"{"a":{"$near":[0,0],"$minDistance":{"$numberDouble":"NaN"}}}"#, 16894),
        (#"{"a":{"$near":[0,0],"$eq":1}}"#, 34413),
        (#"{"a":{"$near":{"$geometry":{"type":"Point","coordinates":[0,0]}},"$eq":1}}"#, 34413),
        (#"{"a":{"$near":{"$geometry":{"type":"Point","coordinates":[0,0]}},"$maxDistance":1}}"#, 2),
        (#"{"a":{"$near":{"$geometry":{"type":"Point","coordinates":[0,0]},"$maxDistance":-1}}}"#, 2),
        (#"{"a":{"$near":{"$geometry":{"type":"Point","coordinates":[0,0]},"$maxDistance":"1"}}}"#, 2),
        (#"{"a":{"$near":{"$geometry":{"type":"Point","coordinates":[0,0]},"$maxDistance":\#(infinity)}}}"#, 2),
        (#"{"a":{"$eq":1,"$near":[0,0]}}"#, 2), (#"{"a":{"$not":{"$near":[0,0]}}}"#, 2),
        (#"{"a":{"$elemMatch":{"$near":[0,0]}}}"#, 2), (#"{"a":{"$elemMatch":{"b":{"$near":[0,0]}}}}"#, 2),
        (#"{"$or":[{"a":{"$near":[0,0]}},{"b":1}]}"#, 2), (#"{"$nor":[{"a":{"$near":[0,0]}}]}"#, 2),
        (#"{"a":{"$near":[0,0]},"b":{"$near":[0,0]}}"#, 2),
        (#"{"$and":[{"a":{"$near":[0,0]}},{"a":{"$nearSphere":[0,0]}}]}"#, 2),
        (#"{"a":{"$near":[0,0]},"$text":{"$search":"x"}}"#, 2), (#"{"$near":[0,0]}"#, 2),
    ]

    @Test("a malformed or misplaced $near is refused with MongoDB's code", arguments: refusals)
    func refusal(filter: String, expected: Int32) {
        #expect(code(filter) == expected)
    }

    @Test(
        "where no order can be had $near is refused",
        arguments: [
            #"{"a":{"$near":[0,0]}}"#, #"{"a":{"$nearSphere":[0,0]}}"#, #"{"$or":[{"a":{"$geoNear":[0,0]}},{"b":1}]}"#,
        ])
    func disallowed(filter: String) {
        #expect(errorCode { _ = try Filter(compiling: json(filter)) } == 5_626_500)
    }

    private func code(_ filter: String) -> Int32? {
        errorCode { _ = try Filter(compiling: json(filter), allowing: .query) }
    }
}
