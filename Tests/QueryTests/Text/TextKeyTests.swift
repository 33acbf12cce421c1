import BSON
import CommandModel
import NIOCore
import Testing

@testable import Query

/// A text index as `createIndexes` makes it of what a client writes.
func textIndex(_ fields: String) throws -> IndexDefinition {
    try IndexSpecification(json("{\"name\":\"t\",\(fields)}"), for: IndexTarget()).definition
}

@Suite("Keys of text indexes")
struct TextKeyTests {
    private func scores(_ fields: String, _ document: String) throws -> [String: Double] {
        let specification = try #require(try textIndex(fields).text)
        var scorer = TextScorer(specification)
        let scores = try json(document).withRaw { try scorer.score($0) }
        return [String: Double](uniqueKeysWithValues: scores.map { (String(decoding: $0, as: UTF8.self), $1) })
    }

    @Test(
        "a term scores by how often it stands in a text, how much else does, and the field's weight",
        arguments: [
            (#"{"a":"coffee"}"#, ["coffe": 1]), (#"{"a":"tea"}"#, ["tea": 1.1]), (#"{"a":"TEA"}"#, ["tea": 1.1]),
            (#"{"a":"coffee and cream"}"#, ["coffe": 0.75, "cream": 0.75]),
            (#"{"a":"tea tea tea"}"#, ["tea": 1.75]),
            (#"{"a":"tea tea milk"}"#, ["tea": 1.5 * (0.5 + 0.5 * 2 / 3), "milk": 0.5 + 0.5 / 3]),
            (#"{"a":["tea","tea milk"]}"#, ["tea": 1.1 + 0.75, "milk": 0.75]),
            (#"{"a":"tea","b":"tea"}"#, ["tea": 4.4]),
            (#"{"b":"tea"}"#, ["tea": 1.1 * 3]), (#"{"a":"the"}"#, [:]), (#"{"a":5,"b":null,"c":"tea"}"#, [:]),
        ] as [(String, [String: Double])])
    func score(_ document: String, _ expected: [String: Double]) throws {
        let found = try scores(#""key":{"a":"text","b":"text"},"weights":{"b":3}"#, document)
        #expect(found.keys.sorted() == expected.keys.sorted())
        for (term, score) in expected { #expect(abs((found[term] ?? 0) - score) < 1e-12, "\(term) in \(document)") }
    }

    @Test(
        "which texts of a document are in the index",
        arguments: [
            (#""key":{"a.b":"text"}"#, #"{"a":{"b":"x"}}"#, "x"),
            (#""key":{"a.b":"text"}"#, #"{"a":[{"b":"x"},{"b":["y"]}]}"#, "x y"),
            (#""key":{"a.1":"text"}"#, #"{"a":["x","y",{"1":"z"}]}"#, "y"),
            (#""key":{"a.b":"text"}"#, #"{"a":[[{"b":"x"}]]}"#, ""), (#""key":{"a":"text"}"#, #"{"a":{"b":"x"}}"#, ""),
            (#""key":{"a":"text"}"#, #"{"a":[["x"],1,{"c":"y"}]}"#, "x"),
            (#""key":{"$**":"text"}"#, #"{"a":"x","b":{"c":["y",{"d":"z"}]},"e":1}"#, "x y z"),
            (#""key":{"$**":"text"}"#, #"{"a":"x","language":"none"}"#, "x"),
        ])
    func fields(_ index: String, _ document: String, _ expected: String) throws {
        let found = try scores(index + #","default_language":"none""#, document)
        #expect(found.keys.sorted().joined(separator: " ") == expected)
    }

    @Test("before version 3 diacritics told words apart, whatever a search says")
    func versions() throws {
        let index = #""key":{"a":"text"},"textIndexVersion":2"#
        #expect(try scores(index, #"{"a":"Café cafe"}"#).keys.sorted() == ["cafe", "café"])
        let filter = try Filter(compiling: json(#"{"$text":{"$search":"cafe"}}"#), allowing: .text)
            .bound(to: textIndex(index), trustingTerms: false)
        #expect(try filter.matches(json(#"{"a":"cafe"}"#)) && !filter.matches(json(#"{"a":"café"}"#)))
    }

    @Test("more fields than an index looks for")
    func tooManyFields() {
        let fields = (0...1_000).map { "\"f\($0)\":1" }.joined(separator: ",")
        #expect(errorCode { _ = try textIndex("\"key\":{\"a\":\"text\"},\"weights\":{\(fields)}") } == 67)
    }

    @Test("a wildcard's weight is that of the fields that no other names")
    func wildcardWeights() throws {
        let found = try scores(
            #""key":{"$**":"text"},"weights":{"a.b":10,"$**":2}"#, #"{"a":[{"b":"tea"}],"c":"milk"}"#)
        #expect(found == ["tea": 11, "milk": 2.2])
    }

    @Test(
        "a document names the language of its texts, and one within it of its own",
        arguments: [
            (#"{"a":"running"}"#, "run"), (#"{"language":"none","a":"running"}"#, "running"),
            (#"{"language":"es","a":"corriendo the"}"#, "corr the"),
            (#"{"a":[{"language":"none","b":"running"},{"b":"running"}]}"#, "run running"),
            (#"{"language":"none","a":{"language":"en","b":"running"}}"#, "run"),
        ])
    func languages(_ document: String, _ expected: String) throws {
        let found = try scores(#""key":{"a":"text","a.b":"text"}"#, document)
        #expect(found.keys.sorted() == expected.split(separator: " ").map(String.init).sorted())
    }

    @Test(
        "what cannot be indexed",
        arguments: [
            (#""key":{"a":"text"}"#, #"{"language":1,"a":"x"}"#, 17261),
            (#""key":{"a":"text"}"#, #"{"language":"xx","a":"x"}"#, 17262),
            (#""key":{"p":1,"a":"text"}"#, #"{"p":[1],"a":"x"}"#, 16675),
            (#""key":{"a":"text","s":1}"#, #"{"s":[1],"a":"x"}"#, 16675),
            (#""key":{"p.q":1,"a":"text"}"#, #"{"p":[{"q":1}],"a":"x"}"#, 16675),
        ] as [(String, String, Int32)])
    func refused(_ index: String, _ document: String, _ code: Int32) throws {
        let definition = try textIndex(index)
        #expect(errorCode { _ = try definition.made(of: document) } == code)
    }

    @Test("a search finds the keys of its terms, behind those of the fields before, and no others")
    func intervals() throws {
        let definition = try textIndex(#""key":{"p":1,"q":-1,"a":"text","s":1},"default_language":"none""#)
        let long = String(repeating: "x", count: 5_000)
        let documents = [
            #"{"p":1,"q":2,"a":"tea milk"}"#, #"{"p":1.0,"q":2,"a":"teas","s":"\#(long)"}"#,
            #"{"p":1,"q":3,"a":"tea"}"#,
            #"{"p":"\#(long)","q":2,"a":"tea \#(long)"}"#, #"{"p":"\#(long)y","q":2,"a":"tea \#(long)y"}"#,
            #"{"q":2,"a":"tea"}"#,
            #"{"p":1,"q":2}"#,
        ]
        func found(_ p: String, _ terms: Set<String>) throws -> [Int] {
            let maker = try #require(TextKeyMaker(definition))
            let intervals = try json("{\"p\":\(p),\"q\":2}").withRaw { raw in
                maker.intervals(
                    of: Set(terms.map { Array($0.utf8) }), behind: try [#require(raw["p"]), #require(raw["q"])])
            }
            return try documents.indices.filter { number in
                try definition.made(of: documents[number]).keys.contains { key in
                    let key = Array(key.readableBytesView)
                    return intervals.contains {
                        !key.lexicographicallyPrecedes($0.lower) && key.lexicographicallyPrecedes($0.upper)
                    }
                }
            }
        }
        #expect(try found("1", ["tea"]) == [0])
        #expect(try found("1", ["tea", "teas", "milk"]) == [0, 1])
        #expect(try found("null", ["tea"]) == [5])
        #expect(try found("\"\(long)\"", ["tea"]) == [3] && found("\"\(long)\"", [long]) == [3])
        #expect(try found("\"\(long)y\"", [long + "y"]) == [4] && found("\"\(long)y\"", [long]) == [])
        for document in documents {
            for key in try definition.made(of: document).keys { #expect(key.readableBytes <= IndexKey.wholeLengthMax) }
        }
    }

    @Test("the score of a key is behind its term")
    func scoreInKey() throws {
        let definition = try textIndex(#""key":{"a":"text"}"#)
        let key = try #require(try definition.made(of: #"{"a":"tea tea milk"}"#).keys.first)
        let bytes = Array(key.readableBytesView)
        #expect(bytes.suffix(TextScore.keyBytes).withUnsafeBytes(TextScore.sum) == 1.25)
        let both = Array(bytes.suffix(8)) + Array(bytes.suffix(8))
        #expect(both.withUnsafeBytes(TextScore.sum) == 2.5)
        #expect([UInt8]().withUnsafeBytes(TextScore.sum) == 0)
    }

    @Test("more terms than an index takes of one document")
    func tooMany() throws {
        let words = (0...100_000).map { String($0, radix: 36) }.joined(separator: " ")
        let definition = try textIndex(#""key":{"a":"text"},"default_language":"none""#)
        let document = Document { $0.append("a", string: words) }
        #expect(errorCode { _ = try definition.made(of: document) } == 201)
    }
}
