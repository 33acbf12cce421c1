import BSON
import CommandModel
import NIOCore
import Testing

@testable import Query

@Suite("Keys of secondary indexes")
struct IndexKeyTests {
    private static let plain: [(pattern: String, document: String, keys: String, multikey: UInt32)] = [
        (#"{"a":1}"#, #"{"a":5}"#, #"[[5]]"#, 0),
        (#"{"a":-1}"#, #"{"a":"x"}"#, #"[["x"]]"#, 0),
        (#"{"a":1}"#, #"{"b":5}"#, #"[[null]]"#, 0),
        (#"{"a":1}"#, #"{"a":{"b":[1,2]}}"#, #"[[{"b":[1,2]}]]"#, 0),
        (#"{"a.b":1}"#, #"{"a":{"b":{"c":1}}}"#, #"[[{"c":1}]]"#, 0),
        (#"{"a.b":1}"#, #"{"a":5}"#, #"[[null]]"#, 0),
        (#"{"a":1,"b":-1}"#, #"{"b":2,"a":1}"#, #"[[1,2]]"#, 0),
        (#"{"a":1}"#, #"{"a":[1,2,1,1.0,[2],{"b":1}]}"#, #"[[1],[2],[[2]],[{"b":1}]]"#, 1),
        (#"{"a":1}"#, #"{"a":[]}"#, #"[[{"$undefined":true}]]"#, 1),
        (#"{"a":1}"#, #"{"a":[[]]}"#, #"[[[]]]"#, 1),
        (#"{"a.b":1}"#, #"{"a":[]}"#, #"[[null]]"#, 1),
        (
            #"{"a.b":1}"#, #"{"a":[1,[{"b":2}],{"b":3},{"b":[4,5]},{"b":[]}]}"#,
            #"[[null],[3],[4],[5],[{"$undefined":true}]]"#, 1
        ),
        (
            #"{"a.b":1,"a.c":1}"#, #"{"a":[{"b":1,"c":2},{"b":3},{"c":[4,5]}]}"#,
            #"[[1,2],[3,null],[null,4],[null,5]]"#, 3
        ),
        (#"{"a":1,"b":1}"#, #"{"a":[1,2],"b":3}"#, #"[[1,3],[2,3]]"#, 1),
        (#"{"a":1,"b":1}"#, #"{"a":3,"b":[1,2]}"#, #"[[3,1],[3,2]]"#, 2),
        (#"{"a":1,"a.b":1}"#, #"{"a":[{"b":1},2]}"#, #"[[{"b":1},1],[2,null]]"#, 3),
        (#"{"a.0":1}"#, #"{"a":[7,8]}"#, #"[[7]]"#, 1),
        (#"{"a.0":1}"#, #"{"a":{"0":7}}"#, #"[[7]]"#, 0),
        (#"{"a.2":1}"#, #"{"a":[7,{"2":8}]}"#, #"[[null],[8]]"#, 1),
        (#"{"a.0":1}"#, #"{"a":[[1,2],3]}"#, #"[[1],[2]]"#, 1),
        (#"{"a.0.b":1}"#, #"{"a":[{"b":1},{"b":2}]}"#, #"[[1]]"#, 1),
        (#"{"a.0.b":1}"#, #"{"a":[[{"b":1},{"b":2}]]}"#, #"[[1],[2]]"#, 1),
        (#"{"a.0":1,"a.b":1}"#, #"{"a":[{"b":1},{"b":2}]}"#, #"[[{"b":1},1],[{"b":1},2]]"#, 3),
        (#"{"a.1.b":1,"a.0.b":1}"#, #"{"a":[{"b":1},{"b":2}]}"#, #"[[2,1]]"#, 3),
    ]

    @Test("values of paths, one key for each element of an array", arguments: plain)
    func paths(pattern: String, document: String, keys: String, multikey: UInt32) throws {
        let definition = try index(pattern)
        let made = try definition.made(of: document)
        let expected = encoded(keys, definition)
        #expect(made.keys == expected)
        #expect(made.facts == IndexFacts(multikeyFields: multikey))
    }

    private static let sparse: [(options: String, document: String, count: Int)] = [
        (#"{"key":{"a":1},"sparse":true}"#, #"{"b":1}"#, 0),
        (#"{"key":{"a":1},"sparse":true}"#, #"{"a":null}"#, 1),
        (#"{"key":{"a":1},"sparse":true}"#, #"{"a":[]}"#, 1),
        (#"{"key":{"a.b":1},"sparse":true}"#, #"{"a":[]}"#, 0),
        (#"{"key":{"a.b":1},"sparse":true}"#, #"{"a":[1,{"b":1}]}"#, 1),
        (#"{"key":{"a":1,"b":1},"sparse":true}"#, #"{"b":1}"#, 1),
        (#"{"key":{"a":1,"b":1},"sparse":true}"#, #"{"c":1}"#, 0),
        (#"{"key":{"a":"hashed"},"sparse":true}"#, #"{"c":1}"#, 0),
        (#"{"key":{"a":1},"partialFilterExpression":{"b":{"$gt":5}}}"#, #"{"a":1,"b":5}"#, 0),
        (#"{"key":{"a":1},"partialFilterExpression":{"b":{"$gt":5}}}"#, #"{"a":1,"b":6}"#, 1),
        (#"{"key":{"a":1,"b":1},"partialFilterExpression":{"c":true}}"#, #"{"a":[1],"b":[2]}"#, 0),
    ]

    @Test("documents without the fields, or not in the filter, have no keys", arguments: sparse)
    func absent(options: String, document: String, count: Int) throws {
        #expect(try index(options: options).made(of: document).keys.count == count)
    }

    private static let refused: [(pattern: String, document: String, code: Int32, message: String)] = [
        (#"{"a":1,"b":1}"#, #"{"a":[1],"b":[]}"#, 171, "cannot index parallel arrays [b] [a]"),
        (#"{"a.b":1,"a.c":1}"#, #"{"a":{"b":[1],"c":[2]}}"#, 171, "cannot index parallel arrays [c] [b]"),
        (#"{"a.b":1,"a.c":1}"#, #"{"a":[{"b":[1],"c":[2]}]}"#, 171, "cannot index parallel arrays [c] [b]"),
        (#"{"a.0":1,"b":1}"#, #"{"a":[1],"b":[2]}"#, 171, "cannot index parallel arrays [b] [a]"),
        (
            #"{"a.0":1}"#, #"{"a":[{"0":1},2]}"#, 16746,
            "Ambiguous field name found in array (do not use numeric field names in embedded elements in an array), "
                + "field: '0' for array: [ { 0: 1 }, 2 ]"
        ),
        (
            #"{"a.b":"hashed"}"#, #"{"a":{"b":[1]}}"#, 16766,
            "hashed indexes do not currently support array values. Found array at path: a.b"
        ),
        (
            #"{"a":"hashed","b":1}"#, #"{"b":[1]}"#, 16766,
            "hashed indexes do not currently support array values. Found array at path: b"
        ),
    ]

    @Test("what cannot be indexed is refused", arguments: refused)
    func refusal(pattern: String, document: String, code: Int32, message: String) throws {
        let definition = try index(pattern)
        let error = #expect(throws: CommandError.self) { try definition.made(of: document) }
        #expect(error?.code.number == code)
        #expect(error?.message == message)
    }

    @Test("more keys than a document may have are refused, equal ones counted once")
    func keysMax() throws {
        let definition = try index(#"{"a":1,"b":1}"#)
        func array(_ count: Int, _ value: (Int) -> Int) -> Document {
            Document { builder in
                builder.beginArray("a")
                for index in 0..<count { builder.append(index: index, .int64(Int64(value(index)))) }
                builder.end()
            }
        }
        #expect(try definition.made(of: array(200_001) { $0 % 7 }).keys.count == 7)
        #expect(errorCode { _ = try definition.made(of: array(100_001) { $0 }) } == 201)
        #expect(try definition.made(of: array(100_000) { $0 }).keys.count == 100_000)
    }

    @Test("a path by number beside others in the same array does not multiply the work without end")
    func workMax() throws {
        let definition = try index(#"{"a.0.b":1,"a.c":1}"#)
        let long = String(repeating: "x", count: 1_000_000)
        let elements = (0..<3_000).map { "{\"c\":\($0)}" }.joined(separator: ",")
        #expect(errorCode { _ = try definition.made(of: "{\"a\":[{\"b\":[\"\(long)\"]},\(elements)]}") } == 201)
        #expect(try definition.made(of: "{\"a\":[{\"b\":\"\(long)\"},\(elements)]}").keys.count == 3_001)
    }

    @Test("strings are under the collation")
    func collation() throws {
        let definition = try index(options: #"{"key":{"a":1},"collation":{"locale":"en","strength":2}}"#)
        #expect(try definition.made(of: #"{"a":["X","x"]}"#).keys.count == 1)
        let hashed = try index(options: #"{"key":{"a":"hashed"},"collation":{"locale":"en","strength":2}}"#)
        #expect(try hashed.made(of: #"{"a":"X"}"#) == hashed.made(of: #"{"a":"x"}"#))
        #expect(try hashed.made(of: #"{"a":"X"}"#) != hashed.made(of: #"{"a":"y"}"#))
    }

    @Test("long keys are cut, and differ where their values do")
    func cut() throws {
        let definition = try index(#"{"a":1,"b":1}"#)
        let long = String(repeating: "x", count: 700)
        let medium = String(repeating: "x", count: 400)
        func made(_ a: String, _ b: String) throws -> IndexKeys {
            try definition.made(of: #"{"a":"\#(a)","b":"\#(b)"}"#)
        }
        for (a, b) in [(long, "y"), ("y", long), (medium, medium)] {
            let keys = try made(a, b)
            #expect(keys.facts == IndexFacts(hasCutKeys: true))
            #expect(keys.keys.first.map { $0.readableBytes == 632 && IndexKey.isCut($0) } == true)
            #expect(try made(a, b) == keys)
            #expect(try made(a + "z", b) != keys)
            #expect(try made(a, b + "z") != keys)
        }
        #expect(try made(medium, "y").facts == IndexFacts())
        #expect(try made(medium, "y").keys.first.map { !IndexKey.isCut($0) } == true)
    }
}

/// Keys are stored: see `KeyEncodingGoldenTests`.
@Suite("Keys of secondary indexes as stored")
struct IndexKeyGoldenTests {
    private static let golden: [(options: String, document: String, keys: [String])] = [
        (#"{"key":{"a":1}}"#, #"{"a":5}"#, ["2e0a"]),
        (#"{"key":{"a":1,"b":-1}}"#, #"{"a":"x","b":5}"#, ["507800d1f5"]),
        (#"{"key":{"a":-1,"b":1}}"#, #"{}"#, ["ef10"]),
        (#"{"key":{"a":1}}"#, #"{"a":[]}"#, ["0c"]),
        (#"{"key":{"a":1,"b":1}}"#, #"{"a":[2,1],"b":true}"#, ["2e0279", "2e0479"]),
        (#"{"key":{"a":"hashed"}}"#, #"{"a":1}"#, ["35a3d32306d53427ec"]),
        (#"{"key":{"a":"hashed","b":1}}"#, #"{"b":1}"#, ["3540eabc04150371ee2e02"]),
    ]

    @Test("the bytes of keys do not change", arguments: golden)
    func bytes(options: String, document: String, keys: [String]) throws {
        let made = try index(options: options).made(of: document).keys
        #expect(made.map { $0.withUnsafeReadableBytes(hexEncoded) } == keys)
    }

    @Test("so do those of long ones")
    func cut() throws {
        let digest = "57f06fd188a595a14937baba45a6735f1aa56e7f1ff57751a3280eebb3c6df29"
        let definition = try index(#"{"a":1,"b":1}"#)
        let made = try definition.made(of: #"{"a":"\#(String(repeating: "x", count: 700))","b":1}"#).keys
        #expect(made.first.map { $0.getSlice(at: 600, length: 32)?.withUnsafeReadableBytes(hexEncoded) } == digest)
    }
}

@Suite("What a clashing key stands for")
struct KeyValueTests {
    private static let table: [(options: String, document: String, values: [String])] = [
        (#"{"key":{"a":1}}"#, #"{"a":5}"#, [#"{"a":5}"#]),
        (#"{"key":{"a.b":-1,"c":1}}"#, #"{"a":[{"b":1},{"b":2}]}"#, [#"{"a.b":2,"c":null}"#, #"{"a.b":1,"c":null}"#]),
        (#"{"key":{"a":1},"collation":{"locale":"en","strength":2}}"#, #"{"a":"X"}"#, [#"{"a":"X"}"#]),
    ]

    @Test("the values of each key are found again", arguments: table)
    func values(options: String, document: String, values: [String]) throws {
        let definition = try index(options: options)
        let keys = try definition.made(of: document).keys
        let document = json(document)
        let found = keys.map { key in document.withRaw { definition.keyValue(of: $0, for: key) } }
        #expect(found == values.map(json))
        #expect(document.withRaw { definition.keyValue(of: $0, for: ByteBuffer(bytes: [1])) }.isEmpty)
    }
}

func index(options: String) throws -> IndexDefinition {
    var text = options
    text.removeFirst()
    return try IndexDefinition(json("{\"v\":2,\"name\":\"i\",\(text)"))
}

func index(_ pattern: String) throws -> IndexDefinition { try index(options: "{\"key\":\(pattern)}") }

extension IndexDefinition {
    func made(of document: String) throws -> IndexKeys { try made(of: json(document)) }

    func made(of document: Document) throws -> IndexKeys {
        try document.withRaw { raw throws(CommandError) in try keys(of: raw) }
    }
}

/// The keys of tuples of values, in order.
private func encoded(_ tuples: String, _ definition: IndexDefinition) -> [ByteBuffer] {
    let tuples = json("{\"v\":\(tuples)}")
    let keys = tuples.withRaw { raw in
        (raw["v"]?.array.map(Array.init) ?? []).map { tuple in
            var encoder = KeyEncoder()
            for (field, value) in zip(definition.fields, tuple.value.array.map(Array.init) ?? []) {
                encoder.append(value.value, descending: field.kind == .descending)
            }
            return encoder.bytes
        }
    }
    return keys.sorted { $0.lexicographicallyPrecedes($1) }.map { ByteBuffer(bytes: $0) }
}
