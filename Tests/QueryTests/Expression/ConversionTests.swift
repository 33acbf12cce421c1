import BSON
import CommandModel
import Testing

@testable import Query

@Suite struct ConversionTests {
    @Test(
        "values convert as MongoDB's do",
        arguments: [
            .init(#"{"$toInt": "-2147483648"}"#, "-2147483648"), .init(#"{"$toInt": 1.9}"#, "1"),
            .init(#"{"$toInt": {"$numberDecimal": "-1.9"}}"#, "-1"), .init(#"{"$toInt": true}"#, "1"),
            .init(#"{"$toInt": {"$binary": {"base64": "/38=", "subType": "00"}}}"#, "32767"),
            .init(#"{"$toLong": "-9223372036854775808"}"#, #"{"$numberLong":"-9223372036854775808"}"#),
            .init(#"{"$toLong": {"$date": "1970-01-01T00:00:01Z"}}"#, #"{"$numberLong":"1000"}"#),
            .init(#"{"$toDouble": "0x1.8p1"}"#, "3.0"), .init(#"{"$toDouble": "-.5"}"#, "-0.5"),
            .init(#"{"$toDouble": {"$binary": {"base64": "AACAPw==", "subType": "00"}}}"#, "1.0"),
            .init(#"{"$toDecimal": 2.5}"#, #"{"$numberDecimal":"2.50000000000000"}"#),
            .init(#"{"$toDecimal": "1.5E3"}"#, #"{"$numberDecimal":"1.5E+3"}"#),
            .init(#"{"$toBool": "false"}"#, "true"), .init(#"{"$toBool": 0.0}"#, "false"),
            .init(#"{"$toObjectId": "507f1f77bcf86cd799439011"}"#, #"{"$oid":"507f1f77bcf86cd799439011"}"#),
            .init(#"{"$toDate": "2018-03-20T12:00:00+0500"}"#, #"{"$date":"2018-03-20T07:00:00Z"}"#),
            .init(#"{"$toDate": {"$numberLong": "1000"}}"#, #"{"$date":"1970-01-01T00:00:01Z"}"#),
            .init(#"{"$toString": 3.0}"#, #""3""#),
            .init(#"{"$toString": 9999999999999998.0}"#, #""9999999999999998""#),
            .init(#"{"$toString": 1e16}"#, #""1e+16""#), .init(#"{"$toString": -0.0}"#, #""-0""#),
            .init(#"{"$toString": {"$date": "1970-01-01T00:00:00Z"}}"#, #""1970-01-01T00:00:00.000Z""#),
            .init(#"{"$toString": {"$binary": {"base64": "aGk=", "subType": "00"}}}"#, #""aGk=""#),
            .init(
                #"{"$toString": {"$toUUID": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}}"#,
                #""6ba7b810-9dad-11d1-80b4-00c04fd430c8""#),
            .init(#"{"$toString": "$x"}"#, "null"),
        ] as [ExpressionCheck])
    func short(check: ExpressionCheck) throws { try check.run() }

    @Test(
        "$convert takes its options",
        arguments: [
            .init(#"{"$convert": {"input": "x", "to": "int", "onError": "no"}}"#, #""no""#),
            .init(#"{"$convert": {"input": null, "to": "int", "onNull": 7}}"#, "7"),
            .init(#"{"$convert": {"input": "$x", "to": 16}}"#, "null"),
            .init(#"{"$convert": {"input": "1", "to": "$t"}}"#, "1", of: #"{"t": "int"}"#),
            .init(#"{"$convert": {"input": "1", "to": null, "format": 5}}"#, "null"),
            .init(
                #"{"$convert": {"input": 1, "to": {"type": "binData", "subtype": 5}, "byteOrder": "big"}}"#,
                #"{"$binary":{"base64":"AAAAAQ==","subType":"05"}}"#),
            .init(
                #"{"$convert": {"input": "aGk", "to": "binData", "format": "base64url"}}"#,
                #"{"$binary":{"base64":"aGk=","subType":"00"}}"#),
            .init(
                #"{"$convert": {"input": {"$binary": {"base64": "Pj4+Pg==", "subType": "00"}}, "to": "string", "#
                    + #""format": "base64url"}}"#, #""Pj4-Pg""#),
            .init(
                #"{"$convert": {"input": {"$binary": {"base64": "+g==", "subType": "00"}}, "to": "string", "#
                    + #""format": "hex"}}"#, #""FA""#),
            .init(#"{"$convert": {"input": "-101", "to": "int", "base": 2}}"#, "-5"),
            .init(#"{"$convert": {"input": 255, "to": "string", "base": 16}}"#, #""FF""#),
        ] as [ExpressionCheck])
    func options(check: ExpressionCheck) throws { try check.run() }

    @Test("base64 reads back what it wrote", arguments: 0...70)
    func base64(count: Int) throws {
        let data = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ count) }
        try data.withUnsafeBytes { data in
            for isURL in [false, true] {
                let length = isURL ? (count * 4 + 2) / 3 : (count + 2) / 3 * 4
                var text = [UInt8](repeating: 0, count: length)
                text.withUnsafeMutableBytes { Base64Text.encode(data, isURL: isURL, into: $0) }
                try text.withUnsafeBytes { text in
                    let digits = try #require(Base64Text.digits(of: text, isURL: isURL))
                    var read = [UInt8](repeating: 0, count: digits.count * 3 / 4)
                    #expect(read.withUnsafeMutableBytes { Base64Text.decode(digits, isURL: isURL, into: $0) })
                    #expect(read.elementsEqual(data))
                }
            }
        }
    }

    @Test(
        "what does not convert is refused with MongoDB's codes",
        arguments: [
            (#"{"$toInt": "1 "}"#, 241), (#"{"$toInt": "2147483648"}"#, 241),
            (#"{"$toInt": {"$numberDouble": "NaN"}}"#, 241),
            (#"{"$toInt": {"$date": "1970-01-01T00:00:00Z"}}"#, 241), (#"{"$toLong": "9223372036854775808"}"#, 241),
            (#"{"$toLong": ""}"#, 241), (#"{"$toDouble": "1e309"}"#, 241), (#"{"$toDouble": " 1"}"#, 241),
            (#"{"$toDouble": "nan(1)"}"#, 241), (#"{"$toDecimal": "1E-6177"}"#, 241), (#"{"$toDate": 1}"#, 241),
            (#"{"$toDate": "nonsense"}"#, 241), (#"{"$toObjectId": "507f1f77bcf86cd79943901g"}"#, 241),
            (#"{"$toString": [[1]]}"#, 241), (#"{"$toInt": [1, 2]}"#, 50723), (#"{"$convert": 1}"#, 9),
            (#"{"$convert": {"input": 1}}"#, 9), (#"{"$convert": {"input": 1, "to": "integer"}}"#, 2),
            (#"{"$convert": {"input": 1, "to": 99}}"#, 9), (#"{"$convert": {"input": 1, "to": 0}}"#, 241),
            (#"{"$convert": {"input": 1, "to": 255}}"#, 9), (#"{"$convert": {"input": 1, "to": "minKey"}}"#, 241),
            (#"{"$convert": {"input": 1, "to": {"type": "binData", "subtype": 10}}}"#, 4_341_107),
            (#"{"$convert": {"input": "a", "to": "binData"}}"#, 4_341_115),
            (#"{"$convert": {"input": "abc", "to": "binData", "format": "hex"}}"#, 241),
            (#"{"$convert": {"input": "abc", "to": "binData", "format": "base64"}}"#, 241),
            (#"{"$convert": {"input": "a", "to": "binData", "format": "xml"}}"#, 4_341_125),
            (#"{"$convert": {"input": 1, "to": "binData", "byteOrder": "middle"}}"#, 9_130_002),
            (#"{"$convert": {"input": 1, "to": "int", "onError": {"$size": [1]}}}"#, 17124),
        ] as [(String, Int32)])
    func refusals(expression: String, code: Int32) {
        #expect(ExpressionCheck.code(expression) == code)
    }
}
