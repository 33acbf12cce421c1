import BSON
import CommandModel
import Testing

@testable import Query

/// Random documents, filters and updates: nothing crashes, and laws hold between related programs.
@Suite("Randomized")
struct RandomizedTests {
    private static let seed: UInt64 = 20_240_611

    @Test("$nor is the complement, $and and $or are the connectives, $elemMatch-free negation is $not")
    func complements() throws {
        var random = Random(seed: Self.seed)
        var hits = 0
        for round in 0..<1000 {
            let document = json(random.document(depth: 3))
            let (first, second) = (random.filter(), random.filter())
            func matches(_ filter: String) throws -> Bool {
                let filter = try Filter(compiling: json(filter))
                return try filter.matches(document)
            }
            let (left, right) = (try matches(first), try matches(second))
            hits += left ? 1 : 0
            let context = "seed \(Self.seed) round \(round): \(first) \(second) \(document.text)"
            #expect(try matches(#"{"$nor":[\#(first)]}"#) == !left, "\(context)")
            #expect(try matches(#"{"$and":[\#(first),\#(second)]}"#) == (left && right), "\(context)")
            #expect(try matches(#"{"$or":[\#(first),\#(second)]}"#) == (left || right), "\(context)")
        }
        #expect(hits > 75 && hits < 925, "the filters must be able to match and to fail: \(hits)")
    }

    @Test("$ne and $nin are the complements of equality and $in")
    func negations() throws {
        var random = Random(seed: Self.seed &+ 1)
        for round in 0..<600 {
            let document = json(random.document(depth: 3))
            let (path, value) = (random.path(), random.scalar())
            func matches(_ condition: String) throws -> Bool {
                let filter = try Filter(compiling: json(#"{"\#(path)":\#(condition)}"#))
                return try filter.matches(document)
            }
            let context = "seed \(Self.seed &+ 1) round \(round): \(path) \(value) \(document.text)"
            #expect(try matches(#"{"$ne":\#(value)}"#) != matches(#"{"$eq":\#(value)}"#), "\(context)")
            #expect(try matches(#"{"$in":[\#(value)]}"#) == matches(#"{"$eq":\#(value)}"#), "\(context)")
            #expect(try matches(#"{"$nin":[\#(value)]}"#) != matches(#"{"$in":[\#(value)]}"#), "\(context)")
        }
    }

    @Test("an update's result is valid, and setting the same again changes nothing")
    func updates() throws {
        var random = Random(seed: Self.seed &+ 2)
        var applied = 0
        for round in 0..<800 {
            let document = json(#"{"_id":1,\#(random.document(depth: 3).dropFirst())"#)
            let update = random.update()
            let context = "seed \(Self.seed &+ 2) round \(round): \(update) \(document.text)"
            do {
                let program = try UpdateProgram(compiling: json(update).value)
                guard let result = try document.withRaw({ try program.apply(to: $0, filter: .everything) }) else {
                    continue
                }
                applied += 1
                try result.withRaw { try RawDocument.validate($0.bytes) }
                guard update.hasPrefix(#"{"$set""#) else { continue }
                #expect(try result.withRaw { try program.apply(to: $0, filter: .everything) } == nil, "\(context)")
            } catch let error as CommandError {
                #expect(error.code.number != 1, "\(context): \(error)")
            } catch {
                Issue.record("\(context): \(error)")
            }
        }
        #expect(applied > 130)
    }

    @Test("cut-off and flipped bytes are walked without a crash")
    func hostileBytes() throws {
        var random = Random(seed: Self.seed &+ 3)
        for _ in 0..<800 {
            var bytes = json(random.document(depth: 3)).withRaw { Array($0.bytes) }
            for _ in 0..<3 { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            let filter = try Filter(compiling: json(random.filter()))
            bytes.withUnsafeBytes { raw in
                if let document = RawDocument(raw) { _ = try? filter.match(document) }
                if let document = RawDocument(raw) { _ = try? Filter(compiling: document) }
            }
        }
    }
}

private struct Random {
    private var generator: SeededGenerator

    init(seed: UInt64) {
        generator = SeededGenerator(seed: seed)
    }

    mutating func below(_ count: Int) -> Int { Int.random(in: 0..<count, using: &generator) }

    mutating func pick(_ values: [String]) -> String { values[below(values.count)] }

    mutating func name() -> String { pick(["a", "b", "c", "0", "1"]) }

    mutating func path() -> String { (0..<1 + below(3)).map { _ in name() }.joined(separator: ".") }

    mutating func scalar() -> String {
        pick([
            "0", "1", "2", "1.5", "null", "true", #""x""#, #""y""#, #"{"$numberDecimal":"1"}"#,
            #"{"$numberDouble":"NaN"}"#,
        ])
    }

    mutating func value(depth: Int) -> String {
        guard depth > 0 else { return scalar() }
        switch below(4) {
        case 0: return document(depth: depth - 1)
        case 1: return "[\((0..<below(4)).map { _ in value(depth: depth - 1) }.joined(separator: ","))]"
        default: return scalar()
        }
    }

    mutating func document(depth: Int) -> String {
        let names = ["a", "b", "c", "0", "1"].filter { _ in below(2) == 0 } + ["z"]
        return "{\(names.map { #""\#($0)":\#(value(depth: depth))"# }.joined(separator: ","))}"
    }

    mutating func filter() -> String { #"{"\#(path())":\#(condition(depth: 2))}"# }

    mutating func condition(depth: Int) -> String {
        switch below(depth > 0 ? 14 : 8) {
        case 0: value(depth: 1)
        case 1: #"{"$gt":\#(scalar())}"#
        case 2: #"{"$lte":\#(scalar())}"#
        case 3: #"{"$ne":\#(scalar())}"#
        case 4: #"{"$in":[\#(scalar()),\#(scalar())]}"#
        case 5: #"{"$exists":\#(pick(["true", "false"]))}"#
        case 6: #"{"$type":"\#(pick(["int", "number", "array", "null"]))"}"#
        case 7: #"{"$size":\#(below(3))}"#
        case 8: #"{"$all":[\#(scalar())]}"#
        case 9: #"{"$elemMatch":\#(filter())}"#
        case 10: #"{"$elemMatch":{"$gte":\#(scalar())}}"#
        case 11: #"{"$not":{"$lt":\#(scalar())}}"#
        case 12: #"{"$mod":[2,\#(below(2))]}"#
        default: #"{"$regex":"\#(pick(["x", "^y", "."]))"}"#
        }
    }

    mutating func update() -> String {
        let path = path()
        return switch below(10) {
        case 0, 1, 2: #"{"$set":{"\#(path)":\#(value(depth: 2))}}"#
        case 3: #"{"$unset":{"\#(path)":""}}"#
        case 4: #"{"$inc":{"\#(path)":\#(pick(["1", "1.5"]))}}"#
        case 5: #"{"$push":{"\#(path)":{"$each":[\#(scalar())],"$sort":1,"$slice":\#(below(5) - 2)}}}"#
        case 6: #"{"$addToSet":{"\#(path)":\#(scalar())}}"#
        case 7: #"{"$pull":{"\#(path)":\#(scalar())}}"#
        case 8: #"{"$rename":{"\#(path)":"\#(self.path())"}}"#
        default: #"{"$min":{"\#(path)":\#(scalar())},"$set":{"n.\#(name())":1}}"#
        }
    }
}
