import BSON
import NIOCore
import Query
import SQL
import Testing

@testable import Storage

/// What becomes SQL of a query: the texts written out in full.
@Suite struct ScanPlanTests {
    private static let collection = Storage.Collection(
        namespace: namespace(), number: 7, uuid: [], options: .empty)

    private func plan(_ filter: String, sort: String? = nil) throws -> ScanPlan {
        var query = FindQuery(filter: try Filter(compiling: json(filter)))
        query.sort = try sort.map { try SortPattern(compiling: json($0)) }
        return query.scanPlan(Self.collection)
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let filter: String
        var sort: String?
        let sql: String
        var parameters: [String] = []
        var testDescription: String { "\(filter) \(sort ?? "")" }
    }

    static let cases = [
        Case(filter: "{}", sql: "SELECT rid, doc FROM martlet.documents_7 ORDER BY rid"),
        Case(filter: #"{"a": 1}"#, sql: "SELECT rid, doc FROM martlet.documents_7 ORDER BY rid"),
        Case(
            filter: "{}", sort: #"{"$natural": -1}"#,
            sql: "SELECT rid, doc FROM martlet.documents_7 ORDER BY rid DESC"),
        Case(filter: "{}", sort: #"{"_id": 1}"#, sql: "SELECT id, doc FROM martlet.documents_7 ORDER BY id"),
        Case(filter: "{}", sort: #"{"_id": -1}"#, sql: "SELECT id, doc FROM martlet.documents_7 ORDER BY id DESC"),
        Case(filter: "{}", sort: #"{"a": 1}"#, sql: "SELECT rid, doc FROM martlet.documents_7"),
        Case(
            filter: #"{"_id": 5}"#, sql: "SELECT rid, doc FROM martlet.documents_7 WHERE id = ANY($1) ORDER BY rid",
            parameters: ["[5]"]),
        Case(
            filter: #"{"_id": {"$in": [5, "a"]}, "b": 1}"#, sort: #"{"_id": 1}"#,
            sql: "SELECT id, doc FROM martlet.documents_7 WHERE id = ANY($1) ORDER BY id", parameters: [#"[5,"a"]"#]),
        Case(
            filter: #"{"_id": {"$gte": 5, "$lt": 9}}"#,
            sql: "SELECT rid, doc FROM martlet.documents_7 WHERE id >= $1 AND id < $2 ORDER BY rid",
            parameters: ["5", "9"]),
        Case(
            filter: #"{"_id": {"$gt": "a", "$lte": "b"}}"#, sort: #"{"_id": -1}"#,
            sql: "SELECT id, doc FROM martlet.documents_7 WHERE id > $1 AND id <= $2 ORDER BY id DESC",
            parameters: [#""a""#, #""b""#]),
        Case(
            filter: #"{"_id": {"$gt": 5}}"#,
            sql: "SELECT rid, doc FROM martlet.documents_7 WHERE id > $1 AND id < $2 ORDER BY rid",
            parameters: ["5", "end of numbers"]),
        Case(
            filter: #"{"_id": {"$lt": "a"}}"#,
            sql: "SELECT rid, doc FROM martlet.documents_7 WHERE id >= $1 AND id < $2 ORDER BY rid",
            parameters: ["start of strings", #""a""#]),
    ]

    @Test("the statement of a query", arguments: cases)
    func statement(_ expected: Case) throws {
        let statement = try plan(expected.filter, sort: expected.sort).statement
        #expect(statement.plainText == expected.sql)
        #expect(statement.parameters.map(\.bytes) == expected.parameters.map(Self.parameter))
    }

    @Test("a position, a limit and the parameters after one another")
    func position() throws {
        var plan = try plan(#"{"_id": {"$in": [1, 2]}}"#)
        (plan.after, plan.rowLimit) = (.rid(44), 10)
        #expect(
            plan.statement.plainText
                == "SELECT rid, doc FROM martlet.documents_7 WHERE id = ANY($1) AND rid > $2 ORDER BY rid LIMIT $3")
        #expect(plan.statement.parameters.dropFirst().map(\.bytes) == [Parameter.int8(44), .int8(10)].map(\.bytes))
        plan.order = .insertion(descending: true)
        #expect(plan.statement.plainText.contains("rid < $2 ORDER BY rid DESC"))
    }

    @Test("a position in the order of _id is a key, and follows the direction")
    func keyPosition() throws {
        var plan = try plan("{}", sort: #"{"_id": 1}"#)
        plan.after = .key(key("5"))
        #expect(plan.statement.plainText == "SELECT id, doc FROM martlet.documents_7 WHERE id > $1 ORDER BY id")
        plan.order = .id(descending: true)
        #expect(plan.statement.plainText == "SELECT id, doc FROM martlet.documents_7 WHERE id < $1 ORDER BY id DESC")
        #expect(plan.statement.parameters.map(\.bytes) == [Parameter.bytea(key("5")).bytes])
    }

    @Test("writes read the version too; counting has neither order nor limit")
    func otherColumns() throws {
        var plan = try plan(#"{"_id": {"$gte": 5, "$lt": 9}}"#)
        plan.rowLimit = 3
        #expect(
            plan.writeStatement.text
                == """
                SELECT rid, id, xmin, doc FROM martlet.documents_7 \
                WHERE id >= $1 AND id < $2 ORDER BY rid LIMIT $3
                """)
        #expect(
            plan.countStatement().text == "SELECT count(*) FROM martlet.documents_7 WHERE id >= $1 AND id < $2")
    }

    @Test("a bound that is cut is left to the filter, a cut point is not")
    func cutBounds() throws {
        let long = String(repeating: "x", count: 3_000)
        let range = try plan(#"{"_id": {"$gt": "\#(long)"}}"#).statement
        #expect(range.parameters.map(\.bytes) == ["start of strings", "end of strings"].map(Self.parameter))
        let point = try plan(#"{"_id": "\#(long)"}"#).statement
        #expect(point.plainText == "SELECT rid, doc FROM martlet.documents_7 WHERE id = ANY($1) ORDER BY rid")
        #expect(point.parameters.map(\.bytes) == [Parameter.byteaArray([key("\"\(long)\"")]).bytes])
    }

    /// A key written as an extended JSON value, an array of keys, or the border of a type.
    private static func parameter(_ text: String) -> ByteBuffer {
        let numbers = KeyEncoder.bracket(of: .int32)
        let strings = KeyEncoder.bracket(of: .string)
        switch text {
        case "end of numbers": return ByteBuffer(bytes: [numbers.end])
        case "start of strings": return ByteBuffer(bytes: [strings.first])
        case "end of strings": return ByteBuffer(bytes: [strings.end])
        case _ where text.hasPrefix("["):
            let keys = json("{\"_id\": \(text)}").withRaw { raw in
                raw["_id"]?.container?.map { DocumentKey.encode($0.value) } ?? []
            }
            return Parameter.byteaArray(keys).bytes
        default: return key(text)
        }
    }
}

extension Parameter {
    fileprivate var bytes: ByteBuffer {
        var buffer = ByteBuffer()
        write(to: &buffer)
        return buffer
    }
}

extension Statement {
    /// The text without what keeps large documents away.
    fileprivate var plainText: String {
        text.replacing("CASE WHEN octet_length(doc) <= 65536 THEN doc END", with: "doc")
    }
}
