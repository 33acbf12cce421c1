import BSON
import Testing

@testable import CommandModel

@Suite("Arguments of every command")
struct SharedArgumentsTests {
    @Test(
        "a null stands for an argument that is not given",
        arguments: [
            "lsid", "txnNumber", "autocommit", "startTransaction", "readConcern", "writeConcern", "maxTimeMS",
            "apiVersion", "apiStrict", "apiDeprecationErrors", "$readPreference",
        ])
    func nulls(name: String) throws {
        let shared = try request(#"{"ping":1,"\#(name)":null}"#).shared
        #expect(shared.timeLimit == nil)
        #expect(shared.readConcern == nil)
        #expect(shared.writeConcern == nil)
        #expect(shared.transactionNumber == nil)
        #expect(!shared.isInTransaction)
    }

    @Test(
        "a time limit is a whole number of milliseconds that fits into 31 bits",
        arguments: [
            ("1", nil), ("0", nil), ("2147483647", nil), ("100.0", nil), (#"{"$numberDecimal":"1E+2"}"#, nil),
            ("-1", 2), ("2147483648", 2), ("0.5", 9), (#"{"$numberDecimal":"1.5"}"#, 9),
            (#"{"$numberDouble":"NaN"}"#, 9), (#"{"$numberDouble":"Infinity"}"#, 9),
            (#"{"$numberDecimal":"1E+30"}"#, 9), (#""1""#, 14), ("true", 14),
        ] as [(String, Int32?)])
    func timeLimit(json: String, code: Int32?) throws {
        #expect(try refusal(#"{"ping":1,"maxTimeMS":\#(json)}"#) == code)
    }

    @Test("a limit of zero is no limit, but it was given")
    func zeroTimeLimit() throws {
        let shared = try request(#"{"ping":1,"maxTimeMS":0}"#).shared
        #expect(shared.timeLimit == 0)
        #expect(shared.maxTimeMilliseconds == 0)
    }

    @Test(
        "the options of the stable API need its version",
        arguments: [
            (#""apiStrict":true"#, 4_886_600), (#""apiDeprecationErrors":false"#, 4_886_600),
            (#""apiVersion":"2""#, 322), (#""apiVersion":1"#, 14), (#""apiVersion":"1","apiStrict":true"#, nil),
        ] as [(String, Int32?)])
    func stableAPI(fields: String, code: Int32?) throws {
        #expect(try refusal(#"{"ping":1,\#(fields)}"#) == code)
    }

    @Test(
        "a statement's number leaves room for those that follow",
        arguments: [
            (#""stmtId":0"#, nil), (#""stmtId":1073741824"#, nil), (#""stmtId":1073741825"#, 2),
            (#""stmtId":2147483647"#, 2), (#""stmtId":-1"#, 2), (#""stmtId":"1""#, 14), (#""stmtIds":[3,4]"#, nil),
            (#""stmtIds":[3,2147483647]"#, 2), (#""stmtIds":3"#, 14),
        ] as [(String, Int32?)])
    func statementNumbers(fields: String, code: Int32?) throws {
        #expect(try refusal(#"{"ping":1,\#(fields)}"#) == code)
    }

    @Test(
        "a read preference has one of five modes",
        arguments: [
            (#"{"mode":"nearest"}"#, nil), (#"{"mode":"first"}"#, 9), (#"{"mode":1}"#, 14), ("{}", 4),
            (#""nearest""#, 14),
        ] as [(String, Int32?)])
    func readPreference(json: String, code: Int32?) throws {
        #expect(try refusal(#"{"ping":1,"$readPreference":\#(json)}"#) == code)
    }
}
