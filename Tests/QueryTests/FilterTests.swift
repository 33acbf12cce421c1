import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Filter")
struct FilterTests {
    /// filter, documents that match, documents that do not
    static let cases: [(String, [String], [String])] = [
        ("{}", ["{}", #"{"a":1}"#], []),
        (#"{"a":1}"#, [#"{"a":1}"#, #"{"a":1.0}"#, #"{"a":[0,1]}"#], ["{}", #"{"a":"1"}"#, #"{"a":[[1]]}"#]),
        (#"{"a":1,"b":2}"#, [#"{"b":2,"a":1}"#], [#"{"a":1}"#, #"{"a":1,"b":3}"#]),
        (#"{"a":null}"#, ["{}", #"{"a":null}"#, #"{"a":[null]}"#], [#"{"a":0}"#, #"{"a":[]}"#]),
        (
            #"{"a.b":null}"#, ["{}", #"{"a":{}}"#, #"{"a":1}"#, #"{"a":[{"b":1},{"c":1}]}"#],
            [#"{"a":[1]}"#, #"{"a":[]}"#]
        ),
        (#"{"a":[1,2]}"#, [#"{"a":[1,2]}"#, #"{"a":[[1,2]]}"#], [#"{"a":[2,1]}"#, #"{"a":1}"#]),
        (#"{"a":{"b":1}}"#, [#"{"a":{"b":1}}"#], [#"{"a":{"b":1,"c":1}}"#]),
        (#"{"a.b":1}"#, [#"{"a":{"b":1}}"#, #"{"a":[{"b":[1]}]}"#], [#"{"a":[[{"b":1}]]}"#]),
        (#"{"a.0":1}"#, [#"{"a":[1]}"#, #"{"a":{"0":1}}"#, #"{"a":[{"0":1}]}"#], [#"{"a":[[1]]}"#, #"{"a":[2,1]}"#]),
        (#"{"a.0.b":1}"#, [#"{"a":[{"b":1}]}"#, #"{"a":[[{"b":1}]]}"#], [#"{"a":[{"b":2},{"b":1}]}"#]),
        (#"{"a":{"$gt":5}}"#, [#"{"a":6}"#, #"{"a":[1,6]}"#], [#"{"a":5}"#, #"{"a":"x"}"#, "{}"]),
        (#"{"a":{"$gt":1,"$lt":3}}"#, [#"{"a":2}"#, #"{"a":[0,5]}"#], [#"{"a":3}"#]),
        (#"{"a":{"$gte":null}}"#, ["{}", #"{"a":null}"#], [#"{"a":1}"#]),
        (#"{"a":{"$gt":{"$minKey":1}}}"#, ["{}", #"{"a":1}"#], [#"{"a":{"$minKey":1}}"#]),
        (#"{"a":{"$lt":5}}"#, [#"{"a":{"$numberDecimal":"4.9"}}"#], [#"{"a":{"$numberDouble":"NaN"}}"#]),
        (#"{"a":{"$gte":{"$numberDouble":"NaN"}}}"#, [#"{"a":{"$numberDouble":"NaN"}}"#], [#"{"a":1}"#]),
        (#"{"a":0}"#, [#"{"a":{"$numberDouble":"-0.0"}}"#], []),
        (#"{"a":{"$ne":1}}"#, ["{}", #"{"a":2}"#], [#"{"a":1}"#, #"{"a":[1,2]}"#]),
        (
            #"{"a":{"$in":[1,null,{"$regularExpression":{"pattern":"^x","options":""}}]}}"#,
            ["{}", #"{"a":1}"#, #"{"a":"xy"}"#], [#"{"a":2}"#, #"{"a":"y"}"#]
        ),
        (#"{"a":{"$in":[]}}"#, [], ["{}"]),
        (#"{"a":{"$nin":[1,2]}}"#, ["{}", #"{"a":3}"#], [#"{"a":[3,2]}"#]),
        (#"{"$or":[{"a":1},{"b":1}]}"#, [#"{"a":1}"#, #"{"b":1}"#], ["{}"]),
        (#"{"$nor":[{"a":1},{"b":1}]}"#, ["{}"], [#"{"a":1}"#, #"{"b":1}"#]),
        (#"{"$and":[{"a":1},{"b":1}]}"#, [#"{"a":1,"b":1}"#], [#"{"a":1}"#]),
        (#"{"a":{"$not":{"$gt":1,"$lt":3}}}"#, [#"{"a":3}"#, "{}"], [#"{"a":2}"#]),
        (#"{"a":{"$exists":true}}"#, [#"{"a":null}"#, #"{"a":[]}"#], ["{}"]),
        (#"{"a.b":{"$exists":false}}"#, ["{}", #"{"a":[]}"#, #"{"a":[1]}"#], [#"{"a":[{"b":1}]}"#]),
        (#"{"a":{"$type":"number"}}"#, [#"{"a":1}"#, #"{"a":1.5}"#, #"{"a":["x",1]}"#], [#"{"a":"x"}"#]),
        (#"{"a":{"$type":["array",2]}}"#, [#"{"a":[]}"#, #"{"a":"x"}"#], [#"{"a":1}"#]),
        (#"{"a":{"$size":2}}"#, [#"{"a":[1,2]}"#], [#"{"a":[[1,2]]}"#, #"{"a":2}"#]),
        (#"{"a":{"$all":[1,2]}}"#, [#"{"a":[2,3,1]}"#], [#"{"a":[1]}"#]),
        (#"{"a":{"$all":[]}}"#, [], [#"{"a":[]}"#, "{}"]),
        (#"{"a":{"$all":[{"$match":{"x":1}}]}}"#, [#"{"a":[1,{"$match":{"x":1}}]}"#], [#"{"a":{"$match":{"x":2}}}"#]),
        (
            #"{"a":{"$all":[{"$elemMatch":{"x":1}},{"$elemMatch":{"x":2}}]}}"#,
            [#"{"a":[{"x":1},{"x":2}]}"#], [#"{"a":[{"x":1}]}"#]
        ),
        (#"{"a":{"$elemMatch":{"$gt":1,"$lt":3}}}"#, [#"{"a":[0,2]}"#], [#"{"a":[0,5]}"#, #"{"a":2}"#]),
        (#"{"a":{"$elemMatch":{"b":1,"c":2}}}"#, [#"{"a":[{"b":1,"c":2}]}"#], [#"{"a":[{"b":1},{"c":2}]}"#]),
        (#"{"a":{"$mod":[4,0]}}"#, [#"{"a":8}"#, #"{"a":8.9}"#], [#"{"a":6}"#, #"{"a":"8"}"#]),
        (#"{"a":{"$mod":[-1,0]}}"#, [#"{"a":{"$numberLong":"-9223372036854775808"}}"#], []),
        (#"{"a":{"$regex":"b.D","$options":"is"}}"#, [#"{"a":"aB\nd"}"#], [#"{"a":"bd"}"#, #"{"a":1}"#]),
        (
            #"{"a":{"$bitsAllSet":[0,2]}}"#, [#"{"a":5}"#, #"{"a":{"$binary":{"base64":"BQ==","subType":"00"}}}"#],
            [#"{"a":1}"#]
        ),
        (#"{"a":{"$bitsAnyClear":5}}"#, [#"{"a":1}"#], [#"{"a":7}"#, #"{"a":1.5}"#]),
        (#"{"a":{"$bitsAllSet":[200]}}"#, [#"{"a":-1}"#], [#"{"a":1}"#]),
        (#"{"$comment":"x","a":{"$eq":1}}"#, [#"{"a":1}"#], ["{}"]),
        (#"{"a":{"$ref":"c","$id":1}}"#, [#"{"a":{"$ref":"c","$id":1}}"#], ["{}"]),
    ]

    @Test("a filter matches as MongoDB does", arguments: cases)
    func matching(filter: String, matching: [String], other: [String]) throws {
        for document in matching { #expect(try matches(filter, document), "\(filter) \(document)") }
        for document in other { #expect(try !matches(filter, document), "\(filter) \(document)") }
    }

    @Test("$sampleRate lets its part of the documents through")
    func sampling() throws {
        func count(_ filter: String) throws -> Int {
            let filter = try Filter(compiling: json(filter))
            return try json(#"{"a":1}"#).withRaw { row in try (0..<2_000).count { _ in try filter.matches(row) } }
        }
        #expect(try count(#"{"$sampleRate":0}"#) == 0)
        #expect(try count(#"{"$sampleRate":1.0}"#) == 2_000)
        // The bounds are twelve standard deviations away.
        #expect(try (730...1_270).contains(count(#"{"$sampleRate":0.5,"a":1}"#)))
    }

    @Test(
        "a malformed filter is refused with MongoDB's code",
        arguments: [
            (#"{"$foo":1}"#, Int32(2)), (#"{"a":{"$foo":1}}"#, 2), (#"{"a":{"$gt":1,"b":1}}"#, 2), (#"{"$and":[]}"#, 2),
            (#"{"$or":[1]}"#, 2), (#"{"a":{"$in":1}}"#, 2), (#"{"a":{"$in":[{"$gt":1}]}}"#, 2),
            (#"{"a":{"$not":1}}"#, 2),
            (#"{"a":{"$size":-1}}"#, 2), (#"{"a":{"$type":true}}"#, 14), (#"{"a":{"$type":[]}}"#, 9),
            (#"{"a":{"$mod":[0,1]}}"#, 2), (#"{"a":{"$regex":"("}}"#, 51091),
            (#"{"a":{"$regex":"a","$options":"g"}}"#, 51108),
            (#"{"a":{"$options":"i"}}"#, 2), (#"{"a":{"$bitsAllSet":-1}}"#, 9), (#"{"a":{"$elemMatch":1}}"#, 2),
            (#"{"a":{"$all":[{"$gt":1}]}}"#, 2), (#"{"a":{"$gt":{"$undefined":true}}}"#, 2), (#"{"$expr":true}"#, 224),
            (#"{"a":{"$near":[0,0]}}"#, 5_626_500), (#"{"$where":"this.a"}"#, 2), (#"{"$where":1}"#, 2),
            (#"{"$sampleRate":"x"}"#, 2), (#"{"$sampleRate":1.1}"#, 2),
            (#"{"a":{"$elemMatch":{"$sampleRate":0.5}}}"#, 2),
        ])
    func refusal(filter: String, code: Int32) {
        #expect(errorCode { _ = try Filter(compiling: json(filter)) } == code, "\(filter)")
    }

    @Test("conditions nested without end are refused")
    func depth() {
        let filter = String(repeating: #"{"$and":["#, count: 95) + #"{"a":1}"# + String(repeating: "]}", count: 95)
        #expect(errorCode { _ = try Filter(compiling: json(filter)) } == nil)
        let build: (Int) -> Document = { depth in
            (0..<depth).reduce(json(#"{"a":1}"#)) { inner, _ in
                Document { builder in
                    builder.beginArray("$and")
                    builder.append(index: 0, .document(inner))
                    builder.end()
                }
            }
        }
        #expect(errorCode { _ = try Filter(compiling: build(200)) } == 2)
    }

    @Test("a pattern with catastrophic backtracking gives up")
    func catastrophicPattern() throws {
        let subject = String(repeating: "a", count: 5000) + "b"
        #expect(try !matches(#"{"a":{"$regex":"^(a|aa)+$"}}"#, #"{"a":"\#(subject)"}"#))
    }

    @Test("more than 64 fields are all tested")
    func manyFields() throws {
        let all = (0..<200).map { #""f\#($0)":\#($0)"# }
        let filter = "{\(all.joined(separator: ","))}"
        #expect(try matches(filter, filter))
        let changed = "{\((all.dropLast() + [#""f199":0"#]).joined(separator: ","))}"
        #expect(try !matches(filter, changed))
    }

    @Test("the position of a match is that in the outermost array")
    func position() throws {
        func index(_ filter: String, _ document: String) throws -> Filter.Match {
            let filter = try Filter(compiling: json(filter))
            return try json(document).withRaw { raw throws(CommandError) in try filter.match(raw) }
        }
        #expect(try index(#"{"a":3}"#, #"{"a":[1,2,3]}"#) == .yes(arrayIndex: 2))
        #expect(try index(#"{"a.b":3}"#, #"{"a":[{"b":1},{"b":[0,3]}]}"#) == .yes(arrayIndex: 1))
        #expect(try index(#"{"a":{"$elemMatch":{"$gt":1}}}"#, #"{"a":[1,2]}"#) == .yes(arrayIndex: 1))
        #expect(try index(#"{"a":{"$ne":3}}"#, #"{"a":[1]}"#) == .yes(arrayIndex: nil))
        #expect(try index(#"{"a.0":1}"#, #"{"a":[1]}"#) == .yes(arrayIndex: nil))
        #expect(try index(#"{"a":4}"#, #"{"a":[1]}"#) == .no)
    }
}

@Suite("Constraint on _id")
struct IDConstraintTests {
    private func describe(_ filter: String) throws -> String {
        let identity = try Filter(compiling: json(filter)).identity
        let shape =
            switch identity.shape {
            case .any: "any"
            case .points(let values): "points \(values.map { $0.extendedJSON(.relaxed) })"
            case .range(let lower, let upper):
                "\(text(lower, "(", "[")) \(text(upper, ")", "]"))"
            }
        return identity.isExact ? "\(shape) exact" : shape
    }

    private func text(_ bound: IDConstraint.Bound?, _ open: String, _ closed: String) -> String {
        bound.map { "\($0.isInclusive ? closed : open)\($0.value.extendedJSON(.relaxed))" } ?? "-"
    }

    @Test("equality and $in are points, inequalities a range")
    func shapes() throws {
        #expect(try describe(#"{"_id":1}"#) == #"points ["1"] exact"#)
        #expect(try describe(#"{"_id":{"$in":[2,1]}}"#) == #"points ["1", "2"] exact"#)
        #expect(try describe(#"{"_id":1,"a":2}"#) == #"points ["1"]"#)
        #expect(try describe(#"{"$and":[{"_id":1}]}"#) == #"points ["1"] exact"#)
        #expect(try describe(#"{"_id":{"$gt":1,"$lte":3}}"#) == "(1 ]3 exact")
        #expect(try describe(#"{"_id":{"$lt":3}}"#) == "- )3")
        #expect(try describe(#"{"_id":{"$gt":"a"},"b":1}"#) == #"("a" -"#)
        #expect(try describe(#"{"_id":{"$ne":1}}"#) == "any")
        #expect(try describe(#"{"$or":[{"_id":1},{"_id":2}]}"#) == "any")
        #expect(try describe(#"{"_id":{"$in":[{"$regularExpression":{"pattern":"a","options":""}}]}}"#) == "any")
        #expect(try describe("{}") == "any")
        #expect(Filter.everything.matchesEverything)
    }
}
