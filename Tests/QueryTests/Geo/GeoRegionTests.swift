import Testing

@testable import Query

/// A polygon as GeoJSON: a square around a point, counter-clockwise.
func square(_ x: Double, _ y: Double, _ half: Double) -> String {
    let (west, east, south, north) = (x - half, x + half, y - half, y + half)
    return "[[\(west),\(south)],[\(east),\(south)],[\(east),\(north)],[\(west),\(north)],[\(west),\(south)]]"
}

func geoJSON(_ type: String, _ coordinates: String, crs: String? = nil) -> String {
    let system = crs.map { #","crs":{"type":"name","properties":{"name":"\#($0)"}}"# } ?? ""
    return #"{"type":"\#(type)","coordinates":\#(coordinates)\#(system)}"#
}

func collection(_ geometries: String...) -> String {
    #"{"type":"GeometryCollection","geometries":[\#(geometries.joined(separator: ","))]}"#
}

let strictWinding = "urn:x-mongodb:crs:strictwinding:EPSG:4326"

@Suite("Geometry regions")
struct GeoRegionTests {
    typealias Case = (filter: String, matching: [String], other: [String])

    static let flat: [Case] = [
        (
            #"{"$box":[[10,0],[0,10]]}"#,
            ["[0,0]", "[10,5]", #"{"x":5,"y":5}"#, "[5,5,99]", "[[5,5],[50,50]]", geoJSON("Point", "[5,5]")],
            [
                "[11,5]", "[]", "[5]", #""x""#, "null", #"[{"$numberDouble":"NaN"},5]"#,
                geoJSON("LineString", "[[1,1],[2,2]]"), geoJSON("Point", "[5,95]"), #"{"a":"x","x":5,"y":5}"#,
            ]
        ),
        (#"{"$box":[[0,0],[1,1],[9,9]]}"#, ["[1,1]"], ["[2,2]"]),
        (#"{"$center":[[0,0],5]}"#, ["[3,4]", "[0,-5]"], ["[4,4]", "[[6,0]]"]),
        (#"{"$center":[[0,0],{"$numberDouble":"Infinity"}]}"#, ["[1e300,0]"], ["[]"]),
        (#"{"$center":[{"x":0,"y":0},0]}"#, ["[0,0]"], ["[0,1]"]),
        (
            #"{"$polygon":[[0,0],[10,10],[10,0]]}"#, ["[5,1]", "[0,0]", "[10,10]", "[10,5]", "[5,0]"],
            ["[3,3]", "[15,15]", "[0,10]", "[-1,0]"]
        ),
        (#"{"$polygon":[[0,0],[10,10],[10,0],[0,10]]}"#, ["[2,2]", "[5,5]", "[9,5]"], ["[8,8]", "[5,1]", "[5,9]"]),
        (#"{"$polygon":[[1,1],[1,1],[1,1]]}"#, ["[1,1]"], ["[1,2]"]),
        (#"{"$polygon":[[0,0],[0,5],[0,10]]}"#, ["[0,3]"], ["[1,3]", "[0,11]"]),
    ]

    static let sphere: [Case] = [
        (
            #"{"$centerSphere":[[0,0],0.1]}"#,
            ["[1,1]", geoJSON("LineString", "[[0,0],[1,1]]"), geoJSON("Polygon", "[\(square(0, 0, 2))]")],
            ["[10,10]", "[0,200]", geoJSON("LineString", "[[0,0],[20,0]]"), geoJSON("Polygon", "[\(square(0, 0, 5))]")]
        ),
        (
            #"{"$centerSphere":[[0,0],2]}"#, ["[90,0]", geoJSON("LineString", "[[-90,0],[90,0]]")],
            ["[180,0]", geoJSON("LineString", "[[170,0],[-170,0]]"), geoJSON("Polygon", "[\(square(180, 0, 89))]")]
        ),
        (#"{"$centerSphere":[[0,0],3.2]}"#, ["[180,0]", geoJSON("MultiPoint", "[[0,90],[0,-90]]")], ["1"]),
        (
            #"{"$geometry":\#(geoJSON("Polygon", "[\(square(0, 0, 10)),\(square(0, 0, 1))]"))}"#,
            [
                "[5,5]", "[[5,5],[0,0]]", "[10,10]", geoJSON("Point", "[1,1]"), geoJSON("Point", "{\"a\":5,\"b\":5}"),
                geoJSON("MultiPoint", "[[5,5],[6,6]]"), geoJSON("Polygon", "[\(square(5, 5, 1))]"),
                collection(geoJSON("Point", "[5,5]"), geoJSON("MultiPoint", "[[6,6]]")),
            ],
            [
                "[0,0]", "[11,0]", geoJSON("MultiPoint", "[[5,5],[16,6]]"), geoJSON("LineString", "[[-5,0],[5,0]]"),
                geoJSON("Polygon", "[\(square(0, 0, 2))]"), geoJSON("Polygon", "[[]]"), geoJSON("point", "[5,5]"),
                geoJSON("Polygon", "[[[1,1],[2,2],[2,1],[1,2],[1,1]]]"),
                geoJSON("Polygon", "[\(square(5, 5, 1))]", crs: strictWinding),
            ]
        ),
        (
            #"{"$geometry":\#(geoJSON("MultiPolygon", "[[\(square(0, 0, 1))],[\(square(179.5, 0, 0.5))]]"))}"#,
            ["[0,0]", "[179.9,0]"], ["[2,0]", "[-179.9,0]"]
        ),
        (
            #"{"$geometry":\#(geoJSON("Polygon", "[[[178,-2],[-178,-2],[-178,2],[178,2],[178,-2]]]"))}"#,
            ["[179,0]", "[-179,0]"], ["[0,0]"]
        ),
        (
            // Clockwise, and so the rest of the sphere.
            #"{"$geometry":\#(geoJSON("Polygon", "[[[-9,-9],[-9,9],[9,9],[9,-9],[-9,-9]]]", crs: strictWinding))}"#,
            ["[50,50]"], ["[0,0]"]
        ),
        (
            #"{"$geometry":\#(geoJSON("Polygon", "[[[-9,-9],[-9,9],[9,9],[9,-9],[-9,-9]]]", crs: "EPSG:4326"))}"#,
            ["[0,0]"], ["[50,50]"]
        ),
    ]

    @Test("$geoWithin on the plane", arguments: flat)
    func within(_ test: Case) throws { try check("$geoWithin", test) }

    @Test("$geoWithin on the sphere", arguments: sphere)
    func withinOnSphere(_ test: Case) throws { try check("$geoWithin", test) }

    @Test("$within is the old name of $geoWithin")
    func oldName() throws { try check("$within", (#"{"$box":[[0,0],[1,1]]}"#, ["[1,1]"], ["[2,2]"])) }

    static let crossing: [Case] = [
        (geoJSON("Point", "[0,0]"), ["[0,0]", geoJSON("LineString", "[[-1,0],[1,0]]")], ["[0,0.001]"]),
        ("[0,0]", ["[0,0]", #"{"x":0,"y":0}"#], ["[1,0]", "0"]),
        (
            geoJSON("LineString", "[[0,0],[0,0],[20,0]]"),
            ["[20,0]", geoJSON("LineString", "[[5,-5],[5,5]]"), geoJSON("Polygon", "[\(square(0, 0, 5))]")],
            ["[0,1]", geoJSON("LineString", "[[5,1],[5,5]]"), geoJSON("Polygon", "[\(square(0, 9, 5))]")]
        ),
        (
            geoJSON("Polygon", "[\(square(5, 5, 5))]"),
            [
                "[5,5]", "[0,0]", geoJSON("Polygon", "[\(square(12, 5, 3))]"),
                geoJSON("Polygon", "[\(square(5, 5, 1))]"),
            ],
            ["[11,5]", geoJSON("Polygon", "[\(square(15, 5, 5))]"), geoJSON("Polygon", "[\(square(15, 15, 5))]")]
        ),
        (geoJSON("Polygon", "[[[0,0],[1,0],[2,0],[0,0]]]"), ["[0,0]", "[1,0]"], ["[50,50]"]),
        (collection(geoJSON("Point", "[0,0]"), geoJSON("LineString", "[[5,5],[6,6]]")), ["[0,0]", "[6,6]"], ["[1,1]"]),
        (geoJSON("MultiLineString", "[[[0,0],[1,1]],[[5,5],[6,6]]]"), ["[1,1]", "[5,5]"], ["[3,3]"]),
    ]

    @Test("$geoIntersects", arguments: crossing)
    func intersects(_ test: Case) throws {
        try check("$geoIntersects", (#"{"$geometry":\#(test.filter)}"#, test.matching, test.other))
    }

    private func check(_ name: String, _ test: Case) throws {
        let filter = #"{"a":{"\#(name)":\#(test.filter)}}"#
        for value in test.matching { #expect(try matches(filter, #"{"a":\#(value)}"#), "\(filter) \(value)") }
        for value in test.other { #expect(try !matches(filter, #"{"a":\#(value)}"#), "\(filter) \(value)") }
    }

    @Test("geometry operators stand below logical operators and $elemMatch")
    func combinations() throws {
        let within = #"{"$geoWithin":{"$box":[[0,0],[1,1]]}}"#
        #expect(try matches(#"{"a":{"$not":\#(within)}}"#, #"{"a":[2,2]}"#))
        #expect(try matches(#"{"a":{"$not":\#(within)}}"#, "{}"))
        #expect(try !matches(#"{"$nor":[{"a":\#(within)}]}"#, #"{"a":[1,1]}"#))
        #expect(try matches(#"{"a":{"$elemMatch":\#(within)}}"#, #"{"a":[[1,1],[2,2]]}"#))
        #expect(try !matches(#"{"a":{"$elemMatch":\#(within)}}"#, #"{"a":[1,1]}"#))
        #expect(try matches(#"{"a.b":\#(within)}"#, #"{"a":[{"b":[9,9]},{"b":[1,1]}]}"#))
    }
}
