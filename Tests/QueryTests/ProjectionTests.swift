import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Projection")
struct ProjectionTests {
    private func project(_ projection: String, _ document: String, filter: String = "{}") throws -> Document {
        let projection = try Projection(compiling: json(projection), filter: Filter(compiling: json(filter)))
        var builder = DocumentBuilder()
        try json(document).withRaw { try projection.write($0, into: &builder) }
        return builder.finish()
    }

    /// projection, document, result
    static let cases: [(String, String, String)] = [
        ("{}", #"{"_id":1,"a":1}"#, #"{"_id":1,"a":1}"#),
        (#"{"a":1}"#, #"{"_id":1,"b":1,"a":2}"#, #"{"_id":1,"a":2}"#),
        (#"{"a":1,"_id":0}"#, #"{"_id":1,"b":1,"a":2}"#, #"{"a":2}"#),
        (#"{"_id":1}"#, #"{"_id":1,"b":1}"#, #"{"_id":1}"#),
        (#"{"_id":0}"#, #"{"_id":1,"b":1}"#, #"{"b":1}"#),
        (#"{"a":0}"#, #"{"_id":1,"b":1,"a":2}"#, #"{"_id":1,"b":1}"#),
        (#"{"a.b":1}"#, #"{"_id":1,"a":{"b":1,"c":2},"d":1}"#, #"{"_id":1,"a":{"b":1}}"#),
        (#"{"a":{"b":1}}"#, #"{"_id":1,"a":[{"b":1,"c":2},3,[{"b":4}]]}"#, #"{"_id":1,"a":[{"b":1},[{"b":4}]]}"#),
        (#"{"a.b":1}"#, #"{"_id":1,"a":5}"#, #"{"_id":1}"#),
        (#"{"a.b":0}"#, #"{"_id":1,"a":[{"b":1,"c":2},3]}"#, #"{"_id":1,"a":[{"c":2},3]}"#),
        (#"{"a":{"$slice":2}}"#, #"{"_id":1,"a":[1,2,3],"b":1}"#, #"{"_id":1,"a":[1,2],"b":1}"#),
        (#"{"a":{"$slice":-2}}"#, #"{"_id":1,"a":[1,2,3]}"#, #"{"_id":1,"a":[2,3]}"#),
        (#"{"a":{"$slice":[1,1]},"b":1}"#, #"{"_id":1,"a":[1,2,3],"b":1,"c":1}"#, #"{"_id":1,"a":[2],"b":1}"#),
        (#"{"a":{"$slice":[-9,2]}}"#, #"{"_id":1,"a":[1,2,3]}"#, #"{"_id":1,"a":[1,2]}"#),
        (
            #"{"a":{"$elemMatch":{"x":2}},"b":1}"#, #"{"_id":1,"a":[{"x":1},{"x":2}],"b":1}"#,
            #"{"_id":1,"b":1,"a":[{"x":2}]}"#
        ),
        (#"{"a":{"$elemMatch":{"$gt":5}}}"#, #"{"_id":1,"a":[1]}"#, #"{"_id":1}"#),
        (#"{"a":"$b"}"#, #"{"_id":1,"a":5,"b":2}"#, #"{"_id":1,"a":2}"#),
        (#"{"x":{"$add":["$a",1]},"b":1}"#, #"{"_id":1,"a":5,"b":2}"#, #"{"_id":1,"b":2,"x":6}"#),
        (#"{"a.x":"$b"}"#, #"{"_id":1,"a":5,"b":2}"#, #"{"_id":1,"a":{"x":2}}"#),
        (#"{"a.x":"$b"}"#, #"{"_id":1,"a":[{"y":1},3],"b":2}"#, #"{"_id":1,"a":[{"x":2},{"x":2}]}"#),
        (#"{"a.x":"$b","c":"$$REMOVE"}"#, #"{"_id":1,"b":2,"c":3}"#, #"{"_id":1,"a":{"x":2}}"#),
    ]

    @Test(
        "$addFields sets fields where they stood, and adds others at the end",
        arguments: [
            (#"{"a":7}"#, #"{"_id":1,"a":1,"b":2}"#, #"{"_id":1,"a":7,"b":2}"#),
            (#"{"c":"$a","a":"$b"}"#, #"{"_id":1,"a":1,"b":2}"#, #"{"_id":1,"a":2,"b":2,"c":1}"#),
            (#"{"a.x":1}"#, #"{"_id":1,"a":[{"y":2},3,[4]]}"#, #"{"_id":1,"a":[{"y":2,"x":1},{"x":1},[{"x":1}]]}"#),
            (#"{"a":{"x":{"y":1}}}"#, #"{"_id":1,"a":{"x":5,"z":1}}"#, #"{"_id":1,"a":{"x":{"y":1},"z":1}}"#),
            (#"{"a":"$$REMOVE","_id":9}"#, #"{"_id":1,"a":1}"#, #"{"_id":9}"#),
            (#"{"a":{}}"#, #"{"a":1}"#, #"{"a":{}}"#),
        ])
    func addFields(specification: String, document: String, expected: String) throws {
        let projection = try json(specification).withRaw { raw throws(CommandError) in
            try Projection(addingFields: raw, environment: .none)
        }
        var builder = DocumentBuilder()
        try json(document).withRaw { try projection.write($0, into: &builder) }
        #expect(builder.finish() == json(expected))
    }

    @Test("a projection shows what MongoDB's does", arguments: cases)
    func showing(projection: String, document: String, expected: String) throws {
        #expect(try project(projection, document).extendedJSON() == json(expected).extendedJSON(), "\(projection)")
    }

    @Test(
        "a malformed projection is refused with MongoDB's code",
        arguments: [
            (#"{"a":1,"b":0}"#, Int32(31254)), (#"{"a":0,"b":1}"#, 31253), (#"{"a":1,"a.b":1}"#, 31249),
            (#"{"a":{"$slice":[1,0]}}"#, 28724), (#"{"a.b":{"$elemMatch":{"x":1}}}"#, 31275),
            (#"{"a":{"$elemMatch":1}}"#, 31274),
            (#"{"a.$.b":1}"#, 31394), (#"{"a.$":1,"b.$":1}"#, 31276), (#"{"":1}"#, 40352), (#"{"a.":1}"#, 40353),
            (#"{"a..b":1}"#, 15998), (#"{"$a":1}"#, 16410), (#"{"a":0,"b":"$b"}"#, 31310),
            (#"{"a":{"$meta":"textScore"}}"#, 40218), (#"{"a":{"$meta":"x"}}"#, 17308), (#"{"a":{"$meta":1}}"#, 17307),
            (#"{"a":1,"a":{"$meta":"recordId"}}"#, 31250), (#"{"a.$":1,"a":{"$slice":1}}"#, 28667),
            (#"{"a":{"$elemMatch":{"$jsonSchema":{}}}}"#, 224),
        ])
    func refusal(projection: String, code: Int32) {
        #expect(errorCode { _ = try Projection(compiling: json(projection)) } == code, "\(projection)")
    }

    @Test("the positional operator shows the element that matched")
    func positional() throws {
        #expect(
            try project(#"{"a.$":1}"#, #"{"_id":1,"a":[1,2,3]}"#, filter: #"{"a":{"$gt":1}}"#)
                == json(#"{"_id":1,"a":[2]}"#))
        #expect(errorCode { _ = try project(#"{"a.$":1}"#, #"{"_id":1,"a":[1]}"#, filter: #"{"_id":1}"#) } == 51246)
        let expression = try Filter(compiling: json(#"{"a":1,"$expr":"$a"}"#), environment: .anyTime)
        #expect(errorCode { _ = try Projection(compiling: json(#"{"a.$":1}"#), filter: expression) } == 224)
        let stage = json(#"{"a.$":1}"#)
        #expect(errorCode { _ = try stage.withRaw { try Projection(compiling: $0, dialect: .stage) } } == 31324)
    }

    @Test(
        "$meta shows what the query knows of a document, after its fields",
        arguments: [
            (#"{"r":{"$meta":"recordId"}}"#, #"{"_id":1,"a":[3,4],"r":{"$numberLong":"7"}}"#),
            (#"{"a":{"$meta":"recordId"},"_id":1}"#, #"{"_id":1,"a":{"$numberLong":"7"}}"#),
            (#"{"r":{"$meta":"sortKey"},"_id":1}"#, #"{"_id":1,"r":[4,1]}"#),
            (#"{"r":{"$meta":"indexKey"},"_id":0}"#, #"{"a":[3,4],"r":{"_id":1}}"#),
        ])
    func facts(projection: String, expected: String) throws {
        let projection = try Projection(compiling: json(projection))
        let sort = try SortPattern(compiling: json(#"{"a":-1,"_id":1}"#))
        var builder = DocumentBuilder()
        try json(#"{"_id":1,"a":[3,4]}"#).withRaw {
            let facts = RowFacts(recordID: 7, sort: sort, indexKey: json(#"{"_id":1}"#))
            try projection.write($0, into: &builder, facts: facts)
        }
        #expect(builder.finish() == json(expected))
    }

    @Test("only the empty projection is the identity")
    func identity() throws {
        #expect(try Projection(compiling: .empty).isIdentity)
        #expect(try !Projection(compiling: json(#"{"_id":0}"#)).isIdentity)
        #expect(try !Projection(compiling: json(#"{"_id":1}"#)).isIdentity)
    }
}
