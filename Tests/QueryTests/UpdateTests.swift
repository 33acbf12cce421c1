import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Update")
struct UpdateTests {
    /// document, update, result (nil: unchanged)
    static let cases: [(String, String, String?)] = [
        (#"{"_id":1}"#, #"{"$set":{"b":1,"a":2}}"#, #"{"_id":1,"a":2,"b":1}"#),
        (#"{"_id":1,"x":1,"y":2}"#, #"{"$set":{"x":5}}"#, #"{"_id":1,"x":5,"y":2}"#),
        (#"{"_id":1,"x":1}"#, #"{"$set":{"x":1}}"#, nil),
        (#"{"_id":1}"#, #"{"$set":{"a.b.c":1}}"#, #"{"_id":1,"a":{"b":{"c":1}}}"#),
        (#"{"_id":1,"a":[1]}"#, #"{"$set":{"a.3":4}}"#, #"{"_id":1,"a":[1,null,null,4]}"#),
        (#"{"_id":1,"a":[{"b":1},{"b":2}]}"#, #"{"$set":{"a.1.b":5}}"#, #"{"_id":1,"a":[{"b":1},{"b":5}]}"#),
        (#"{"_id":1}"#, #"{"$set":{"a.10":1,"a.9":1}}"#, #"{"_id":1,"a":{"9":1,"10":1}}"#),
        (#"{"_id":1,"a":1,"b":2}"#, #"{"$unset":{"a":""}}"#, #"{"_id":1,"b":2}"#),
        (#"{"_id":1,"a":[1,2]}"#, #"{"$unset":{"a.0":""}}"#, #"{"_id":1,"a":[null,2]}"#),
        (#"{"_id":1,"a":1}"#, #"{"$unset":{"a.b":"","c":""}}"#, nil),
        (#"{"_id":1,"a":2147483647}"#, #"{"$inc":{"a":1}}"#, #"{"_id":1,"a":{"$numberLong":"2147483648"}}"#),
        (#"{"_id":1}"#, #"{"$inc":{"a":5},"$mul":{"b":3}}"#, #"{"_id":1,"a":5,"b":0}"#),
        (#"{"_id":1,"a":{"$numberDouble":"-0.0"}}"#, #"{"$inc":{"a":0.0}}"#, nil),
        (#"{"_id":1,"a":5,"b":5}"#, #"{"$min":{"a":3},"$max":{"b":3}}"#, #"{"_id":1,"a":3,"b":5}"#),
        (#"{"_id":1,"a":1}"#, #"{"$rename":{"a":"b.c"}}"#, #"{"_id":1,"b":{"c":1}}"#),
        (#"{"_id":1}"#, #"{"$rename":{"a":"b"}}"#, nil),
        (#"{"_id":1,"a":13}"#, #"{"$bit":{"a":{"and":10,"or":1}}}"#, #"{"_id":1,"a":9}"#),
        (#"{"_id":1,"a":[1]}"#, #"{"$push":{"a":2}}"#, #"{"_id":1,"a":[1,2]}"#),
        (#"{"_id":1,"a":[3,1]}"#, #"{"$push":{"a":{"$each":[2,9],"$sort":1,"$slice":-3}}}"#, #"{"_id":1,"a":[2,3,9]}"#),
        (#"{"_id":1,"a":[1,2]}"#, #"{"$push":{"a":{"$each":[9],"$position":-1}}}"#, #"{"_id":1,"a":[1,9,2]}"#),
        (
            #"{"_id":1,"a":[{"x":2},{"x":1}]}"#, #"{"$push":{"a":{"$each":[],"$sort":{"x":1}}}}"#,
            #"{"_id":1,"a":[{"x":1},{"x":2}]}"#
        ),
        (#"{"_id":1,"a":[1]}"#, #"{"$addToSet":{"a":{"$each":[1.0,2,2]}}}"#, #"{"_id":1,"a":[1,2]}"#),
        (#"{"_id":1,"a":[1,2,3]}"#, #"{"$pop":{"a":-1}}"#, #"{"_id":1,"a":[2,3]}"#),
        (#"{"_id":1,"a":[1,5,9]}"#, #"{"$pull":{"a":{"$gt":3}}}"#, #"{"_id":1,"a":[1]}"#),
        (#"{"_id":1,"a":[{"x":1,"y":2},{"x":2}]}"#, #"{"$pull":{"a":{"x":1}}}"#, #"{"_id":1,"a":[{"x":2}]}"#),
        (#"{"_id":1,"a":[1,2,1]}"#, #"{"$pullAll":{"a":[1.0]}}"#, #"{"_id":1,"a":[2]}"#),
        (#"{"_id":1,"a":[{"b":1},{"b":2}]}"#, #"{"$inc":{"a.$[].b":1}}"#, #"{"_id":1,"a":[{"b":2},{"b":3}]}"#),
        (#"{"_id":1}"#, #"{"$setOnInsert":{"a":1}}"#, nil),
        (#"{"_id":1,"a":1,"b":2}"#, #"{"c":3}"#, #"{"_id":1,"c":3}"#),
    ]

    @Test("an update yields what MongoDB's does", arguments: cases)
    func applying(document: String, update: String, expected: String?) throws {
        let program = try UpdateProgram(compiling: json(update).value)
        let result = try json(document).withRaw { try program.apply(to: $0, filter: .everything) }
        #expect(result?.extendedJSON() == expected.map { json($0).extendedJSON() }, "\(update)")
    }

    @Test(
        "a malformed update is refused with MongoDB's code",
        arguments: [
            (#"{"$foo":{"a":1}}"#, Int32(9)), (#"{"$set":1}"#, 9), (#"{"$set":{"a":1},"b":1}"#, 9),
            (#"{"$set":{"":1}}"#, 56), (#"{"$set":{"a..b":1}}"#, 56), (#"{"$set":{"a":1},"$inc":{"a.b":1}}"#, 40),
            (#"{"$inc":{"a":"x"}}"#, 14), (#"{"$rename":{"a":"a"}}"#, 2), (#"{"$rename":{"a":1}}"#, 2),
            (#"{"$set":{"$":1}}"#, 2), (#"{"$set":{"a.$.b.$":1}}"#, 2), (#"{"$set":{"a.$[x]":1}}"#, 2),
            (#"{"$pop":{"a":2}}"#, 9), (#"{"$pullAll":{"a":1}}"#, 2), (#"{"$push":{"a":{"$each":1}}}"#, 2),
            (#"{"$bit":{"a":{}}}"#, 2), (#"{"$currentDate":{"a":1}}"#, 2), (#"{"a":1,"$set":{"b":1}}"#, 52),
        ])
    func refusal(update: String, code: Int32) {
        #expect(errorCode { _ = try UpdateProgram(compiling: json(update).value) } == code, "\(update)")
    }

    @Test(
        "an update that does not fit the document is refused",
        arguments: [
            (#"{"_id":1,"a":"x"}"#, #"{"$inc":{"a":1}}"#, Int32(14)), (#"{"_id":1,"a":1}"#, #"{"$set":{"a.b":1}}"#, 28),
            (#"{"_id":1,"a":[1]}"#, #"{"$set":{"a.b":1}}"#, 28), (#"{"_id":1}"#, #"{"$set":{"_id":2}}"#, 66),
            (#"{"_id":1}"#, #"{"$unset":{"_id":""}}"#, 66), (#"{"_id":1}"#, #"{"_id":2}"#, 66),
            (#"{"_id":1,"a":1}"#, #"{"$push":{"a":1}}"#, 2), (#"{"_id":1,"a":1}"#, #"{"$pop":{"a":1}}"#, 14),
            (#"{"_id":1,"a":{"$numberLong":"9223372036854775807"}}"#, #"{"$inc":{"a":1}}"#, 2),
            (#"{"_id":1,"a":[]}"#, #"{"$set":{"a.1500001":1}}"#, 34), (#"{"_id":1}"#, #"{"$set":{"a.$[]":1}}"#, 2),
            (#"{"_id":1,"a":[1]}"#, #"{"$set":{"a.$[]":1,"a.0":2}}"#, 40), (#"{"_id":1}"#, #"{"$set":{"a.$":1}}"#, 2),
            (#"{"_id":1}"#, #"{"$set":{"$a":1}}"#, 52), (#"{"_id":1,"a":[{"b":1}]}"#, #"{"$rename":{"a.b":"c"}}"#, 2),
        ])
    func mismatch(document: String, update: String, code: Int32) {
        let thrown = errorCode {
            let program = try UpdateProgram(compiling: json(update).value)
            _ = try json(document).withRaw { try program.apply(to: $0, filter: .everything) }
        }
        #expect(thrown == code, "\(update) on \(document)")
    }

    @Test(
        "a pipeline makes a document of a document, and keeps its _id",
        arguments: [
            ("[]", #"{"_id":1,"a":1}"#), (#"[{"$set":{"b":{"$add":["$a",1]}}},{"$unset":"a"}]"#, #"{"_id":1,"b":2}"#),
            (#"[{"$replaceWith":{"c":"$a"}}]"#, #"{"_id":1,"c":1}"#),
            (#"[{"$project":{"_id":0}}]"#, #"{"_id":1,"a":1}"#),
        ])
    func pipeline(stages: String, expected: String) throws {
        let update = try json(#"{"u":\#(stages)}"#).withRaw { try #require($0["u"].map(Value.init(copying:))) }
        let program = try UpdateProgram(compiling: update)
        let document = json(#"{"_id":1,"a":1}"#)
        let result = try document.withRaw { try program.apply(to: $0, filter: .everything) } ?? document
        #expect(result.text == json(expected).text)
    }

    @Test("what is neither a document nor a pipeline is refused")
    func otherTypes() {
        #expect(errorCode { _ = try UpdateProgram(compiling: .int32(1)) } == 9)
        #expect(errorCode { _ = try UpdateProgram(compiling: json(#"{"a":1}"#).value, multi: true) } == 9)
    }

    @Test("the positional operator changes the element that the filter matched")
    func positional() throws {
        let filter = try Filter(compiling: json(#"{"a.b":2}"#))
        let program = try UpdateProgram(compiling: json(#"{"$set":{"a.$.c":9}}"#).value)
        let result = try json(#"{"_id":1,"a":[{"b":1},{"b":2}]}"#).withRaw { try program.apply(to: $0, filter: filter) }
        #expect(result == json(#"{"_id":1,"a":[{"b":1},{"b":2,"c":9}]}"#))
    }

    @Test("array filters choose elements")
    func arrayFilters() throws {
        let program = try UpdateProgram(
            compiling: json(#"{"$set":{"a.$[e].c":0}}"#).value, arrayFilters: [json(#"{"e.b":{"$gte":2}}"#)])
        let result = try json(#"{"_id":1,"a":[{"b":1},{"b":2}]}"#).withRaw {
            try program.apply(to: $0, filter: .everything)
        }
        #expect(result == json(#"{"_id":1,"a":[{"b":1},{"b":2,"c":0}]}"#))
        #expect(
            errorCode {
                _ = try UpdateProgram(compiling: json(#"{"$set":{"b":1}}"#).value, arrayFilters: [json(#"{"e":1}"#)])
            } == 9)
    }

    @Test("the current date is the time of the statement")
    func currentDate() throws {
        let program = try UpdateProgram(
            compiling: json(#"{"$currentDate":{"a":true,"b":{"$type":"timestamp"}}}"#).value,
            time: UpdateTime(milliseconds: 5_000))
        let result = try json(#"{"_id":1}"#).withRaw { try program.apply(to: $0, filter: .everything) }
        #expect(
            result == json(#"{"_id":1,"a":{"$date":{"$numberLong":"5000"}},"b":{"$timestamp":{"t":5,"i":1}}}"#))
    }

    @Test("a result over 16 MiB is refused")
    func size() {
        let half = String(repeating: "x", count: 9 * 1024 * 1024)
        let thrown = errorCode {
            let program = try UpdateProgram(compiling: json(#"{"$set":{"b":"\#(half)"}}"#).value)
            _ = try json(#"{"_id":1,"a":"\#(half)"}"#).withRaw { try program.apply(to: $0, filter: .everything) }
        }
        #expect(thrown == 17419)
    }

    @Test("an empty timestamp in a replacement's top level means now; modifiers set it as it is")
    func emptyTimestamps() throws {
        let empty = #"{"$timestamp":{"t":0,"i":0}}"#
        let now = #"{"$timestamp":{"t":9,"i":1}}"#
        func applied(_ update: String, keeping: Bool = false) throws -> Document? {
            let program = try UpdateProgram(
                compiling: json(update).value, keepsEmptyTimestamps: keeping, time: UpdateTime(milliseconds: 9_000))
            return try json(#"{"_id":1}"#).withRaw { try program.apply(to: $0, filter: .everything) }
        }
        let replacement = #"{"a":\#(empty),"b":{"c":\#(empty)}}"#
        #expect(try applied(replacement) == json(#"{"_id":1,"a":\#(now),"b":{"c":\#(empty)}}"#))
        #expect(try applied(replacement, keeping: true) == json(#"{"_id":1,"a":\#(empty),"b":{"c":\#(empty)}}"#))
        #expect(try applied(#"{"$set":{"a":\#(empty)}}"#) == json(#"{"_id":1,"a":\#(empty)}"#))
    }

    @Test("an update that nests a document deeper than may be stored is refused")
    func depth() throws {
        func nested(_ levels: Int) -> String {
            String(repeating: #"{"a":"#, count: levels) + "1" + String(repeating: "}", count: levels)
        }
        func code(_ update: String) -> Int32? {
            errorCode {
                let program = try UpdateProgram(compiling: json(update).value)
                _ = try json(#"{"_id":1}"#).withRaw { try program.apply(to: $0, filter: .everything) }
            }
        }
        #expect(code(#"{"$set":{"x":\#(nested(179))}}"#) == nil)
        #expect(code(#"{"$set":{"x":\#(nested(180))}}"#) == 15)
        #expect(code(nested(180)) == nil)
        #expect(code(nested(181)) == 15)
    }

    @Test("many paths in one update do not take quadratic time", .timeLimit(.minutes(20)))
    func manyPaths() throws {
        let fields = (0..<50_000).map { #""f\#($0)":\#($0)"# }.joined(separator: ",")
        let program = try UpdateProgram(compiling: json(#"{"$set":{\#(fields)}}"#).value)
        let made = try #require(try json(#"{"_id":1}"#).withRaw { try program.apply(to: $0, filter: .everything) })
        #expect(made.withRaw { $0.elementCount } == 50_001)
        #expect(try made.withRaw { try program.apply(to: $0, filter: .everything) } == nil)
    }
}

@Suite("Upsert")
struct UpsertTests {
    private let newID = ObjectID(high: 1, low: 2)

    private func inserted(_ filter: String, _ update: String) throws -> Document {
        let program = try UpdateProgram(compiling: json(update).value, isUpsert: true)
        return try program.insertedDocument(filter: Filter(compiling: json(filter)), newID: newID)
    }

    @Test("equalities of the filter, then the update, with _id in front")
    func equalities() throws {
        let id = #""_id":{"$oid":"000000000000000100000002"}"#
        #expect(try inserted(#"{"a":1,"b":{"$gt":5}}"#, #"{"$set":{"c":2}}"#) == json(#"{\#(id),"a":1,"c":2}"#))
        #expect(try inserted(#"{"_id":7,"a.b":1}"#, #"{"$inc":{"a.c":2}}"#) == json(#"{"_id":7,"a":{"b":1,"c":2}}"#))
        #expect(
            try inserted(#"{"$and":[{"a":1},{"b":{"$eq":2}}]}"#, "{\"$setOnInsert\":{\"c\":3}}")
                == json(#"{\#(id),"a":1,"b":2,"c":3}"#))
        #expect(
            try inserted(#"{"a":{"$in":[1]},"b":{"$in":[1,2]}}"#, #"{"$set":{"x":1}}"#)
                == json(#"{\#(id),"a":1,"x":1}"#))
        #expect(try inserted(#"{"a":{"$all":[4]}}"#, #"{"$set":{"x":1}}"#) == json(#"{\#(id),"a":4,"x":1}"#))
        #expect(try inserted(#"{"_id":3,"a":1}"#, #"{"b":1}"#) == json(#"{"_id":3,"b":1}"#))
        #expect(try inserted(#"{"$or":[{"a":1},{"b":1}]}"#, #"{"$set":{"x":1}}"#) == json(#"{\#(id),"x":1}"#))
    }

    @Test("contradictions are refused")
    func contradictions() {
        #expect(errorCode { _ = try inserted(#"{"_id":1}"#, #"{"$set":{"_id":2}}"#) } == 66)
        #expect(errorCode { _ = try inserted(#"{"_id":1}"#, #"{"_id":2}"#) } == 66)
        #expect(errorCode { _ = try inserted(#"{"$and":[{"a":1},{"a":2}]}"#, #"{"$set":{"x":1}}"#) } == 54)
        #expect(errorCode { _ = try inserted(#"{"a":1,"a.b":2}"#, #"{"$set":{"x":1}}"#) } == 54)
        #expect(errorCode { _ = try inserted("{}", #"{"$set":{"_id":[1]}}"#) } == 53)
    }
}
