import Testing

@testable import Query

@Suite("Malformed geometry")
struct GeoRefusalTests {
    static let nan = #"{"$numberDouble":"NaN"}"#
    static let infinity = #"{"$numberDouble":"Infinity"}"#

    /// What `$geometry` may not be in `$geoIntersects`, and so nowhere.
    static let geometries: [String] =
        [
            "{}", "1", "[]", "[1]", "[1,95]", #"{"x":1}"#, #"{"x":1,"y":2,"z":3}"#, #"{"type":"Point"}"#,
            #"{"coordinates":[0,0]}"#, #"{"type":1,"coordinates":[0,0]}"#,
        ]
        + [
            ("point", "[0,0]"), ("Feature", "[0,0]"), ("Point", "[]"), ("Point", "[1]"), ("Point", #"["a",1]"#),
            ("Point", "[[0,0]]"), ("Point", "[181,0]"), ("Point", "[0,-91]"), ("Point", "[\(nan),0]"),
            ("Point", "[0,\(infinity)]"), ("LineString", "[]"), ("LineString", "[[0,0]]"),
            ("LineString", "[[0,0],[0,0]]"), ("LineString", "[[0,0],[500,0]]"), ("MultiPoint", "[]"),
            ("MultiPoint", "[0,0]"), ("MultiLineString", "[[0,0],[1,1]]"), ("MultiPolygon", "[\(square(0, 0, 1))]"),
            ("Polygon", "[]"), ("Polygon", "[[]]"), ("Polygon", "[[0,0],[1,0],[1,1],[0,0]]"),
            ("Polygon", "[[[0,0],[1,0],[1,1],[0,1]]]"), ("Polygon", "[[[0,0],[1,0],[0,0]]]"),
            ("Polygon", "[[[0,0],[1,0],[1,0],[0,0]]]"), ("Polygon", "[[[0,0],[0,0],[0,0],[0,0]]]"),
            ("Polygon", "[[[0,0],[2,2],[2,0],[0,2],[0,0]]]"),
            ("Polygon", "[[[0,0],[2,0],[2,2],[1,0],[0,2],[0,0]],[[0,0],[1,1]]]"),
            ("Polygon", "[\(square(0, 0, 1)),\(square(5, 5, 1))]"),
            ("Polygon", "[\(square(0, 0, 1)),\(square(0, 0, 2))]"),
            ("Polygon", "[\(square(0, 0, 1)),\(square(0, 0, 1))]"),
            ("Polygon", "[[[0,0],[5,0],[5,5],[0,5],[0,0]],[[0,0],[0,2],[2,2],[2,0],[0,0]]]"),
            ("GeometryCollection", "[0,0]"),
        ].map { geoJSON($0.0, $0.1) } + [
            geoJSON("Point", "[0,0]", crs: strictWinding), geoJSON("Polygon", "[\(square(0, 0, 1))]", crs: "x"),
            geoJSON("MultiPolygon", "[[\(square(0, 0, 1))]]", crs: strictWinding),
            geoJSON("Polygon", "[\(square(0, 0, 2)),\(square(0, 0, 1))]", crs: strictWinding),
            #"{"type":"Point","coordinates":[0,0],"crs":null}"#,
            #"{"type":"Point","coordinates":[0,0],"crs":{"type":"link","properties":{"name":"EPSG:4326"}}}"#,
            #"{"type":"Point","coordinates":[0,0],"crs":{"type":"name","properties":{}}}"#,
            #"{"type":"GeometryCollection","geometries":[]}"#, #"{"type":"GeometryCollection","geometries":[1]}"#,
            #"{"type":"GeometryCollection","geometries":{"a":\#(geoJSON("Point", "[0,0]"))}}"#,
            #"{"type":"GeometryCollection","geometries":[{"type":"GeometryCollection","geometries":[]}]}"#,
        ]

    @Test("a malformed $geometry is refused", arguments: geometries)
    func geometry(_ geometry: String) {
        for name in ["$geoIntersects", "$geoWithin", "$near", "$nearSphere"] {
            let isMissingType = geometry == #"{"coordinates":[0,0]}"#
            if isMissingType, name.hasPrefix("$near") { continue }
            #expect(code(#"{"\#(name)":{"$geometry":\#(geometry)}}"#) == 2, "\(name) \(geometry)")
        }
    }

    @Test("stored values that are malformed do not match", arguments: geometries)
    func stored(_ geometry: String) throws {
        // These two are no geometry for a query, and are one where stored: a pair of numbers with something after it.
        guard geometry != #"{"x":1,"y":2,"z":3}"# else { return }
        let everywhere = #"{"$geoWithin":{"$centerSphere":[[0,0],4]}}"#
        #expect(try !matches(#"{"a":\#(everywhere)}"#, #"{"a":{"b":\#(geometry)}}"#))
        guard !geometry.hasPrefix("["), geometry != #"{"type":"Point","coordinates":[0,0],"crs":null}"# else { return }
        #expect(try !matches(#"{"a":\#(everywhere)}"#, #"{"a":\#(geometry)}"#), "\(geometry)")
    }

    @Test(
        "a malformed shape is refused",
        arguments: [
            #"{"$geoWithin":1}"#, #"{"$geoWithin":{}}"#, #"{"$geoWithin":{"$circle":1}}"#,
            #"{"$geoWithin":{"$geometry":{"type":"Point","coordinates":[0,0]}}}"#,
            #"{"$geoWithin":{"$geometry":{"type":"LineString","coordinates":[[0,0],[1,1]]}}}"#,
            #"{"$geoWithin":{"$box":[[0,0],[1,1]],"$center":[[0,0],1]}}"#,
            #"{"$geoWithin":{"$box":[[0,0],[1,1]]},"$eq":1}"#, #"{"$eq":1,"$geoWithin":{"$box":[[0,0],[1,1]]}}"#,
            #"{"$geoWithin":{"$box":[[0,0],[1,1]]},"$maxDistance":1}"#, #"{"$geoWithin":{"$box":[]}}"#,
            #"{"$geoWithin":{"$box":[[0,0]]}}"#, #"{"$geoWithin":{"$box":[[0,0,0],[1,1,1]]}}"#,
            #"{"$geoWithin":{"$box":[[0,0],[1,\#(nan)]]}}"#, #"{"$geoWithin":{"$box":[[0,0],[1,\#(infinity)]]}}"#,
            #"{"$geoWithin":{"$box":"x"}}"#, #"{"$geoWithin":{"$polygon":[[0,0],[1,1]]}}"#,
            #"{"$geoWithin":{"$polygon":{"a":[0,0]}}}"#, #"{"$geoWithin":{"$polygon":[1,2,3]}}"#,
            #"{"$geoWithin":{"$center":[[0,0],-1]}}"#, #"{"$geoWithin":{"$center":[[0,0]]}}"#,
            #"{"$geoWithin":{"$center":[[0,0],1,2]}}"#, #"{"$geoWithin":{"$center":[[0,0],\#(nan)]}}"#,
            #"{"$geoWithin":{"$center":[{"x":0},1]}}"#, #"{"$geoWithin":{"$centerSphere":[[181,0],1]}}"#,
            #"{"$geoWithin":{"$centerSphere":[[0,91],1]}}"#, #"{"$geoWithin":{"$centerSphere":[[0,0],"1"]}}"#,
            #"{"$geoIntersects":{"$box":[[0,0],[1,1]]}}"#, #"{"$geoIntersects":{"type":"Point","coordinates":[0,0]}}"#,
            #"{"$geoIntersects":{"$geometry":[0,0]},"$near":[0,0]}"#, #"{"$box":[[0,0],[1,1]]}"#,
            #"{"$geometry":[0,0]}"#, #"{"$maxDistance":1}"#,
        ])
    func shape(_ condition: String) {
        #expect(code(condition) == 2)
        #expect(code(#"{"$not":\#(condition)}"#) == 2)
        #expect(code(#"{"$elemMatch":\#(condition)}"#) == 2)
    }

    private func code(_ condition: String) -> Int32? {
        errorCode { _ = try Filter(compiling: json(#"{"a":\#(condition)}"#), allowing: .query) }
    }
}
