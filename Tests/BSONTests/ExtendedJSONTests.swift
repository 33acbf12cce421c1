import Testing

@testable import BSON

@Suite("Extended JSON")
struct ExtendedJSONTests {
    @Test("random documents survive canonical text, byte for byte")
    func roundTrip() throws {
        var random = SeededRandom()
        for _ in 0..<3000 {
            let text = random.document().extendedJSON()
            // Once printed, a NaN has no payload and a decimal no second encoding: so compare from there on.
            let document = try Document(extendedJSON: text)
            #expect(document.extendedJSON() == text, "\(random)")
            #expect(try Document(extendedJSON: document.extendedJSON()) == document, "\(random)")
        }
    }

    @Test(
        "relaxed text is what people write",
        arguments: [
            #"{"a":1,"b":-2.5,"c":"x","d":[true,null,{}]}"#, #"{"a":{"$date":"2012-12-24T12:15:30.501Z"}}"#,
            #"{"a":{"$date":"1970-01-01T00:00:00Z"}}"#, #"{"a":{"$date":"9999-12-31T23:59:59.999Z"}}"#,
            #"{"a":{"$date":"2000-02-29T00:00:00.007Z"}}"#, #"{"a":{"$numberDecimal":"1.50"}}"#,
            #"{"a":{"$numberDouble":"NaN"}}"#, #"{"a":{"$regex":"x","$options":"i"}}"#,
            #"{"$set":{"a":9007199254740993}}"#,
            #"{"a":"\"\\\b\f\n\r\t\u0000é😀"}"#, #"{"a":5e-324,"b":1e+300,"c":0.1}"#,
        ])
    func relaxed(text: String) throws {
        #expect(try Document(extendedJSON: text).extendedJSON(.relaxed) == text)
    }

    @Test(
        "dates are read with fractions and offsets",
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("1970-01-01T01:00:00+01:00", 0), ("1969-12-31T23:00:00-0100", 0),
            ("1970-01-01T00:00:00.1Z", 100), ("1970-01-01T00:00:00.1239Z", 123), ("1969-12-31T23:59:59.999Z", -1),
            ("0001-01-01T00:00:00Z", -62_135_596_800_000), ("2000-03-01T00:00:00Z", 951_868_800_000),
        ])
    func dates(text: String, milliseconds: Int64) {
        #expect(ISODate.milliseconds(text) == milliseconds)
    }

    @Test(
        "what is no date is refused",
        arguments: [
            "", "1970-01-01", "1970-01-01T00:00:00", "1970-02-29T00:00:00Z", "1900-02-29T00:00:00Z",
            "1970-13-01T00:00:00Z", "1970-00-01T00:00:00Z", "1970-01-01T24:00:00Z", "1970-01-01T00:00:00.Z",
            "1970-01-01T00:00:00Z ", "1970-01-01T00:00:00+1", "+970-01-01T00:00:00Z",
        ])
    func noDates(text: String) {
        #expect(ISODate.milliseconds(text) == nil)
    }

    @Test(
        "malformed text is refused",
        arguments: [
            "", " ", "1", "[]", "null", "{", "}", "{}}", "{} x", "{,}", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{a:1}"#,
            #"{"a":01}"#, #"{"a":1.}"#, #"{"a":.5}"#, #"{"a":+1}"#, #"{"a":1e}"#, #"{"a":-}"#, #"{"a":NaN}"#,
            #"{"a":tru}"#, #"{"a":[1,]}"#, #"{"a":[1 2]}"#, #"{"a":"x}"#, #"{"a":"\x"}"#, #"{"a":"\u12"}"#,
            #"{"a":"\ud800"}"#, #"{"a":"\ud800A"}"#, #"{"a":"\udc00"}"#, "{\"a\":\"\n\"}", #"{"\u0000":1}"#,
            #"{"a":1e999}"#, #"{"a":{"$numberInt":"2147483648"}}"#, #"{"a":{"$numberLong":"x"}}"#,
            #"{"a":{"$numberDouble":"0x1p3"}}"#, #"{"a":{"$numberDouble":"inf"}}"#, #"{"a":{"$oid":"00"}}"#,
            #"{"a":{"$oid":"00","$oid":"00"}}"#, #"{"a":{"$binary":{"base64":"A","subType":"00"}}}"#,
            #"{"a":{"$binary":{"base64":"A===","subType":"00"}}}"#,
            #"{"a":{"$binary":{"base64":"=AAA","subType":"00"}}}"#,
        ])
    func malformed(text: String) {
        #expect(throws: ExtendedJSONError.self) { try Document(extendedJSON: text) }
    }

    @Test("nesting is bounded where documents are, however deep the text")
    func depth() throws {
        func text(_ levels: Int) -> String {
            String(repeating: #"{"a":"#, count: levels - 1) + "{}" + String(repeating: "}", count: levels - 1)
        }
        #expect(try Document(extendedJSON: text(201)).extendedJSON() == text(201))
        for levels in [202, 203, 204, 100_000] {
            #expect(throws: ExtendedJSONError.self) { try Document(extendedJSON: text(levels)) }
        }
        #expect(throws: ExtendedJSONError.self) { try Document(extendedJSON: String(repeating: "[", count: 100_000)) }
    }

    @Test("base64 of every length reads back")
    func base64() {
        var random = SeededRandom()
        for count in 0..<50 {
            let bytes = (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            #expect(Base64.decode(bytes.withUnsafeBytes(Base64.encode)) == bytes, "\(random)")
        }
        #expect(Array("Martlet".utf8).withUnsafeBytes(Base64.encode) == "TWFydGxldA==")
    }
}
