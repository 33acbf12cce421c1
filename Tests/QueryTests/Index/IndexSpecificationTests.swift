import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Index specifications")
struct IndexSpecificationTests {
    private static func target(_ kind: IndexTarget.Kind = .plain, collation: String? = nil) throws -> IndexTarget {
        let collator = try collation.map { try Collator.shared(for: Collation(locale: $0)) }
        return IndexTarget(kind: kind, collator: collator)
    }

    /// specification, as kept
    static let kept: [(String, String)] = [
        (#"{"key":{"a":1},"name":"a_1"}"#, #"{"v":2,"key":{"a":1},"name":"a_1"}"#),
        (
            #"{"name":"x","sparse":1,"unique":1,"key":{"a":1,"b":-1}}"#,
            #"{"v":2,"key":{"a":1,"b":-1},"name":"x","unique":true,"sparse":true}"#
        ),
        (
            #"{"key":{"a":1},"name":"x","unique":false,"hidden":false,"prepareUnique":0,"dropDups":1,"ns":"a.b"}"#,
            #"{"v":2,"key":{"a":1},"name":"x"}"#
        ),
        (
            #"{"key":{"a":1},"name":"x","background":1,"hidden":true,"v":1}"#,
            #"{"v":1,"key":{"a":1},"name":"x","background":true,"hidden":true}"#
        ),
        (
            #"{"key":{"d":1},"name":"x","expireAfterSeconds":3600.7}"#,
            #"{"v":2,"key":{"d":1},"name":"x","expireAfterSeconds":3600}"#
        ),
        (
            #"{"key":{"d":1},"name":"x","expireAfterSeconds":{"$numberDecimal":"3601.5"}}"#,
            #"{"v":2,"key":{"d":1},"name":"x","expireAfterSeconds":3601}"#
        ),
        (#"{"key":{"_id":1},"name":"mine"}"#, #"{"v":2,"key":{"_id":1},"name":"_id_"}"#),
        (#"{"key":{"_id":"hashed"},"name":"h"}"#, #"{"v":2,"key":{"_id":"hashed"},"name":"h"}"#),
        (
            #"{"key":{"a":1},"name":"x","collation":{"locale":"en","strength":2}}"#,
            #"{"v":2,"key":{"a":1},"name":"x","collation":{"locale":"en","caseLevel":false,"caseFirst":"off","#
                + #""strength":2,"numericOrdering":false,"alternate":"non-ignorable","maxVariable":"punct","#
                + #""normalization":false,"backwards":false,"version":"57.1"}}"#
        ),
        (#"{"key":{"a":1},"name":"x","collation":{"locale":"simple"}}"#, #"{"v":2,"key":{"a":1},"name":"x"}"#),
        (
            #"{"key":{"a":"2dsphere"},"name":"x"}"#,
            #"{"v":2,"key":{"a":"2dsphere"},"name":"x","2dsphereIndexVersion":3}"#
        ),
        (
            #"{"key":{"a":"2d"},"name":"x","min":-100,"max":100,"bits":20.0}"#,
            #"{"v":2,"key":{"a":"2d"},"name":"x","bits":20,"min":-100.0,"max":100.0}"#
        ),
        (
            #"{"key":{"t":"text"},"name":"x"}"#,
            #"{"v":2,"key":{"_fts":"text","_ftsx":1},"name":"x","weights":{"t":1},"default_language":"english","#
                + #""language_override":"language","textIndexVersion":3}"#
        ),
        (
            #"{"key":{"p":1,"t":"text","b":"text","s":-1},"name":"x","weights":{"t":9,"c":2},"#
                + #""default_language":"spanish","language_override":"l"}"#,
            #"{"v":2,"key":{"p":1,"_fts":"text","_ftsx":1,"s":-1},"name":"x","weights":{"b":1,"c":2,"t":9},"#
                + #""default_language":"spanish","language_override":"l","textIndexVersion":3}"#
        ),
        (
            #"{"key":{"$**":"text"},"name":"x"}"#,
            #"{"v":2,"key":{"_fts":"text","_ftsx":1},"name":"x","weights":{"$**":1},"default_language":"english","#
                + #""language_override":"language","textIndexVersion":3}"#
        ),
        (
            #"{"key":{"a":1,"$**":-1},"name":"x","wildcardProjection":{"a":0}}"#,
            #"{"v":2,"key":{"a":1,"$**":-1},"name":"x","wildcardProjection":{"a":0}}"#
        ),
        (
            #"{"key":{"a":1},"name":"x","partialFilterExpression":{"a":{"$gt":5}},"storageEngine":{"wiredTiger":{}}}"#,
            #"{"v":2,"key":{"a":1},"name":"x","partialFilterExpression":{"a":{"$gt":5}},"#
                + #""storageEngine":{"wiredTiger":{}}}"#
        ),
    ]

    @Test("what is kept, and what is kept stays as it is", arguments: kept)
    func keeps(specification: String, stored: String) throws {
        let made = try IndexSpecification(json(specification), for: Self.target())
        #expect(made.document.text == json(stored).text)
        guard !made.isIDIndex else { return }
        let again = try IndexSpecification(made.document, for: Self.target())
        #expect(again.document == made.document)
        #expect(try again.decide(existing: [made.document]) == .exists)
        #expect(made.definition.name == made.name)
    }

    /// the fields beside `name`, code
    static let refusedKeys: [(String, Int32)] = [
        (#""key":{}"#, 67), (#""key":{"a":0}"#, 67), (#""key":{"a":null}"#, 67), (#""key":{"a":true}"#, 67),
        (#""key":{"a":{"$numberDouble":"NaN"}}"#, 67), (#""key":{"a":""}"#, 67), (#""key":{"a":"abc"}"#, 67),
        (#""key":{"a":"wildcard"}"#, 7_246_202), (#""key":{"$**":"wildcard"}"#, 67), (#""key":{"$**":0}"#, 67),
        (#""key":{"$**":"hashed"}"#, 67), (#""key":{"$**.a":1}"#, 67), (#""key":{"a.$**.b":1}"#, 67),
        (#""key":{"a.$**.$**":1}"#, 67), (#""key":{"$**.$**":1}"#, 67), (#""key":{"$**":1,"s.$**":1}"#, 7_246_201),
        (#""key":{"":1}"#, 67), (#""key":{"a..b":1}"#, 67), (#""key":{"a.":1}"#, 67), (#""key":{"$a":1}"#, 67),
        (#""key":{"a.$b":1}"#, 67), (#""key":{"a":1,"a":-1}"#, 0), (#""key":{"a":1,"a":1}"#, 2), (#""key":3"#, 14),
        (#""key":{"a":"hashed","b":"hashed"}"#, 31303), (#""key":{"a":"2d","b":"2d"}"#, 16800),
        (#""key":{"b":1,"a":"2d"}"#, 16801), (#""key":{"a":"2d","b":"2dsphere"}"#, 67),
        (#""key":{"a.$**":"text"}"#, 67), (#""key":{"a":"text","b":"2dsphere"}"#, 67),
        (#""key":{"a":"text","b":1,"c":"text"}"#, 67),
        (#""key":{"_fts":"text"}"#, 67), (#""key":{"_fts":"text","_ftsx":1}"#, 67),
        (#""key":{"_id":-1}"#, 2), (#""key":{"_id":1},"unique":true"#, 197), (#""key":{"_id":1},"sparse":false"#, 197),
        (#""key":{"_id":1},"hidden":true"#, 197), (#""key":{"_id":1},"expireAfterSeconds":1"#, 197),
        (#""key":{"_id":1},"collation":{"locale":"en"}"#, 2), (#""key":{"_id":1},"clustered":true"#, 197),
        (#""key":{"a.$id":1}"#, 0), (#""key":{"a":1.5,"b":-0.1}"#, 0), (#""key":{"_id.$**":1}"#, 0),
        (#""key":{"$**":{"$numberDouble":"-Infinity"}}"#, 0),
    ]

    static let refusedOptions: [(String, Int32)] = [
        (#""key":{"a":1},"what":1"#, 197), (#""key":{"a":1},"clustered":true"#, 72), (#""key":{"a":1},"v":3"#, 67),
        (#""key":{"a":1},"v":0"#, 67), (#""key":{"a":1},"v":1.5"#, 2), (#""key":{"a":1},"v":true"#, 14),
        (#""key":{"$**":1},"v":1"#, 67), (#""key":{"a":1},"v":1,"collation":{"locale":"en"}"#, 67),
        (#""key":{"a":1},"hidden":1"#, 14), (#""key":{"a":1},"sparse":null"#, 14), (#""key":{"a":1},"unique":"x""#, 14),
        (#""key":{"a":"hashed"},"unique":true"#, 16764), (#""key":{"$**":1},"unique":true"#, 67),
        (#""key":{"$**":1},"sparse":true"#, 67), (#""key":{"$**":1},"expireAfterSeconds":1"#, 67),
        (#""key":{"a":1,"b":1},"expireAfterSeconds":1"#, 67), (#""key":{"a":1},"expireAfterSeconds":"1""#, 67),
        (#""key":{"a":1},"expireAfterSeconds":-1"#, 67), (#""key":{"a":1},"expireAfterSeconds":2147483648"#, 67),
        (#""key":{"a":1},"expireAfterSeconds":{"$numberDecimal":"NaN"}"#, 67),
        (#""key":{"a":1},"expireAfterSeconds":{"$numberDouble":"Infinity"}"#, 67),
        (#""key":{"a":1},"expireAfterSeconds":-0.0"#, 0), (#""key":{"a":1},"expireAfterSeconds":2147483647"#, 0),
        (#""key":{"a":"text"},"expireAfterSeconds":1"#, 0),
        (#""key":{"a":1},"collation":{}"#, 2), (#""key":{"a":1},"collation":{"strength":2}"#, 40414),
        (#""key":{"a":1},"collation":"en""#, 14), (#""key":{"a":1},"collation":{"locale":"zzz"}"#, 2),
        (#""key":{"a":"text"},"collation":{"locale":"en"}"#, 67),
        (#""key":{"a":"2d"},"collation":{"locale":"en"}"#, 67),
        (#""key":{"a":"hashed"},"collation":{"locale":"en"}"#, 0),
        (#""key":{"a":1},"wildcardProjection":{"b":1}"#, 2), (#""key":{"$**":1},"wildcardProjection":{}"#, 9),
        (#""key":{"a.$**":1},"wildcardProjection":{"b":1}"#, 9),
        (#""key":{"a":1,"s.$**":1},"wildcardProjection":{"a":0}"#, 9),
        (#""key":{"$**":1},"wildcardProjection":{"a":1,"b":0}"#, 31254),
        (#""key":{"$**":1},"wildcardProjection":{"a":{"b":1,"c":0}}"#, 31254),
        (#""key":{"$**":1},"wildcardProjection":{"a":1,"a.b":0}"#, 31249),
        (#""key":{"$**":1},"wildcardProjection":{"a":"1"}"#, 51271),
        (#""key":{"$**":1},"wildcardProjection":{"a":{"$add":[1]}}"#, 51271),
        (#""key":{"$**":1},"wildcardProjection":{"_id":1,"a":0}"#, 0), (#""key":{"$**":1,"a":1}"#, 67),
        (#""key":{"$**":1,"a":1},"wildcardProjection":{"b":0}"#, 7_246_209),
        (#""key":{"$**":1,"a.b":1},"wildcardProjection":{"a":0}"#, 0),
        (#""key":{"$**":1,"a":1},"wildcardProjection":{"a.b":0}"#, 7_246_209),
        (#""key":{"$**":1,"a":1},"wildcardProjection":{"a.b":1}"#, 7_246_209),
        (#""key":{"$**":1,"a":1},"wildcardProjection":{"b":1}"#, 0),
        (#""key":{"a":1},"weights":{"a":1}"#, 67), (#""key":{"a":"text"},"weights":{"a":0}"#, 67),
        (#""key":{"a":"text"},"weights":{"a":"x"}"#, 67), (#""key":{"a":"text"},"weights":[1]"#, 67),
        (#""key":{"a":"text"},"weights":5"#, 14), (#""key":{"a":"text"},"default_language":"klingon""#, 67),
        (#""key":{"a":"text"},"default_language":5"#, 14), (#""key":{"a":"text"},"language_override":"""#, 67),
        (#""key":{"a":"text"},"textIndexVersion":4"#, 67), (#""key":{"a":"text"},"textIndexVersion":true"#, 14),
        (#""key":{"a":"2dsphere"},"2dsphereIndexVersion":0"#, 67), (#""key":{"a":"2d"},"bits":0"#, 72),
        (#""key":{"a":"2d"},"bits":33"#, 72), (#""key":{"a":"2d"},"bits":"x""#, 14),
        (#""key":{"a":"2d"},"min":10,"max":10"#, 72), (#""key":{"a":"2d"},"min":"x""#, 14),
        (#""key":{"a":1},"storageEngine":{"x":{}}"#, 72),
    ]

    @Test("keys and options that are refused, or not", arguments: refusedKeys + refusedOptions)
    func refused(fields: String, code: Int32) throws {
        let target = try Self.target()
        let specification = json("{\"name\":\"x\",\(fields)}")
        #expect(errorCode { _ = try IndexSpecification(specification, for: target) } ?? 0 == code)
    }

    @Test(
        "names that are refused, or not",
        arguments: [
            (#""x""#, 0), (#""""#, 67), (#""*""#, 2), (#""a*""#, 0), (#""a\u0000b""#, 67), ("3", 14),
            (#""_id_""#, 2), (#""$x.y z""#, 0), ("\"\(String(repeating: "a", count: 2_000))\"", 0),
            ("\"\(String(repeating: "a", count: 2_001))\"", 67),
        ] as [(String, Int32)])
    func names(name: String, code: Int32) throws {
        let target = try Self.target()
        let specification = json("{\"key\":{\"a\":1},\"name\":\(name)}")
        #expect(errorCode { _ = try IndexSpecification(specification, for: target) } ?? 0 == code)
    }

    @Test("a key and a name there must be, of 32 fields at most")
    func required() throws {
        let target = try Self.target()
        #expect(errorCode { _ = try IndexSpecification(json("{}"), for: target) } == 9)
        #expect(errorCode { _ = try IndexSpecification(json(#"{"key":{"a":1}}"#), for: target) } == 9)
        #expect(errorCode { _ = try IndexSpecification(json(#"{"name":"a"}"#), for: target) } == 9)
        for (count, code) in [(32, nil), (33, 13103)] as [(Int, Int32?)] {
            let fields = (0..<count).map { "\"f\($0)\":1" }.joined(separator: ",")
            let specification = json("{\"key\":{\(fields)},\"name\":\"x\"}")
            #expect(errorCode { _ = try IndexSpecification(specification, for: target) } == code)
        }
    }

    @Test("what nobody knows can be left out instead")
    func unknownOptions() throws {
        let target = IndexTarget(ignoresUnknownOptions: true)
        let made = try IndexSpecification(json(#"{"key":{"a":1},"name":"a","what":{"x":1}}"#), for: target)
        #expect(made.document.text == json(#"{"v":2,"key":{"a":1},"name":"a"}"#).text)
    }

    /// filter, code
    static let filters: [(String, Int32)] = [
        (#"{}"#, 0), (#"{"a":5}"#, 0), (#"{"a":{"$eq":null}}"#, 0), (#"{"a":{"$exists":true}}"#, 0),
        (#"{"a":{"$exists":1}}"#, 0), (#"{"a":{"$exists":false}}"#, 67), (#"{"a":{"$gt":5,"$lt":9}}"#, 0),
        (#"{"a":{"$type":["string","int"]}}"#, 0), (#"{"a":{"$in":[1,2]}}"#, 0), (#"{"a":{"$all":[1,2]}}"#, 0),
        (#"{"$and":[{"$or":[{"a":{"$gt":0}},{"b":1}]},{"c":{"$lt":10}}]}"#, 0),
        (#"{"loc":{"$geoWithin":{"$center":[[0,0],5]}}}"#, 0), (#"{"a":{"$ne":5}}"#, 67),
        (#"{"a":{"$nin":[1]}}"#, 67), (#"{"a":{"$not":{"$gt":5}}}"#, 67), (#"{"$nor":[{"a":1}]}"#, 67),
        (#"{"a":{"$regex":"^t"}}"#, 67), (#"{"a":{"$regularExpression":{"pattern":"t","options":""}}}"#, 67),
        (#"{"$expr":{"$gt":["$a",5]}}"#, 224), (#"{"$where":"x"}"#, 2), (#"{"$text":{"$search":"x"}}"#, 2),
        (#"{"a":{"$elemMatch":{"x":1}}}"#, 67), (#"{"a":{"$size":3}}"#, 67), (#"{"a":{"$mod":[2,0]}}"#, 67),
        (#"{"$and":[]}"#, 2), (#"{"$or":[]}"#, 2), (#"{"$or":[{"a":1},{"b":{"$ne":1}}]}"#, 67),
        (#"{"a":{"$what":1}}"#, 2),
    ]

    @Test("which filters an index may have", arguments: filters)
    func filter(filter: String, code: Int32) throws {
        let target = try Self.target()
        let specification = json("{\"key\":{\"k\":1},\"name\":\"x\",\"partialFilterExpression\":\(filter)}")
        #expect(errorCode { _ = try IndexSpecification(specification, for: target) } ?? 0 == code)
    }

    @Test("a filter and sparse exclude each other")
    func partialAndSparse() throws {
        let target = try Self.target()
        let specification = json(#"{"key":{"k":1},"name":"x","sparse":true,"partialFilterExpression":{"a":1}}"#)
        #expect(errorCode { _ = try IndexSpecification(specification, for: target) } == 67)
    }

    @Test("an index has the collation of its collection, unless it says another")
    func inheritedCollation() throws {
        let target = try Self.target(collation: "fr")
        let inherited = try IndexSpecification(json(#"{"key":{"a":1},"name":"a"}"#), for: target)
        #expect(inherited.definition.collator?.collation.locale == "fr")
        #expect(inherited.document.withRaw { $0["collation"]?.document?["locale"]?.string } == "fr")
        let simple = json(#"{"key":{"a":1},"name":"b","collation":{"locale":"simple"}}"#)
        #expect(try IndexSpecification(simple, for: target).definition.collator == nil)
        let text = json(#"{"key":{"a":"text"},"name":"a"}"#)
        #expect(errorCode { _ = try IndexSpecification(text, for: target) } == 67)
        #expect(try IndexSpecification(json(#"{"key":{"_id":1},"name":"a"}"#), for: target).isIDIndex)
    }

    /// the fields beside `name`, code
    static let ofTimeseries: [(String, Int32)] = [
        (#""key":{"v":"text"}"#, 72), (#""key":{"v":1},"unique":true"#, 72), (#""key":{"v":1},"sparse":true"#, 72),
        (#""key":{"v":"hashed"}"#, 67), (#""key":{"v":"2d"}"#, 67), (#""key":{"$**":1}"#, 7_246_201),
        (#""key":{"t":1},"expireAfterSeconds":1"#, 72), (#""key":{"v":"2dsphere"}"#, 0),
        (#""key":{"v":1},"partialFilterExpression":{"v":{"$gt":5}}"#, 0), (#""key":{"m":1,"v":-1}"#, 0),
        (#""key":{"m":1},"sparse":true"#, 0), (#""key":{"m":"2d"}"#, 0), (#""key":{"m.$**":1}"#, 0),
        (#""key":{"mm":1},"sparse":true"#, 72),
        (#""key":{"t":1},"expireAfterSeconds":1,"partialFilterExpression":{"m.a":true}"#, 0),
        (#""key":{"t":1},"expireAfterSeconds":1,"partialFilterExpression":{"v":{"$gt":0}}"#, 72),
        (#""key":{"m.n":1},"partialFilterExpression":{"m.a":1},"collation":{"locale":"en"}"#, 85),
    ]

    @Test("what a time series allows", arguments: ofTimeseries)
    func timeseries(fields: String, code: Int32) throws {
        let target = try Self.target(.timeseries(time: "t", meta: "m"))
        let specification = json("{\"name\":\"x\",\(fields)}")
        #expect(errorCode { _ = try IndexSpecification(specification, for: target) } ?? 0 == code)
    }
}
