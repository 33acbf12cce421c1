import BSON
import Testing

@testable import CommandModel

@Suite("Values in messages")
struct ShellTextTests {
    private func text(_ json: String) throws -> String {
        try Document(extendedJSON: json).withRaw { ShellText.of($0) }
    }

    @Test(
        "documents look as the shell writes them",
        arguments: [
            (#"{"_id":1}"#, "{ _id: 1 }"), (#"{}"#, "{}"), (#"{"a":[],"b":[1,"x"]}"#, #"{ a: [], b: [ 1, "x" ] }"#),
            (#"{"a":{"b":null}}"#, "{ a: { b: null } }"), (#"{"a":1.5,"b":2.0}"#, "{ a: 1.5, b: 2.0 }"),
            (#"{"_id":{"$oid":"64b7f0f0f0f0f0f0f0f0f0f0"}}"#, "{ _id: ObjectId('64b7f0f0f0f0f0f0f0f0f0f0') }"),
            (#"{"a":{"$date":{"$numberLong":"5"}}}"#, "{ a: new Date(5) }"),
            (#"{"a":{"$timestamp":{"t":7,"i":2}}}"#, "{ a: Timestamp(7, 2) }"),
            (#"{"a":{"$binary":{"base64":"AQI=","subType":"00"}}}"#, "{ a: BinData(0, 0102) }"),
            (
                #"{"a":{"$uuid":"00112233-4455-6677-8899-aabbccddeeff"}}"#,
                #"{ a: UUID("00112233-4455-6677-8899-aabbccddeeff") }"#
            ),
            (#"{"a":{"$numberDecimal":"1.50"},"b":{"$minKey":1}}"#, "{ a: 1.50, b: MinKey }"),
        ])
    func forms(json: String, expected: String) throws {
        #expect(try text(json) == expected)
    }

    @Test("a huge value makes a message of bounded size")
    func bounded() throws {
        let string = String(repeating: "x", count: 100_000)
        #expect(try text(#"{"_id":"\#(string)"}"#).utf8.count < 200)
        let fields = (0..<10_000).map { #""f\#($0)":\#($0)"# }.joined(separator: ",")
        #expect(try text("{\(fields)}").utf8.count < 3_000)
    }
}
