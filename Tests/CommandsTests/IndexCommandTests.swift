import BSON
import CommandModel
import Query
import Testing

@testable import Commands
@testable import Storage

@Suite("Commands about indexes")
struct IndexCommandTests {
    @Test(
        "arguments that are refused before anything is looked up",
        arguments: [
            (#"{"createIndexes":"c"}"#, 40414), (#"{"createIndexes":"c","indexes":[]}"#, 2),
            (#"{"createIndexes":"c","indexes":{}}"#, 14), (#"{"createIndexes":"c","indexes":[5]}"#, 14),
            (#"{"createIndexes":"system.x","indexes":[{}]}"#, 73), (#"{"createIndexes":"","indexes":[{}]}"#, 73),
            (#"{"createIndexes":"system.views","indexes":[{}]}"#, 67),
            (#"{"createIndexes":"c","indexes":[{}],"commitQuorum":true}"#, 14),
            (#"{"createIndexes":"c","indexes":[{}],"commitQuorum":3}"#, 100),
            (#"{"createIndexes":"c","indexes":[{}],"x":1}"#, 40415),
            (#"{"dropIndexes":"c"}"#, 40414), (#"{"dropIndexes":"c","index":null}"#, 14),
            (#"{"dropIndexes":"c","index":5}"#, 14), (#"{"dropIndexes":"c","index":["a",1]}"#, 14),
            (#"{"dropIndexes":"c","index":"*","x":1}"#, 40415), (#"{"deleteIndexes":"c"}"#, 40414),
            (#"{"listIndexes":"c","includeBuildUUIDs":true,"includeIndexBuildInfo":true}"#, 72),
            (#"{"listIndexes":"c","cursor":{"x":1}}"#, 40415), (#"{"listIndexes":"c","filter":{}}"#, 40415),
            (#"{"reIndex":"c","x":1}"#, 40415), (#"{"planCacheClear":5}"#, 73),
            (#"{"planCacheSetFilter":null}"#, 73), (#"{"planCacheListFilters":""}"#, 73),
            (#"{"setQuerySettings":5,"settings":{"reject":true}}"#, 14), (#"{"setQuerySettings":""}"#, 16),
            (#"{"setQuerySettings":{"find":"c","$db":"d"}}"#, 40414),
            (#"{"setQuerySettings":{"find":"c"},"settings":{"reject":true}}"#, 40414),
            (#"{"setQuerySettings":{"find":"c","$db":""},"settings":{"reject":true}}"#, 73),
            (#"{"setQuerySettings":{"find":"c","$db":"d","x":1},"settings":{"reject":true}}"#, 40415),
            (#"{"setQuerySettings":{"find":"c","$db":"d","filter":{"$x":1}},"settings":{"reject":true}}"#, 2),
            (#"{"setQuerySettings":{"find":"c","$db":"local"},"settings":{"reject":true}}"#, 8_584_900),
            (#"{"setQuerySettings":{"find":"system.x","$db":"d"},"settings":{"reject":true}}"#, 8_584_901),
            (#"{"setQuerySettings":{"find":"c","$db":"d","filter":{"_id":1}},"settings":{"reject":true}}"#, 7_746_606),
            (#"{"setQuerySettings":{"count":"c","$db":"d"},"settings":{"reject":true}}"#, 7_746_402),
            (#"{"setQuerySettings":{"find":"c","$db":"d"},"settings":{"reject":true},"x":1}"#, 40415),
            (#"{"removeQuerySettings":{}}"#, 7_746_402), (#"{"removeQuerySettings":"xy"}"#, 2),
            (#"{"removeQuerySettings":{"find":"c","$db":"d"},"settings":{}}"#, 40415),
            (#"{"explain":null}"#, 40414), (#"{"explain":5}"#, 14),
            (#"{"collMod":"c","index":{}}"#, 72), (#"{"collMod":"c","index":5}"#, 14),
            (#"{"collMod":"c","index":{"name":"a"}}"#, 72),
            (#"{"collMod":"c","index":{"name":"a","keyPattern":{"a":1},"hidden":true}}"#, 72),
            (#"{"collMod":"c","index":{"name":"a","expireAfterSeconds":-1}}"#, 72),
            (#"{"collMod":"c","index":{"name":"a","expireAfterSeconds":true}}"#, 14),
            (#"{"collMod":"c","index":{"name":"a","unique":0}}"#, 2),
            (#"{"collMod":"c","index":{"name":"a","x":0}}"#, 40415),
        ] as [(String, Int32)])
    func refused(command: String, code: Int32) async throws {
        let failure = try await TestServer().failure(command)
        #expect(failure?.code.number == code)
    }
}

@Suite("collMod's changes of an index")
struct CollModIndexTests {
    private static func document(_ json: String) throws -> Document { try Document(extendedJSON: json) }

    private static func collection(_ specifications: [String]) throws -> Collection {
        let indexes = try specifications.enumerated().map { place, fields in
            let specification = try IndexSpecification(document("{\(fields)}"), for: IndexTarget())
            return SecondaryIndex(number: Int64(place + 10), definition: specification.definition)
        }
        return Collection(
            namespace: TestEngine.namespace, number: 1, uuid: [], options: .empty, indexes: .success(indexes))
    }

    private static func index(_ json: String) throws -> CollModIndex {
        try document("{\"index\":\(json)}").withRaw { raw in
            let element = try #require(raw.firstElement)
            return try CollModIndex(Argument(command: "collMod", key: element.key, value: element.value))
        }
    }

    private static let present = [
        #""key":{"a":1},"name":"a""#, #""key":{"d":1},"name":"ttl","expireAfterSeconds":100"#,
        #""key":{"p":1},"name":"p","prepareUnique":true"#, #""key":{"u":1},"name":"u","unique":true"#,
        #""key":{"h":1},"name":"h","hidden":true"#, #""key":{"a":1,"b":1},"name":"ab""#,
        #""key":{"t":"text"},"name":"t""#, #""key":{"$**":1},"name":"w""#, #""key":{"a":1},"name":"s","sparse":true"#,
    ]

    /// index of collMod, reply, the specification afterwards or "" for no change
    static let changes: [(String, String, String)] = [
        (
            #"{"name":"a","hidden":1}"#, #"{"hidden_old":false,"hidden_new":true}"#,
            #"{"v":2,"key":{"a":1},"name":"a","hidden":true}"#
        ),
        (#"{"name":"a","hidden":0}"#, "{}", ""),
        (
            #"{"keyPattern":{"h":1},"hidden":false}"#, #"{"hidden_old":true,"hidden_new":false}"#,
            #"{"v":2,"key":{"h":1},"name":"h"}"#
        ),
        (
            #"{"name":"ttl","expireAfterSeconds":200.9,"hidden":true}"#,
            #"{"expireAfterSeconds_old":100,"expireAfterSeconds_new":200,"hidden_old":false,"hidden_new":true}"#,
            #"{"v":2,"key":{"d":1},"name":"ttl","expireAfterSeconds":200,"hidden":true}"#
        ),
        (
            #"{"name":"ttl","expireAfterSeconds":{"$numberDouble":"Infinity"}}"#,
            #"{"expireAfterSeconds_old":100,"expireAfterSeconds_new":2147483647}"#,
            #"{"v":2,"key":{"d":1},"name":"ttl","expireAfterSeconds":2147483647}"#
        ),
        (
            #"{"name":"a","expireAfterSeconds":{"$numberDouble":"NaN"}}"#, #"{"expireAfterSeconds_new":0}"#,
            #"{"v":2,"key":{"a":1},"name":"a","expireAfterSeconds":0}"#
        ),
        (
            #"{"name":"ttl","expireAfterSeconds":100}"#,
            #"{"expireAfterSeconds_old":100,"expireAfterSeconds_new":100}"#, ""
        ),
        (
            #"{"name":"a","prepareUnique":true}"#, #"{"prepareUnique_old":false,"prepareUnique_new":true}"#,
            #"{"v":2,"key":{"a":1},"name":"a","prepareUnique":true}"#
        ),
        (#"{"name":"p","prepareUnique":2}"#, "{}", ""),
        (
            #"{"name":"p","prepareUnique":true,"hidden":true}"#, #"{"hidden_old":false,"hidden_new":true}"#,
            #"{"v":2,"key":{"p":1},"name":"p","prepareUnique":true,"hidden":true}"#
        ),
        (
            #"{"name":"p","unique":true}"#, #"{"unique_new":true}"#, #"{"v":2,"key":{"p":1},"name":"p","unique":true}"#
        ),
        (#"{"name":"u","unique":true}"#, "{}", ""),
        (#"{"name":"_id_","hidden":false}"#, "{}", ""),
    ]

    @Test("what is told, and what the index is afterwards", arguments: changes)
    func changed(change: String, reply: String, specification: String) throws {
        let modification = try Self.index(change).modification(in: Self.collection(Self.present))
        var builder = DocumentBuilder()
        modification.write(into: &builder)
        #expect(builder.finish().extendedJSON(.relaxed) == (try Self.document(reply)).extendedJSON(.relaxed))
        let afterwards: String
        switch try modification.changes() {
        case let none where none.isEmpty: afterwards = ""
        case let all:
            switch all.last {
            case .respecify(_, let document)?: afterwards = document.extendedJSON(.relaxed)
            case .create(let definition)?: afterwards = definition.specification.extendedJSON(.relaxed)
            default: afterwards = "nothing"
            }
        }
        #expect(afterwards == (specification.isEmpty ? "" : try Self.document(specification).extendedJSON(.relaxed)))
    }

    @Test(
        "what is refused",
        arguments: [
            (#"{"name":"x","hidden":true}"#, 27), (#"{"keyPattern":{},"hidden":true}"#, 27),
            (#"{"keyPattern":{"t":"text"},"hidden":true}"#, 27), (#"{"keyPattern":{"a":1},"hidden":true}"#, 181),
            (#"{"name":"_id_","hidden":true}"#, 2), (#"{"keyPattern":{"_id":1},"hidden":true}"#, 2),
            (#"{"name":"_id_","expireAfterSeconds":5}"#, 72), (#"{"name":"ab","expireAfterSeconds":5}"#, 72),
            (#"{"name":"t","expireAfterSeconds":5}"#, 72), (#"{"name":"w","expireAfterSeconds":5}"#, 72),
            (#"{"name":"a","unique":true}"#, 72), (#"{"name":"a","prepareUnique":true,"hidden":true}"#, 72),
            (#"{"name":"a","prepareUnique":true,"expireAfterSeconds":5}"#, 72),
            (#"{"name":"w","prepareUnique":true}"#, 72),
        ] as [(String, Int32)])
    func refused(change: String, code: Int32) throws {
        let index = try Self.index(change)
        let collection = try Self.collection(Self.present)
        #expect {
            _ = try index.modification(in: collection)
        } throws: { ($0 as? CommandError)?.code.number == code }
    }
}
