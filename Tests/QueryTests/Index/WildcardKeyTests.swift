import BSON
import CommandModel
import NIOCore
import Testing

@testable import Query

@Suite("Keys of wildcard indexes")
struct WildcardKeyTests {
    /// Keys as path and value.
    private static let table: [(options: String, document: String, keys: [(String, String)])] = [
        (
            #"{"key":{"$**":1}}"#,
            #"{"_id":1,"a":{"b":1,"c":{}},"d":[2,{"e":3},[4],[],{}],"f":[]}"#,
            [
                ("a.b", "1"), ("a.c", "{}"), ("d", "2"), ("d", "[4]"), ("d", "[]"), ("d", "{}"), ("d.e", "3"),
                ("f", #"{"$undefined":true}"#),
            ]
        ),
        (#"{"key":{"a.$**":1}}"#, #"{"a":[{"b":1},2],"c":3}"#, [("a.b", "1"), ("a", "2")]),
        (#"{"key":{"a.b.$**":1}}"#, #"{"a":{"b":1,"c":2}}"#, [("a.b", "1")]),
        (
            #"{"key":{"$**":1},"wildcardProjection":{"a":1,"b.c":1}}"#, #"{"_id":1,"a":1,"b":{"c":2,"d":3},"e":4}"#,
            [("a", "1"), ("b.c", "2")]
        ),
        (
            #"{"key":{"$**":1},"wildcardProjection":{"a":0,"b.c":0}}"#, #"{"_id":1,"a":1,"b":{"c":2,"d":3},"e":4}"#,
            [("b.d", "3"), ("e", "4")]
        ),
        (#"{"key":{"$**":1},"wildcardProjection":{"_id":1}}"#, #"{"_id":1,"a":1}"#, [("_id", "1")]),
        (
            #"{"key":{"$**":1},"wildcardProjection":{"_id":1,"a":0}}"#, #"{"_id":1,"a":1,"b":2}"#,
            [("_id", "1"), ("b", "2")]
        ),
        (#"{"key":{"$**":1}}"#, #"{"_id":1}"#, []),
    ]

    @Test("a key for each value, at its path", arguments: table)
    func keys(options: String, document: String, keys: [(String, String)]) throws {
        let made = try index(options: options).made(of: document).keys
        let expected = try keys.map { path, value in
            let value = try #require(
                json("{\"v\":\(value)}").withRaw { $0["v"].map { KeyEncoder.encode($0) as [UInt8] } })
            return WildcardPath(path).own + value
        }
        #expect(Set(made.map { Array($0.readableBytesView) }) == Set(expected))
        #expect(made.count == expected.count)
    }

    @Test("compound ones have the other fields before and behind, for every document")
    func compound() throws {
        let definition = try index(options: #"{"key":{"a":1,"b.$**":1,"c":-1}}"#)
        #expect(
            try hex(definition, #"{"a":5,"b":{"x":[1,2]},"c":5}"#) == ["2e0a620178002e02d1f5", "2e0a620178002e04d1f5"])
        #expect(try hex(definition, #"{"a":5}"#) == ["2e0a020010ef"])
        #expect(errorCode { _ = try definition.made(of: #"{"a":[5],"b":{"x":1}}"#) } == 7_246_301)
    }

    private func hex(_ definition: IndexDefinition, _ document: String) throws -> [String] {
        try definition.made(of: document).keys.map { $0.withUnsafeReadableBytes(hexEncoded) }
    }

    @Test("names with the bytes that join them do not meet others")
    func escapes() throws {
        let definition = try index(#"{"$**":1}"#)
        let keys = try [#"{"a\u0001b":1}"#, #"{"a":{"b":1}}"#, #"{"a\u0002b":1}"#, #"{"a.b":1}"#, #"{"ab":1}"#].map {
            try hex(definition, $0)
        }
        #expect(Set(keys).count == keys.count)
        #expect(keys[0] == ["6102016200" + "2e02"])
    }

    @Test("paths longer than a key are told apart, and below their beginnings")
    func longPaths() throws {
        let definition = try index(#"{"$**":1}"#)
        let name = String(repeating: "x", count: 400)
        func document(_ last: String) -> String { #"{"\#(name)":{"\#(name)":{"\#(last)":1,"z":2},"y":3}}"# }
        let made = try definition.made(of: document("a"))
        #expect(made.facts.hasCutKeys)
        #expect(made.keys.count == 3)
        #expect(Set(made.keys.map(\.readableBytesView.count)) == [632, 405])
        #expect(try made == definition.made(of: document("a")))
        #expect(try made != definition.made(of: document("b")))
        let range = WildcardPath("\(name).\(name).a").subtree
        let inside = made.keys.filter { key in
            let key = Array(key.readableBytesView)
            return !key.lexicographicallyPrecedes(range.lower) && key.lexicographicallyPrecedes(range.upper)
        }
        #expect(!inside.isEmpty)
    }

    private static let covered: [(options: String, path: String, isCovered: Bool)] = [
        (#"{"key":{"$**":1}}"#, "a.b", true),
        (#"{"key":{"$**":1}}"#, "_id", false),
        (#"{"key":{"a.$**":1}}"#, "a", true),
        (#"{"key":{"a.b.$**":1}}"#, "a", false),
        (#"{"key":{"a.b.$**":1}}"#, "a.b.c", true),
        (#"{"key":{"$**":1},"wildcardProjection":{"a.b":0}}"#, "a", false),
        (#"{"key":{"$**":1},"wildcardProjection":{"a.b":0}}"#, "a.b.c", false),
        (#"{"key":{"$**":1},"wildcardProjection":{"a.b":0}}"#, "a.c", true),
        (#"{"key":{"$**":1},"wildcardProjection":{"a":1}}"#, "a.b", true),
        (#"{"key":{"$**":1},"wildcardProjection":{"a":1}}"#, "b", false),
    ]

    @Test("which paths have all their keys", arguments: covered)
    func covers(options: String, path: String, isCovered: Bool) throws {
        #expect(try index(options: options).wildcardScope?.covers(path) == isCovered)
    }
}
