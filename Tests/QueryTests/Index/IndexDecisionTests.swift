import BSON
import CommandModel
import Testing

@testable import Query

@Suite("Indexes that are there already")
struct IndexDecisionTests {
    private static func made(_ fields: String) throws -> IndexSpecification {
        try IndexSpecification(json("{\(fields)}"), for: IndexTarget())
    }

    /// existing, wanted, code: -1 for "is there", 0 for "another index"
    static let cases: [(String, String, Int32)] = [
        (#""key":{"a":1},"name":"x""#, #""key":{"a":1},"name":"x""#, -1),
        (#""key":{"a":1},"name":"x""#, #""key":{"a":1.0},"name":"x""#, -1),
        (#""key":{"a":1},"name":"x""#, #""key":{"a":1},"name":"y""#, 85),
        (#""key":{"a":1},"name":"x""#, #""key":{"b":1},"name":"x""#, 86),
        (#""key":{"a":1},"name":"x""#, #""key":{"a":-1},"name":"x""#, 86),
        (#""key":{"a":1},"name":"x""#, #""key":{"a":-1},"name":"y""#, 0),
        (#""key":{"a":1,"b":1},"name":"x""#, #""key":{"b":1,"a":1},"name":"y""#, 0),
        (#""key":{"a":1},"name":"x""#, #""key":{"a":1},"name":"x","unique":true"#, 86),
        (#""key":{"a":1},"name":"x""#, #""key":{"a":1},"name":"y","unique":true"#, 0),
        (#""key":{"a":1},"name":"x""#, #""key":{"a":1},"name":"x","sparse":true"#, 86),
        (#""key":{"a":1},"name":"x","sparse":false"#, #""key":{"a":1},"name":"x""#, -1),
        (#""key":{"a":1},"name":"x""#, #""key":{"a":1},"name":"y","sparse":true"#, 0),
        (#""key":{"a":1},"name":"x""#, #""key":{"a":1},"name":"x","hidden":true"#, 85),
        (#""key":{"a":1},"name":"x","hidden":true"#, #""key":{"a":1},"name":"x""#, 85),
        (#""key":{"a":1},"name":"x""#, #""key":{"a":1},"name":"x","background":true"#, -1),
        (#""key":{"a":1},"name":"x""#, #""key":{"a":1},"name":"y","expireAfterSeconds":5"#, 85),
        (
            #""key":{"a":1},"name":"x","expireAfterSeconds":6"#, #""key":{"a":1},"name":"x","expireAfterSeconds":5"#,
            85
        ),
        (
            #""key":{"a":1},"name":"x","collation":{"locale":"en"}"#,
            #""key":{"a":1},"name":"y","collation":{"locale":"fr"}"#, 0
        ),
        (
            #""key":{"a":1},"name":"x","collation":{"locale":"en","strength":2}"#,
            #""key":{"a":1},"name":"x","collation":{"locale":"en","strength":1}"#, 86
        ),
        (
            #""key":{"a":1},"name":"x","collation":{"locale":"en"}"#,
            #""key":{"a":1},"name":"x","collation":{"strength":3,"locale":"en"}"#, -1
        ),
        (
            #""key":{"a":1},"name":"x","partialFilterExpression":{"a":{"$gt":5}}"#,
            #""key":{"a":1},"name":"y","partialFilterExpression":{"a":{"$gt":6}}"#, 0
        ),
        (
            #""key":{"a":1},"name":"x","partialFilterExpression":{"$and":[{"a":1},{"b":2}]}"#,
            #""key":{"a":1},"name":"x","partialFilterExpression":{"b":{"$eq":2},"a":1}"#, -1
        ),
        (
            #""key":{"a":1},"name":"x","partialFilterExpression":{"$or":[{"a":1},{"b":2}]}"#,
            #""key":{"a":1},"name":"x","partialFilterExpression":{"$and":[{"a":1},{"b":2}]}"#, 86
        ),
        (#""key":{"a":"text"},"name":"x""#, #""key":{"a":"text"},"name":"x""#, -1),
        (#""key":{"a":"text"},"name":"x""#, #""key":{"b":"text"},"name":"x""#, 85),
        (#""key":{"a":"text"},"name":"x""#, #""key":{"b":"text"},"name":"y""#, 85),
        (#""key":{"a":"text"},"name":"x""#, #""key":{"p":1,"b":"text"},"name":"y""#, 67),
        (#""key":{"a":"2dsphere"},"name":"x""#, #""key":{"a":"2d"},"name":"x""#, 86),
        (
            #""key":{"$**":1},"name":"x","wildcardProjection":{"a":1}"#,
            #""key":{"$**":1},"name":"x","wildcardProjection":{"b":1}"#, 86
        ),
        (
            #""key":{"$**":1},"name":"x","wildcardProjection":{"a":1}"#,
            #""key":{"$**":1},"name":"y","wildcardProjection":{"b":1}"#, 0
        ),
        (#""key":{"a":1},"name":"x""#, #""key":{"_id":1},"name":"x""#, -1),
    ]

    @Test("what becomes of a specification beside an existing index", arguments: cases)
    func decide(existing: String, wanted: String, code: Int32) throws {
        let existing = try Self.made(existing)
        let wanted = try Self.made(wanted)
        var decision: IndexSpecification.Decision?
        let thrown = errorCode { decision = try wanted.decide(existing: [existing.document]) }
        #expect(thrown ?? (decision == .exists ? -1 : 0) == code)
    }

    @Test("several together are compared with each other, and are not too many")
    func several() throws {
        let id = json(#"{"v":2,"key":{"_id":1},"name":"_id_"}"#)
        let all = try (0..<64).map { try Self.made("\"key\":{\"f\($0)\":1},\"name\":\"f\($0)\"") }
        #expect(try IndexSpecification.missing(Array(all[..<63]), existing: [id]).count == 63)
        #expect(errorCode { _ = try IndexSpecification.missing(all, existing: [id]) } == 67)
        #expect(try IndexSpecification.missing([all[0], all[0]], existing: [id]).map(\.name) == ["f0"])
        let renamed = try Self.made(#""key":{"f0":1},"name":"g""#)
        #expect(errorCode { _ = try IndexSpecification.missing([all[0], renamed], existing: [id]) } == 85)
        let taken = try Self.made(#""key":{"g":1},"name":"f0""#)
        #expect(errorCode { _ = try IndexSpecification.missing([all[0], taken], existing: [id]) } == 86)
        #expect(try IndexSpecification.missing([all[0]], existing: [id, all[0].document]).isEmpty)
    }
}
