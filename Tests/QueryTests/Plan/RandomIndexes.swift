import BSON
import CommandModel
import NIOCore

@testable import Query

/// Documents, indexes and filters drawn at random, over few names and values, so that they meet.
struct RandomIndexes {
    private var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &generator) }
    mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }
    mutating func isOneIn(_ count: Int) -> Bool { below(count) == 0 }

    mutating func path() -> String { pick(["a", "a", "b", "b", "a.b", "a.b", "a.c", "a.0", "a.b.c", "c", "a.0.b"]) }

    mutating func scalar() -> String {
        pick([
            "0", "1", "2", "3", "1.5", "null", "true", "false", #""x""#, #""xy""#, #""y""#,
            #"{"$numberDouble":"NaN"}"#, #"{"$numberDecimal":"2"}"#, #"{"$minKey":1}"#, #"{"$maxKey":1}"#,
            #"{"$undefined":true}"#, #"{"$regularExpression":{"pattern":"^x","options":""}}"#, #"{"$symbol":"x"}"#,
            #"{"$date":{"$numberLong":"1"}}"#, #"{"$oid":"000000000000000000000001"}"#,
        ])
    }

    mutating func operand() -> String {
        switch below(8) {
        case 0: pick(["[]", "[1]", "[1,2]", "[[1]]", #"["x"]"#, "[null]"])
        case 1: pick(["{}", #"{"b":1}"#, #"{"b":"x"}"#, #"{"c":1}"#])
        default: pick(["0", "1", "2", "1.5", "null", #""x""#, #""xy""#, "true", #"{"$numberDouble":"NaN"}"#])
        }
    }

    mutating func bound() -> String {
        isOneIn(10) ? pick([#"{"$minKey":1}"#, #"{"$maxKey":1}"#]) : operand()
    }

    mutating func value(depth: Int, arrays: Bool) -> String {
        guard depth > 0 else { return scalar() }
        switch below(5) {
        case 0, 1: return object(depth: depth - 1, arrays: arrays)
        case 2 where arrays:
            return "[\((0..<below(4)).map { _ in value(depth: depth - 1, arrays: true) }.joined(separator: ","))]"
        default: return scalar()
        }
    }

    mutating func object(depth: Int, arrays: Bool) -> String {
        let names = ["a", "b", "c", "0"].filter { $0 == "0" ? isOneIn(8) : !isOneIn(3) }
        return "{\(names.map { #""\#($0)":\#(value(depth: depth, arrays: arrays))"# }.joined(separator: ","))}"
    }

    /// A document of small numbers, and a filter for such: what is found by ranges.
    mutating func plainObject(arrays: Bool) -> String {
        let names = ["a", "b", "c"].filter { _ in !isOneIn(4) }
        return "{\(names.map { #""\#($0)":\#(plainValue(depth: 2, arrays: arrays))"# }.joined(separator: ","))}"
    }

    private mutating func plainValue(depth: Int, arrays: Bool) -> String {
        guard depth > 0 else { return "\(below(6))" }
        switch below(6) {
        case 0,
            1 where arrays:
            return "[\((0..<below(4)).map { _ in plainValue(depth: depth - 1, arrays: false) }.joined(separator: ","))]"
        case 2: return #"{"b":\#(plainValue(depth: 0, arrays: false)),"c":\#(below(6))}"#
        default: return "\(below(6))"
        }
    }

    mutating func plainFilter() -> String {
        let conditions = (0..<1 + below(2)).map { _ in
            let operand = below(6)
            let name = pick(["$eq", "$gt", "$gte", "$lt", "$lte", "$ne"])
            return #""\#(pick(["a", "b", "c", "a.b", "a.c"]))":{"\#(name)":\#(operand)}"#
        }
        return "{\(conditions.joined(separator: ","))}"
    }

    mutating func condition(depth: Int) -> String {
        switch below(depth > 0 ? 17 : 12) {
        case 0, 1: #"{"$eq":\#(operand())}"#
        case 2: #"{"$gt":\#(bound())}"#
        case 3: #"{"$lte":\#(bound())}"#
        case 4: #"{"$gte":\#(bound()),"$lt":\#(bound())}"#
        case 5: #"{"$ne":\#(operand())}"#
        case 6: #"{"$in":[\#(operand()),\#(operand())]}"#
        case 7: #"{"$nin":[\#(operand()),\#(operand())]}"#
        case 8: #"{"$exists":\#(pick(["true", "false"]))}"#
        case 9:
            #"{"$type":\#(pick([#""int""#, #""number""#, #""array""#, #""null""#, #"["string","null"]"#]))}"#
        case 10: #"{"$regex":"\#(pick(["x", "^x", "^xy", "^x?", "^x.*"]))"}"#
        case 11: pick([#"{"$size":1}"#, #"{"$mod":[2,0]}"#, #"{"$bitsAllSet":1}"#])
        case 12: #"{"$all":[\#(operand()),\#(operand())]}"#
        case 13: #"{"$elemMatch":\#(filter(depth: depth - 1, names: ["b", "c", "b.c", "0"]))}"#
        case 14: #"{"$elemMatch":\#(condition(depth: depth - 1))}"#
        default: #"{"$not":\#(condition(depth: depth - 1))}"#
        }
    }

    mutating func filter(depth: Int, names: [String]? = nil) -> String {
        let fields = (0..<1 + below(3)).map { _ -> String in
            if depth > 0, isOneIn(5) {
                let branches = (0..<1 + below(2)).map { _ in filter(depth: depth - 1, names: names) }
                return #""\#(pick(["$or", "$nor", "$and"]))":[\#(branches.joined(separator: ","))]"#
            }
            let name = names.map { pick($0) } ?? path()
            return #""\#(name)":\#(condition(depth: depth))"#
        }
        // Of equal names the parser keeps all, as BSON may.
        return "{\(fields.joined(separator: ","))}"
    }

    mutating func pattern() -> String {
        var paths: [String] = []
        while paths.count < 1 + below(3) {
            let path = path()
            if !paths.contains(path) { paths.append(path) }
        }
        return "{\(paths.map { #""\#($0)":\#(pick(["1", "-1"]))"# }.joined(separator: ","))}"
    }

    /// The first fields of a key pattern, perhaps from behind.
    mutating func order(of pattern: Document) -> String {
        let fields = pattern.withRaw { $0.map { ($0.key.string, $0.value.int32 ?? 1) } }
        let sign: Int32 = isOneIn(2) ? 1 : -1
        return "{\(fields.prefix(1 + below(fields.count)).map { #""\#($0)":\#(sign * $1)"# }.joined(separator: ","))}"
    }

    mutating func specification() -> String {
        var options = isOneIn(4) ? #","sparse":true"# : ""
        if isOneIn(5) {
            let condition = pick([
                #"{"c":{"$exists":true}}"#, #"{"c":{"$gt":0}}"#, #"{"a":{"$type":"number"}}"#,
                #"{"b":{"$in":[1,"x"]}}"#,
                #"{"$or":[{"c":1},{"b":{"$gte":"x"}}]}"#,
            ])
            options += #","partialFilterExpression":\#(condition)"#
        }
        return #"{"key":\#(pattern())\#(options)}"#
    }
}

/// Documents in an index.
struct FilledIndex {
    private(set) var candidate: IndexCandidate
    private(set) var documents: [(document: Document, keys: [ByteBuffer])] = []

    /// Leaves out what the index refuses.
    init(_ specification: String, _ documents: [Document]) throws {
        candidate = try QueryTests.candidate(specification)
        var facts = IndexFacts()
        for document in documents {
            let definition = candidate.definition
            let keys = try? document.withRaw { raw throws(CommandError) in try definition.keys(of: raw) }
            guard let keys else { continue }
            facts = facts.union(keys.facts)
            self.documents.append((document, keys.keys))
        }
        candidate = IndexCandidate(definition: candidate.definition, facts: facts)
    }
}

extension IndexBounds {
    func contain(_ key: ByteBuffer) -> Bool {
        intervals.contains { interval in
            !key.readableBytesView.lexicographicallyPrecedes(interval.lower)
                && key.readableBytesView.lexicographicallyPrecedes(interval.upper)
        }
    }
}
