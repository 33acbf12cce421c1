import BSON
import CommandModel
import Foundation
import Testing

@testable import Query

/// Random geometries, most of them malformed or degenerate, as queries and as stored values: S2 ends the process when
/// something reaches it that it does not accept, so it is enough to come back from here.
@Suite("Random geometry")
struct GeoFuzzTests {
    /// More in `make fuzz`.
    private static let rounds = ProcessInfo.processInfo.environment["MARTLET_FUZZ_ROUNDS"].flatMap(Int.init) ?? 200

    @Test("nothing crashes, and laws hold")
    func random() throws {
        let seed = UInt64.random(in: 0...9_999_999)
        var generator = GeometryGenerator(seed: seed)
        var compiled = 0
        var stored: [Document] = []
        for round in 0..<Self.rounds {
            stored.append(json(#"{"a":\#(generator.value())}"#))
            if stored.count > 8 { stored.removeFirst() }
            for condition in generator.conditions() {
                let filter = json(#"{"a":\#(condition)}"#)
                guard let filter = try? Filter(compiling: filter, allowing: .query) else { continue }
                compiled += 1
                for document in stored { check(filter, document, "seed \(seed), round \(round): \(condition)") }
            }
        }
        #expect(compiled > 0, "seed \(seed)")
    }

    /// A condition with an order has a distance for each match.
    private func check(_ filter: Filter, _ document: Document, _ comment: String) {
        document.withRaw { raw in
            let matches = filter.matchesPlainly(raw)
            guard let near = filter.near, let distance = near.nearest(in: raw)?.distance else {
                #expect(filter.near == nil || !matches, "\(comment) \(document.text)")
                return
            }
            #expect(distance >= 0, "\(comment) \(document.text)")
        }
    }

    @Test("deep and large values are refused or answered")
    func large() throws {
        let point = geoJSON("Point", "[0,0]")
        var nested = point
        for _ in 0..<60 { nested = #"{"type":"GeometryCollection","geometries":[\#(nested)]}"# }
        let line = (0..<20_000).map { "[\(Double($0 % 360) - 180),\(Double($0 % 180) - 90)]" }.joined(separator: ",")
        let ring = (0..<5_000).map { "[\(Double($0) / 100),0]" }.joined(separator: ",") + ",[20,20],[0,0]"
        let points = Array(repeating: "[1,1]", count: 20_000).joined(separator: ",")
        for (geometry, isAccepted) in [
            (nested, false), (geoJSON("LineString", "[\(line)]"), true), (geoJSON("Polygon", "[[\(ring)]]"), true),
            (geoJSON("MultiPoint", "[\(points)]"), false),
        ] {
            let filter = json(#"{"a":{"$geoIntersects":{"$geometry":\#(geometry)}}}"#)
            #expect(errorCode { _ = try Filter(compiling: filter) } == (isAccepted ? nil : 2))
            let near = try Filter(compiling: json(#"{"a":{"$nearSphere":[0,0]}}"#), allowing: .query)
            _ = json(#"{"a":\#(geometry)}"#).withRaw { near.matchesPlainly($0) }
        }
    }
}

private struct GeometryGenerator {
    private var generator: SeededGenerator
    /// What coordinates are drawn from: few values make points, edges and antipodes meet.
    private var palette: [String] = []

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    private mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &generator) }

    private static let palettes = [
        ["0", "1", "2", "3"], ["0", "90", "-90", "45", "-45", "135", "-135", "180", "-180"],
        ["0", "1e-13", "-1e-13", "2e-13", "1e-300", "-0.0"], ["179.99999999999997", "89.99999999999999", "180", "90"],
        ["-170.5", "-80", "-3", "10.25", "33", "60", "150"],
        [
            "0", "5", "181", "91", "1e308", #"{"$numberDouble":"NaN"}"#, #"{"$numberDouble":"-Infinity"}"#, #""x""#,
            "null",
        ],
    ]

    mutating func conditions() -> [String] {
        palette = Self.palettes[below(Self.palettes.count)]
        let (geometry, pair) = (geometry(depth: 2), position())
        return [
            #"{"$geoIntersects":{"$geometry":\#(geometry)}}"#, #"{"$geoWithin":{"$geometry":\#(geometry)}}"#,
            #"{"$near":{"$geometry":\#(geometry),"$maxDistance":\#(number())}}"#, #"{"$near":\#(pair)}"#,
            #"{"$nearSphere":\#(pair),"$minDistance":\#(number())}"#,
            #"{"$geoWithin":{"$center":[\#(pair),\#(number())]}}"#,
            #"{"$geoWithin":{"$centerSphere":[\#(pair),\#(number())]}}"#, #"{"$geoWithin":{"$box":\#(positions())}}"#,
            #"{"$geoWithin":{"$polygon":\#(positions())}}"#,
        ]
    }

    mutating func value() -> String {
        palette = Self.palettes[below(Self.palettes.count)]
        switch below(5) {
        case 0: return position()
        case 1: return "[\(position()),\(geometry(depth: 1))]"
        default: return geometry(depth: 2)
        }
    }

    private mutating func number() -> String { palette[below(palette.count)] }

    private mutating func position() -> String {
        switch below(12) {
        case 0: #"{"x":\#(number()),"y":\#(number())}"#
        case 1: "[\(number())]"
        case 2: "[\(number()),\(number()),\(number())]"
        default: "[\(number()),\(number())]"
        }
    }

    private mutating func positions() -> String {
        "[\((0..<below(7)).map { _ in position() }.joined(separator: ","))]"
    }

    private mutating func ring() -> String {
        let corners = (0..<(2 + below(5))).map { _ in position() }
        let closing = below(6) == 0 ? [] : [corners[0]]
        return "[\((corners + closing).joined(separator: ","))]"
    }

    private mutating func polygon() -> String {
        "[\((0...(below(4) == 0 ? 2 : 0)).map { _ in ring() }.joined(separator: ","))]"
    }

    private mutating func geometry(depth: Int) -> String {
        let system = below(8) == 0 ? strictWinding : nil
        switch below(depth > 0 ? 9 : 8) {
        case 0: return geoJSON("Point", position())
        case 1: return geoJSON("LineString", positions())
        case 2: return geoJSON("MultiPoint", positions())
        case 3: return geoJSON("MultiLineString", "[\(positions()),\(positions())]")
        case 4: return geoJSON("MultiPolygon", "[\(polygon()),\(polygon())]")
        case 5: return geoJSON(["Polygon", "Point", "LineString"][below(3)], "[[\(positions())]]")
        case 6, 7: return geoJSON("Polygon", polygon(), crs: system)
        default: return collection(geometry(depth: depth - 1), geometry(depth: depth - 1))
        }
    }
}
