import BSON
import CommandModel
import NIOCore
import Testing

@testable import Query

/// Keys against the filter and the sort, which know nothing of them.
@Suite("Keys of random documents")
struct IndexKeyRandomizedTests {
    private let collator = try? Collator.shared(for: Collation(locale: "en"))

    @Test("a document that matches has a key in the range of the operand", arguments: [false, true])
    func ranges(isCollated: Bool) throws {
        var random = DocumentSource()
        var met = 0
        for _ in 0..<10_000 {
            let (path, document) = (random.path(), json(random.document(depth: 3)))
            let (name, operand) = (random.pick(["$eq", "$gt", "$gte", "$lt", "$lte"]), random.scalar())
            // For the filter a number is a name, too, which leads to nothing in elements that have no such field.
            let meetsNothing = operand == "null" || operand.contains("minKey")
            if meetsNothing, path.contains("0") || path.contains("1") { continue }
            let collator = isCollated ? collator : nil
            let filter = try Filter(compiling: json(#"{"\#(path)":{"\#(name)":\#(operand)}}"#), collator: collator)
            guard try filter.matches(document) else { continue }
            let isDescending = random.oneIn(2)
            let definition = try index(path, isDescending, isCollated)
            guard let keys = try document.unlessAmbiguous(definition) else { continue }
            met += 1
            let isInside = json("{\"v\":\(operand)}").withRaw { raw in
                let range = Range(name, raw["v"] ?? .nothing(.null), isDescending, collator)
                return keys.contains { range.contains($0) }
            }
            #expect(isInside, "\(random): {\(path): {\(name): \(operand)}} \(document.text)")
        }
        #expect(met > 150)
    }

    private func index(_ path: String, _ isDescending: Bool, _ isCollated: Bool) throws -> IndexDefinition {
        let collation = isCollated ? #","collation":{"locale":"en"}"# : ""
        return try QueryTests.index(options: #"{"key":{"\#(path)":\#(isDescending ? -1 : 1)}\#(collation)}"#)
    }

    /// What an operator demands, as bytes at the start of a key.
    fileprivate struct Range {
        let lower: [UInt8]
        let upper: [UInt8]

        init(_ name: String, _ operand: RawValue, _ isDescending: Bool, _ collator: Collator?) {
            let point = ValueOrder(collator).key(of: operand)
            var bracket = KeyEncoder.bracket(of: operand.type)
            // The ends of the order compare with everything, also with arrays, whose keys are those of their elements.
            let isLeast = operand.type == .minKey
            if isLeast { bracket.end = 0xFF }
            // No key begins another one, so a byte more than the point is behind it and before the next one.
            let turned = point.map { ~$0 }
            let (before, after) = isDescending ? (turned + [0xFF], turned) : (point, point + [0xFF])
            let (first, end): ([UInt8], [UInt8]) =
                isDescending ? ([~bracket.first + 1], [~bracket.end + 1]) : ([bracket.first], [bracket.end])
            let (least, most) =
                switch name {
                case "$eq": (before, after)
                case "$gt": (isLeast ? before : after, end)
                case "$gte": (before, end)
                case "$lt": (first, before)
                default: (first, after)
                }
            (lower, upper) = isDescending ? (most, least) : (least, most)
        }

        func contains(_ key: ByteBuffer) -> Bool {
            let key = Array(key.readableBytesView)
            return !key.lexicographicallyPrecedes(lower) && key.lexicographicallyPrecedes(upper)
        }
    }

    @Test("the first key of a document is its place in a sort, for one field and for several")
    func sorts() throws {
        var random = DocumentSource()
        var met = 0
        for _ in 0..<4_000 {
            let document = json(random.document(depth: 3))
            let paths = Set((0..<1 + random.below(3)).map { _ in random.namedPath() })
            let pattern = json("{\(paths.map { "\"\($0)\":\(random.pick(["1", "-1"]))" }.joined(separator: ","))}")
            let definition = try QueryTests.index(pattern.text)
            let sort = try SortPattern(compiling: pattern)
            guard let keys = try? definition.made(of: document).keys,
                let place = try? document.withRaw({ try sort.key(of: $0) })
            else { continue }
            met += 1
            #expect(keys.first == ByteBuffer(bytes: place), "\(random): \(pattern.text) \(document.text)")
        }
        #expect(met > 2_000)
    }

    @Test("keys are equal and in order exactly when the values are")
    func order() throws {
        var random = DocumentSource()
        let definition = try QueryTests.index(#"{"a":1,"b":-1}"#)
        for _ in 0..<4_000 {
            let values = (0..<4).map { _ in random.value(depth: 2, withArrays: false) }
            func key(_ a: Int, _ b: Int) throws -> [UInt8] {
                let keys = try definition.made(of: "{\"a\":\(values[a]),\"b\":\(values[b])}").keys
                return keys.first.map { Array($0.readableBytesView) } ?? []
            }
            let (left, right) = (try key(0, 1), try key(2, 3))
            let order = json("{\"v\":[\(values.joined(separator: ","))]}").withRaw { raw in
                let values = raw["v"]?.array?.map(\.value) ?? []
                let first = ValueOrder(nil).compare(values[0], values[2])
                return first != 0 ? first.signum() : -ValueOrder(nil).compare(values[1], values[3]).signum()
            }
            let actual = left == right ? 0 : left.lexicographicallyPrecedes(right) ? -1 : 1
            #expect(actual == order, "\(random): \(values)")
        }
    }

    @Test("the values of every key are found, and give that key again")
    func keyValues() throws {
        var random = DocumentSource()
        for _ in 0..<1_000 {
            let document = json(random.document(depth: 3))
            let definition = try QueryTests.index("{\"\(random.namedPath())\":1,\"z\":-1}")
            guard let keys = try? definition.made(of: document).keys else { continue }
            for key in keys {
                let values = document.withRaw { definition.keyValue(of: $0, for: key) }
                var again = IndexKey()
                values.withRaw { raw in
                    for (value, field) in zip(raw, definition.fields) {
                        again.append(value.value, kind: field.kind, collator: nil)
                    }
                }
                #expect(again.finish() == key, "\(random): \(document.text) \(values.text)")
            }
        }
    }

    @Test("wildcard: what matches at a path has a key there", arguments: ["$**", "a.$**"])
    func wildcard(pattern: String) throws {
        var random = DocumentSource()
        let definition = try QueryTests.index("{\"\(pattern)\":1}")
        let scope = try #require(definition.wildcardScope)
        var met = 0
        for _ in 0..<6_000 {
            let (path, document) = (random.namedPath(), json(random.document(depth: 3)))
            let name = random.pick(["$eq", "$gt", "$gte", "$lt", "$lte", "$exists"])
            let operand = name == "$exists" ? "true" : random.scalar()
            // The absence of the path meets what null does, and lies above the least value.
            guard scope.covers(path), operand != "null", !operand.contains("minKey") else { continue }
            let filter = try Filter(compiling: json(#"{"\#(path)":{"\#(name)":\#(operand)}}"#))
            guard try filter.matches(document) else { continue }
            met += 1
            let place = WildcardPath(path)
            let isInside = try json("{\"v\":\(operand)}").withRaw { raw in
                var (lower, upper) = (place.subtree.lower, place.subtree.upper)
                if name != "$exists" {
                    let range = Range(name, raw["v"] ?? .nothing(.null), false, nil)
                    (lower, upper) = (place.own + range.lower, place.own + range.upper)
                }
                let range = Range(lower: lower, upper: upper)
                return try definition.made(of: document).keys.contains { range.contains($0) }
            }
            #expect(isInside, "\(random): {\(path): {\(name): \(operand)}} \(document.text)")
        }
        #expect(met > 80)
    }
}

extension IndexKeyRandomizedTests.Range {
    fileprivate init(lower: [UInt8], upper: [UInt8]) {
        self.lower = lower
        self.upper = upper
    }
}

extension Document {
    /// The keys; nil when a number in the path may be a name or an index.
    fileprivate func unlessAmbiguous(_ definition: IndexDefinition) throws -> [ByteBuffer]? {
        do {
            return try definition.made(of: self).keys
        } catch let error as CommandError where error.code.number == 16746 {
            return nil
        }
    }
}

/// Small documents of few names, so that paths meet.
private struct DocumentSource: CustomStringConvertible {
    let seed: UInt64
    private var generator: SeededGenerator

    init() {
        seed = UInt64.random(in: 0...UInt64.max)
        generator = SeededGenerator(seed: seed)
    }

    var description: String { "seed \(seed)" }

    mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &generator) }
    mutating func oneIn(_ count: Int) -> Bool { below(count) == 0 }
    mutating func pick(_ values: [String]) -> String { values[below(values.count)] }

    mutating func path() -> String {
        (0..<1 + below(3)).map { _ in pick(["a", "b", "0", "1"]) }.joined(separator: ".")
    }

    mutating func namedPath() -> String { (0..<1 + below(2)).map { _ in pick(["a", "b"]) }.joined(separator: ".") }

    mutating func scalar() -> String {
        pick([
            "0", "1", "2", "1.5", "-1", "null", "true", #""x""#, #""X""#, #""y""#, #""""#, #""a\u0001b""#,
            #"{"$numberDecimal":"1"}"#, #"{"$numberDouble":"NaN"}"#, #"{"$numberLong":"9007199254740993"}"#,
            #"{"$date":{"$numberLong":"5"}}"#, #"{"$minKey":1}"#, #"{"$oid":"0102030405060708090a0b0c"}"#,
        ])
    }

    mutating func value(depth: Int, withArrays: Bool = true) -> String {
        guard depth > 0 else { return scalar() }
        switch below(withArrays ? 5 : 4) {
        case 0: return document(depth: depth - 1, withArrays: withArrays)
        case 1...3: return scalar()
        default: return "[\((0..<below(4)).map { _ in value(depth: depth - 1) }.joined(separator: ","))]"
        }
    }

    mutating func document(depth: Int, withArrays: Bool = true) -> String {
        let names = ["a", "b", "0", "1"].filter { _ in below(2) == 0 }
        return "{\(names.map { #""\#($0)":\#(value(depth: depth, withArrays: withArrays))"# }.joined(separator: ","))}"
    }
}
