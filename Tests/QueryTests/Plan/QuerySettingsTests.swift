import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Query settings")
struct QuerySettingsTests {
    private static let hint = #"{"ns":{"db":"d","coll":"c"},"allowedIndexes":["a_1",{"b":1},"$natural"]}"#

    @Test(
        "what is refused",
        arguments: [
            ("{}", 8_727_502), (#"{"reject":false}"#, 7_746_604), (#"{"comment":"x"}"#, 7_746_604),
            (#"{"reject":1}"#, 14), (#"{"reject":null}"#, 14), (#"{"queryFramework":"other"}"#, 2),
            (#"{"queryFramework":5}"#, 14), (#"{"x":1}"#, 40415), (#"{"indexHints":5}"#, 14),
            (#"{"indexHints":[5]}"#, 14),
            (#"{"indexHints":[{"allowedIndexes":["a"]}]}"#, 40414),
            (#"{"indexHints":[{"ns":{"coll":"c"},"allowedIndexes":["a"]}]}"#, 8_727_500),
            (#"{"indexHints":[{"ns":{"db":"d","coll":null},"allowedIndexes":["a"]}]}"#, 8_727_501),
            (#"{"indexHints":[{"ns":{"db":1,"coll":"c"},"allowedIndexes":["a"]}]}"#, 14),
            (#"{"indexHints":[{"ns":{"db":"d","coll":"c"}}]}"#, 40414),
            (#"{"indexHints":[{"ns":{"db":"d","coll":"c"},"allowedIndexes":null}]}"#, 40414),
            (#"{"indexHints":[{"ns":{"db":"d","coll":"c"},"allowedIndexes":"a"}]}"#, 14),
            (#"{"indexHints":[{"ns":{"db":"d","coll":"c"},"allowedIndexes":[5]}]}"#, 9),
            (#"{"indexHints":[{"ns":{"db":"d","coll":"c"},"allowedIndexes":[]}]}"#, 7_746_604),
            (#"{"indexHints":[{"ns":{"db":"d","coll":"c"},"allowedIndexes":["a"],"x":1}]}"#, 40415),
            (#"{"indexHints":[\#(hint),\#(hint)]}"#, 2),
        ] as [(String, Int32)])
    func refused(settings: String, code: Int32) {
        #expect(errorCode { _ = try Self.merge(settings, into: nil) } == code)
    }

    @Test("what is given takes the place of what was there, the rest stays")
    func merging() throws {
        let first = try Self.merge(
            #"{"indexHints":[\#(Self.hint)],"queryFramework":"classic","comment":"x"}"#, into: nil)
        let second = try Self.merge(#"{"reject":true,"comment":{"y":1}}"#, into: first)
        #expect(second.rejects)
        #expect(
            second.document.text.filter { $0 != " " }
                == #"{"indexHints":[\#(Self.hint)],"queryFramework":"classic","reject":true,"comment":{"y":1}}"#)
        let third = try Self.merge(#"{"reject":false}"#, into: second)
        #expect(!third.rejects)
        #expect(third.document.withRaw { $0["reject"] == nil })
        let stored = try QuerySettings(stored: third.document)
        #expect(stored.document == third.document)
    }

    @Test("indexes are allowed by name or key pattern, and of one collection")
    func allowed() throws {
        let settings = try Self.merge(#"{"indexHints":\#(Self.hint)}"#, into: nil)
        let allowed = try #require(settings.allowedIndexes(of: Namespace(database: "d", collection: "c")))
        #expect(settings.allowedIndexes(of: Namespace(database: "d", collection: "e")) == nil)
        #expect(allowed.contain(try IndexDefinition(json(#"{"v":2,"key":{"a":1},"name":"a_1"}"#))))
        #expect(allowed.contain(try IndexDefinition(json(#"{"v":2,"key":{"b":1},"name":"x"}"#))))
        #expect(!allowed.contain(try IndexDefinition(json(#"{"v":2,"key":{"b":-1},"name":"y"}"#))))
        #expect(allowed.scan == .forward)
        #expect(!allowed.containsIDIndex)
    }

    private static func merge(_ settings: String, into present: QuerySettings?) throws -> QuerySettings {
        try json(settings).withRaw { try QuerySettings.merging($0, into: present) }
    }
}
