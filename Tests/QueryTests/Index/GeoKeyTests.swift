import BSON
import CommandModel
import NIOCore
import Testing

@testable import Query

@Suite("Keys of geometries")
struct GeoKeyTests {
    @Test("a stored geometry that meets a region has a key in its intervals", arguments: ["2dsphere", "2d"])
    func intervals(kind: String) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = SeededGenerator(seed: seed)
        let definition = try index("{\"loc\":\"\(kind)\"}")
        var met = 0
        for _ in 0..<1_500 {
            let near = kind == "2d" && Int.random(in: 0..<2, using: &random) == 0
            let document = json("{\"loc\":\(kind == "2d" ? random.pair() : random.geometry())}")
            guard let keys = try? definition.made(of: document).keys else { continue }
            let text = kind == "2d" ? random.flatCondition(near) : random.sphereCondition()
            guard
                let filter = try? Filter(compiling: json("{\"loc\":\(text)}"), allowing: .query),
                try filter.matches(document)
            else { continue }
            met += 1
            let intervals = try #require(filter.geoIntervals(of: definition), "\(text)")
            let isInside = keys.contains { key in
                let key = Array(key.readableBytesView)
                return intervals.contains {
                    !key.lexicographicallyPrecedes($0.lower) && key.lexicographicallyPrecedes($0.upper)
                }
            }
            #expect(isInside, "seed \(seed): \(text) \(document.text)")
            #expect(zip(intervals, intervals.dropFirst()).allSatisfy { $0.upper.lexicographicallyPrecedes($1.lower) })
            #expect(intervals.count < 400)
        }
        #expect(met > 150)
    }

    @Test("intervals are small where the region is")
    func narrow() throws {
        let sphere = try index(#"{"loc":"2dsphere"}"#)
        let flat = try index(#"{"loc":"2d"}"#)
        let far = #"{"loc":[30,40]}"#
        let circle = try Filter(compiling: json(#"{"loc":{"$geoWithin":{"$centerSphere":[[10,20],0.001]}}}"#))
        let box = try Filter(compiling: json(#"{"loc":{"$geoWithin":{"$box":[[10,20],[10.1,20.1]]}}}"#))
        for (filter, definition) in [(circle, sphere), (box, flat)] {
            let intervals = try #require(filter.geoIntervals(of: definition))
            let key = try Array(#require(definition.made(of: far).keys.first).readableBytesView)
            #expect(
                !intervals.contains {
                    !key.lexicographicallyPrecedes($0.lower) && key.lexicographicallyPrecedes($0.upper)
                })
        }
    }

    private static let counts: [(options: String, document: String, count: Int, multikey: UInt32)] = [
        (#"{"key":{"loc":"2dsphere"}}"#, #"{"loc":{"type":"Point","coordinates":[1,2]}}"#, 1, 0),
        (#"{"key":{"loc":"2dsphere"}}"#, #"{"loc":[1,2]}"#, 1, 0),
        (#"{"key":{"loc":"2dsphere"}}"#, #"{"loc":{"lng":1,"lat":2}}"#, 1, 0),
        (#"{"key":{"loc":"2dsphere"}}"#, #"{"loc":null}"#, 0, 0),
        (#"{"key":{"loc":"2dsphere"}}"#, #"{"loc":[]}"#, 0, 0),
        (#"{"key":{"loc":"2dsphere"}}"#, #"{}"#, 0, 0),
        (#"{"key":{"a":1,"loc":"2dsphere"}}"#, #"{"a":1}"#, 0, 0),
        (#"{"key":{"a":1,"loc":"2dsphere"}}"#, #"{"a":[1,2],"loc":[1,2]}"#, 2, 1),
        (#"{"key":{"p":"2dsphere","loc":"2dsphere"}}"#, #"{"loc":[1,2]}"#, 1, 0),
        (#"{"key":{"a.loc":"2dsphere"}}"#, #"{"a":[{"loc":[1,2]},{"loc":[3,4]},{}]}"#, 2, 1),
        (#"{"key":{"loc":"2d"}}"#, #"{"loc":[1,2]}"#, 1, 0),
        (#"{"key":{"loc":"2d","a":1}}"#, #"{"loc":{"x":1,"y":2},"a":7}"#, 1, 0),
        (#"{"key":{"loc":"2d"}}"#, #"{"loc":[[1,2],[3,4]]}"#, 2, 1),
        (#"{"key":{"loc":"2d"}}"#, #"{"a":1}"#, 0, 0),
        (#"{"key":{"loc":"2d"},"min":-500,"max":500}"#, #"{"loc":[400,-500]}"#, 1, 0),
    ]

    @Test("a document has a key for each cell and each value of other fields", arguments: counts)
    func count(options: String, document: String, count: Int, multikey: UInt32) throws {
        let made = try index(options: options).made(of: document)
        #expect(made.keys.count == count)
        #expect(made.facts.multikeyFields == multikey)
    }

    private static let refused: [(pattern: String, document: String, code: Int32)] = [
        (#"{"loc":"2dsphere"}"#, #"{"loc":{"type":"InvalidType","coordinates":[0,0]}}"#, 16755),
        (#"{"loc":"2dsphere"}"#, #"{"loc":{"type":"Point","coordinates":[1]}}"#, 16755),
        (#"{"loc":"2dsphere"}"#, #"{"loc":{"type":"Point","coordinates":[-181,0]}}"#, 16755),
        (#"{"loc":"2dsphere"}"#, #"{"loc":{"type":"Point","coordinates":[]}}"#, 16755),
        (#"{"loc":"2dsphere"}"#, #"{"loc":"hello"}"#, 16755),
        (#"{"loc":"2dsphere"}"#, #"{"loc":true}"#, 16755),
        (#"{"loc":"2dsphere"}"#, #"{"loc":{"coordinates":[0,0]}}"#, 16755),
        (#"{"loc":"2dsphere"}"#, #"{"loc":{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}}"#, 16755),
        (
            #"{"loc":"2dsphere"}"#, #"{"loc":{"type":"Polygon","coordinates":[[[0,0],[1,1],[1,0],[0,1],[0,0]]]}}"#,
            16755
        ),
        (#"{"loc":"2d"}"#, #"{"loc":[181,0]}"#, 13027),
        (#"{"loc":"2d"}"#, #"{"loc":[1]}"#, 13068),
        (#"{"loc":"2d"}"#, #"{"loc":{"type":"Point","coordinates":[1,2]}}"#, 13026),
        (#"{"loc":"2d"}"#, #"{"loc":5}"#, 13654),
    ]

    @Test("what is no geometry is refused", arguments: refused)
    func refusal(pattern: String, document: String, code: Int32) throws {
        let definition = try index(pattern)
        #expect(errorCode { _ = try definition.made(of: document) } == code)
    }

    /// Keys are stored: see `KeyEncodingGoldenTests`.
    private static let golden: [(options: String, document: String, keys: [String])] = [
        (#"{"key":{"loc":"2dsphere"}}"#, #"{"loc":[0,0]}"#, ["011000000000000001"]),
        (#"{"key":{"a":1,"loc":"2dsphere"}}"#, #"{"a":5,"loc":[10.5,-20.25]}"#, ["2e0a011b789b090aa264b3"]),
        (#"{"key":{"p":"2dsphere","loc":"2dsphere"}}"#, #"{"loc":[0,0]}"#, ["00011000000000000001"]),
        (#"{"key":{"loc":"2d"}}"#, #"{"loc":[0,0]}"#, ["01c000000000000000"]),
        (#"{"key":{"loc":"2d"}}"#, #"{"loc":[180,-180]}"#, ["01aaaaaaaaaaaaa000"]),
        (#"{"key":{"loc":"2d"},"bits":2,"min":0,"max":4}"#, #"{"loc":[1,2]}"#, ["016000000000000000"]),
    ]

    @Test("the bytes of keys do not change", arguments: golden)
    func bytes(options: String, document: String, keys: [String]) throws {
        let made = try index(options: options).made(of: document).keys
        #expect(made.map { $0.withUnsafeReadableBytes(hexEncoded) } == keys)
    }
}

extension Filter {
    /// Of the only condition, on `loc`.
    fileprivate func geoIntervals(of definition: IndexDefinition) -> [KeyInterval]? {
        let kind = definition.fields[0].kind
        return withExtendedLifetime(program) {
            switch program.root {
            case .near(let condition):
                condition._withUnsafeGuaranteedRef { $0.intervals(of: kind, in: definition) }
            case .fields(let groups):
                if case .geometry(let predicate) = groups[0].tests[0].test {
                    predicate._withUnsafeGuaranteedRef { $0.intervals(of: kind, in: definition) }
                } else {
                    nil
                }
            default: nil
            }
        }
    }
}

extension SeededGenerator {
    private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

    /// Of a small world, so that places meet; now and then at its ends.
    private mutating func coordinates() -> (Double, Double) {
        if number(0...20) == 0 { return [(180, 0), (-180, 10), (0, 90), (5, -90), (45, 0), (0, 0)][number(0...5)] }
        return (Double(number(-40...40)) / 8, Double(number(-40...40)) / 8)
    }

    mutating func pair() -> String {
        let (x, y) = coordinates()
        return "[\(x),\(y)]"
    }

    private mutating func square() -> String {
        let (x, y) = (Double(number(-40...40)) / 8, Double(number(-40...40)) / 8)
        let size = Double(number(1...30)) / 16
        return "[[[\(x),\(y)],[\(x + size),\(y)],[\(x + size),\(y + size)],[\(x),\(y + size)],[\(x),\(y)]]]"
    }

    mutating func geometry() -> String {
        switch number(0...5) {
        case 0: pair()
        case 1: #"{"type":"Point","coordinates":\#(pair())}"#
        case 2: #"{"type":"LineString","coordinates":[\#(pair()),\#(pair())]}"#
        case 3: #"{"type":"MultiPoint","coordinates":[\#(pair()),\#(pair()),\#(pair())]}"#
        default: #"{"type":"Polygon","coordinates":\#(square())}"#
        }
    }

    mutating func sphereCondition() -> String {
        switch number(0...4) {
        case 0: #"{"$geoWithin":{"$centerSphere":[\#(pair()),\#(Double(number(1...300)) / 1_000)]}}"#
        case 1: #"{"$geoWithin":{"$geometry":{"type":"Polygon","coordinates":\#(square())}}}"#
        case 2:
            #"{"$nearSphere":{"$geometry":{"type":"Point","coordinates":\#(pair())},"#
                + #""$maxDistance":\#(number(0...900_000))}}"#
        default: #"{"$geoIntersects":{"$geometry":\#(geometry())}}"#
        }
    }

    mutating func flatCondition(_ near: Bool) -> String {
        if near { return #"{"$near":\#(pair()),"$maxDistance":\#(number(0...4))}"# }
        return switch number(0...2) {
        case 0: #"{"$geoWithin":{"$box":[\#(pair()),\#(pair())]}}"#
        case 1: #"{"$geoWithin":{"$center":[\#(pair()),\#(number(0...4))]}}"#
        default: #"{"$geoWithin":{"$polygon":[\#(pair()),\#(pair()),\#(pair())]}}"#
        }
    }
}
