import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Sort")
struct SortTests {
    private func sorted(_ pattern: String, _ documents: [String], limit: Int? = nil) throws -> [String] {
        let pattern = try SortPattern(compiling: json(pattern))
        var sorter = Sorter(limit: limit)
        for (rid, document) in documents.enumerated() {
            try json(document).withRaw { try sorter.insert(key: pattern.key(of: $0), rid: Int64(rid), row: $0) }
        }
        return try sorter.finish().map(\.row.text)
    }

    @Test("values come in the order of their types and among equals by arrival")
    func order() throws {
        let documents = [#"{"a":"x"}"#, #"{"a":2}"#, #"{}"#, #"{"a":[]}"#, #"{"a":1.5}"#, #"{"a":null}"#]
        let up = [#"{"a":[]}"#, "{}", #"{"a":null}"#, #"{"a":1.5}"#, #"{"a":2}"#, #"{"a":"x"}"#]
        #expect(try sorted(#"{"a":1}"#, documents) == up.map { json($0).text })
        let down = [#"{"a":"x"}"#, #"{"a":2}"#, #"{"a":1.5}"#, "{}", #"{"a":null}"#, #"{"a":[]}"#]
        #expect(try sorted(#"{"a":-1}"#, documents) == down.map { json($0).text })
    }

    @Test("an array counts by its least element ascending and by its greatest descending")
    func arrays() throws {
        let documents = [#"{"a":{"b":3}}"#, #"{"a":[{"b":1},{"b":9}]}"#]
        #expect(try sorted(#"{"a.b":1}"#, documents).first == json(documents[1]).text)
        #expect(try sorted(#"{"a.b":-1}"#, documents).first == json(documents[1]).text)
    }

    @Test("with a limit the first rows are the same as without", arguments: [0, 1, 3, 50, 99, 100, 200])
    func limit(limit: Int) throws {
        var generator = SeededGenerator(seed: 7)
        let documents = (0..<100).map { _ in #"{"a":\#(Int.random(in: 0..<20, using: &generator)),"b":1}"# }
        let all = try sorted(#"{"a":1}"#, documents)
        #expect(try sorted(#"{"a":1}"#, documents, limit: limit) == Array(all.prefix(limit)))
    }

    @Test("memory is bounded")
    func memory() throws {
        var sorter = Sorter(limit: nil, bytesMax: 1000)
        let row = json(#"{"a":"\#(String(repeating: "x", count: 600))"}"#)
        try row.withRaw { try sorter.insert(key: [1], rid: 1, row: $0) }
        #expect(errorCode { try row.withRaw { try sorter.insert(key: [2], rid: 2, row: $0) } } == 292)
    }

    @Test("the order is classified")
    func classification() throws {
        #expect(try SortPattern(compiling: .empty).order == .natural(ascending: true))
        #expect(try SortPattern(compiling: json(#"{"$natural":-1}"#)).order == .natural(ascending: false))
        #expect(try SortPattern(compiling: json(#"{"_id":-1,"a":1}"#)).order == .id(ascending: false))
        #expect(try SortPattern(compiling: json(#"{"a":1,"_id":1}"#)).order == .fields)
    }

    @Test(
        "a malformed sort is refused with MongoDB's code",
        arguments: [
            (#"{"a":"x"}"#, Int32(15974)), (#"{"a":2}"#, 15975), (#"{"$natural":1,"a":1}"#, 2), (#"{"$natural":0}"#, 2),
            (#"{"a":{"$meta":"textScore"}}"#, 40218), (#"{"a":{"$meta":"recordId"}}"#, 31138),
            (#"{"a":{"$meta":1}}"#, 31138), (#"{"a":{"$meta":"randVal","b":1}}"#, 9), (#"{"a":{"$b":1}}"#, 17312),
            (#"{"":1}"#, 40352), (#"{"$a":1}"#, 16410),
        ])
    func refusal(pattern: String, code: Int32) {
        #expect(errorCode { _ = try SortPattern(compiling: json(pattern)) } == code, "\(pattern)")
    }

    @Test("distinct values are found through arrays and told apart by value")
    func distinct() throws {
        var collector = DistinctCollector(path: "a.b")
        let documents = [
            #"{"a":{"b":1}}"#, #"{"a":[{"b":1.0},{"b":[2,3]}]}"#, #"{"a":{"b":null}}"#, "{}", #"{"a":{"b":[[2]]}}"#,
        ]
        for document in documents {
            try json(document).withRaw { document in
                let hasValue = try collector.add(document)
                #expect(hasValue == !document.isEmpty)
            }
        }
        #expect(collector.sorted().map { $0.extendedJSON(.relaxed) } == ["null", "1", "2", "3", "[2]"])
        var small = DistinctCollector(path: "a", bytesMax: 20)
        #expect(errorCode { try json(#"{"a":["aaaaaaaaa","bbbbbbbbb"]}"#).withRaw { _ = try small.add($0) } } == 17217)
    }
}

/// A small linear generator: the same numbers on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 29)
    }
}
