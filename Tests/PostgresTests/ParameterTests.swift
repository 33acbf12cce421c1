import NIOCore
import Testing

@testable import Postgres
@testable import SQL

@Suite struct ParameterTests {
    /// The text PostgreSQL makes of a parameter.
    private func text(of parameter: Parameter, as type: String, on connection: Connection) throws -> String? {
        try connection.execute(.once("SELECT ($1::\(type))::text", [parameter])).text(row: 0, column: 0)
    }

    @Test("each parameter arrives as the value it was")
    func roundTrip() throws {
        let connection = try TestServer.connect()
        let cases: [(Parameter, String, String?)] = [
            (.null(), "int8", nil), (.null(.bytea), "bytea", nil), (.bool(true), "bool", "true"),
            (.int4(-7), "int4", "-7"), (.int8(.min), "int8", "-9223372036854775808"),
            (.float8(0.1), "float8", "0.1"), (.text("naïve ' \\ \u{1F426}"), "text", "naïve ' \\ \u{1F426}"),
            (.text(""), "text", ""), (.json("{ }"), "json", "{ }"), (.jsonb("{\"a\" : 1}"), "jsonb", "{\"a\": 1}"),
            (.bytea(ByteBuffer(bytes: [0, 255, 39])), "bytea", "\\x00ff27"), (.bytea(ByteBuffer()), "bytea", "\\x"),
            (.bytes([1, 2]), "bytea", "\\x0102"), (.xid(.max), "xid", "4294967295"),
            (.boolArray([true, false]), "bool[]", "{t,f}"), (.int4Array([1, -1]), "int4[]", "{1,-1}"),
            (.int8Array([.max, .min]), "int8[]", "{9223372036854775807,-9223372036854775808}"),
            (.textArray(["a", "b,\"", "NULL"]), "text[]", "{a,\"b,\\\"\",\"NULL\"}"),
            (.byteaArray([ByteBuffer(bytes: [1]), ByteBuffer()]), "bytea[]", "{\"\\\\x01\",\"\\\\x\"}"),
            (.nullableByteaArray([nil, ByteBuffer(bytes: [2])]), "bytea[]", "{NULL,\"\\\\x02\"}"),
            (.bytesArray([[3]]), "bytea[]", "{\"\\\\x03\"}"), (.xidArray([5, .max]), "xid[]", "{5,4294967295}"),
            (.int8Array([]), "int8[]", "{}"), (.byteaArray([]), "bytea[]", "{}"),
        ]
        for (parameter, type, expected) in cases {
            #expect(try text(of: parameter, as: type, on: connection) == expected, "\(parameter)")
        }
    }

    @Test("the bytes announced are the bytes written")
    func byteCount() {
        let parameters: [Parameter] = [
            .null(), .bool(true), .int4(1), .int8(1), .float8(1), .text("é"), .json("1"), .jsonb("1"), .xid(1),
            .bytes([1, 2, 3]), .boolArray([true]), .int4Array([1, 2]), .int8Array([1]), .textArray(["é", ""]),
            .byteaArray([ByteBuffer(string: "abc")]), .nullableByteaArray([nil, ByteBuffer(string: "a")]),
            .bytesArray([[1], []]), .xidArray([1]),
        ]
        for parameter in parameters {
            var buffer = ByteBuffer()
            parameter.write(to: &buffer)
            #expect(buffer.readableBytes == parameter.byteCount, "\(parameter)")
        }
    }

    @Test("a large array of documents arrives whole and in order")
    func largeArray() throws {
        let connection = try TestServer.connect()
        let documents = (0..<20_000).map { ByteBuffer(repeating: UInt8($0 % 251), count: 100 + $0 % 1_000) }
        let result = try connection.execute(
            .once(
                "SELECT count(*), sum(length(d)), bool_and(get_byte(d, 0) = (n - 1) % 251) "
                    + "FROM unnest($1) WITH ORDINALITY AS t(d, n)", [.byteaArray(documents)]))
        #expect(result.int8(row: 0, column: 0) == 20_000)
        #expect(result.bool(row: 0, column: 2) == true)
    }

    @Test("quoted names and literals come back as they were, whatever they hold")
    func quoting() throws {
        let connection = try TestServer.connect()
        let hostile = ["plain", "a\"b", "'", "\\'", "'; DROP TABLE x; --", "\"\u{301}", "'\u{301}", "\\\u{301}", "é\n"]
        for setting in ["on", "off"] {
            _ = try connection.execute(
                .once("SELECT set_config('standard_conforming_strings', $1, false)", [.text(setting)]))
            for text in hostile {
                let sql = "SELECT \(quotedLiteral(text)) AS \(quotedIdentifier(text))"
                let result = try connection.execute(.once(sql))
                #expect(result.text(row: 0, column: 0) == text)
                #expect(result.columnName(0) == text)
            }
        }
        #expect(quotedIdentifier("a\0b") == "\"ab\"")
    }

    @Test("a SQLSTATE keeps its five characters, and anything else is none")
    func sqlState() {
        #expect(SQLState("40P01").description == "40P01")
        #expect(SQLState("40P01").errorClass == SQLState("40000"))
        #expect(SQLState("bad") == .none)
        #expect(SQLState("53400").category == .resources)
        #expect(SQLState("08006").category == .connection)
        #expect(SQLState.deadlockDetected.category == .conflict)
        #expect(SQLState.uniqueViolation.category == .duplicateKey)
        #expect(SQLState("XX000").category == .other)
    }
}
