import BSON
import CommandModel
import Testing

@testable import Commands

@Suite("encryptedFields of create")
struct EncryptedFieldsTests {
    private static let key = #""keyId": {"$binary": {"base64": "AAAAAAAAAAAAAAAAAAAAAA==", "subType": "04"}}"#
    private static let text =
        #""strMinQueryLength": 1, "strMaxQueryLength": 9, "caseSensitive": true, "diacriticSensitive": false"#

    private func code(_ encryptedFields: String) throws -> Int32? {
        let fields = encryptedFields.replacing("KEY", with: Self.key).replacing("TEXT", with: Self.text)
        let request = try TestServer.request(#"{"create": "c", "encryptedFields": \#(fields)}"#)
        do throws(CommandError) { _ = try CreateArguments(request) } catch { return error.code.number }
        return nil
    }

    @Test(
        "as a whole",
        arguments: [
            (#"{"fields": []}"#, Int32?.none), (#"{"fields": [null, {"path": "a", KEY}, null]}"#, nil),
            (#"{"fields": [{"path": "a", KEY}, {"path": "ab", KEY}, {"path": "b.a", KEY}]}"#, nil),
            (#"{"fields": [], "escCollection": "enxcol_.c.esc", "ecocCollection": "enxcol_.c.ecoc"}"#, nil),
            (#"{"fields": [], "eccCollection": "any"}"#, nil), (#"{"fields": [], "escCollection": "any"}"#, 2),
            ("{}", 40414), (#"{"fields": null}"#, 40414), (#"{"fields": {}}"#, 14), (#"{"fields": [1]}"#, 14),
            ("[]", 14),
            (#"{"fields": [], "x": 1}"#, 40415),
            (#"{"fields": [{"path": "a", KEY}, {"path": "a", KEY}]}"#, 6_338_402),
            (#"{"fields": [{"path": "a.b.c", KEY}, {"path": "a.b", KEY}]}"#, 6_338_403),
        ] as [(String, Int32?)])
    func whole(encryptedFields: String, expected: Int32?) throws {
        #expect(try code(encryptedFields) == expected)
    }

    @Test(
        "a field has a path, a key, and perhaps a type",
        arguments: [
            (#""path": "a", KEY, "bsonType": "string""#, Int32?.none), ("KEY", 40414), (#""path": "a""#, 40414),
            (#""path": "", KEY"#, 6_316_402), (#""path": "a..b", KEY"#, 6_316_402),
            (#""path": "_id", KEY"#, 6_316_403), (#""path": "_id.a", KEY"#, 6_316_403),
            (#""path": "a\u0000b", KEY"#, 9_867_600),
            (#""path": "a", "keyId": {"$binary": {"base64": "AAAA", "subType": "04"}}"#, 207),
            (#""path": "a", "keyId": {"$binary": {"base64": "AAAA", "subType": "00"}}"#, 14),
            (#""path": "a", KEY, "bsonType": "null""#, 6_338_406),
            (#""path": "a", KEY, "bsonType": "number""#, 2), (#""path": "a", KEY, "bsonType": "x""#, 2),
            (#""path": "a", KEY, "queries": null"#, 14), (#""path": "a", KEY, "queries": []"#, 9_783_412),
            (#""path": "a", KEY, "queries": {"queryType": "equality"}"#, 6_412_601),
        ] as [(String, Int32?)])
    func field(_ field: String, expected: Int32?) throws {
        #expect(try code(#"{"fields": [{\#(field)}]}"#) == expected)
    }

    /// The type of the field, its queries.
    @Test(
        "queries",
        arguments: [
            ("string", #"{"queryType": "equality", "contention": 4}"#, Int32?.none),
            ("string", #"[{"queryType": "equality"}]"#, nil), ("string", #"{"queryType": "x"}"#, 2),
            ("string", #"{"contention": 4}"#, 40414), ("double", #"{"queryType": "equality"}"#, 6_338_405),
            ("string", #"[{"queryType": "suffixPreview", TEXT}, {"queryType": "prefixPreview", TEXT}]"#, nil),
            ("string", #"[{"queryType": "equality"}, {"queryType": "prefixPreview", TEXT}]"#, 9_783_414),
            ("int", #"[{"queryType": "equality"}, {"queryType": "equality"}, {"queryType": "equality"}]"#, 9_783_413),
            ("int", #"{"queryType": "prefixPreview", TEXT}"#, 9_783_400),
            ("string", #"{"queryType": "substringPreview", TEXT}"#, 9_783_401),
            ("string", #"{"queryType": "prefixPreview"}"#, 9_783_402),
            ("string", #"{"queryType": "prefixPreview", "strMinQueryLength": 1}"#, 9_783_403),
            ("string", #"{"queryType": "prefixPreview", "strMinQueryLength": 0}"#, 2),
            ("int", #"{"queryType": "range", "min": 1, "max": 8, "trimFactor": 2, "sparsity": 1}"#, nil),
            ("int", #"{"queryType": "range", "min": 1, "max": 8, "trimFactor": 3}"#, 8_574_000),
            ("int", #"{"queryType": "range", "trimFactor": 31}"#, nil),
            ("int", #"{"queryType": "range", "trimFactor": 32}"#, 8_574_000),
            (
                "long",
                #"{"queryType": "range", "min": {"$numberLong": "-9223372036854775808"}, "#
                    + #""max": {"$numberLong": "9223372036854775807"}, "trimFactor": 63}"#, nil
            ),
            ("int", #"{"queryType": "range", "trimFactor": -1}"#, 2), ("string", #"{"queryType": "range"}"#, 6_775_201),
            ("int", #"{"queryType": "range", "min": 5, "max": 5}"#, 6_720_005),
            ("int", #"{"queryType": "range", "min": 5.0}"#, 7_018_200),
            ("int", #"{"queryType": "range", "sparsity": 1.5}"#, 9),
            ("int", #"{"queryType": "range", "sparsity": 0}"#, 2),
            ("int", #"{"queryType": "range", "precision": 2}"#, 2),
            ("double", #"{"queryType": "range", "precision": 2}"#, nil),
        ] as [(String, String, Int32?)])
    func queries(type: String, queries: String, expected: Int32?) throws {
        let field = #"{"path": "a", KEY, "bsonType": "\#(type)", "queries": \#(queries)}"#
        #expect(try code(#"{"fields": [\#(field)]}"#) == expected)
    }

    @Test(
        "they go with some options only",
        arguments: [
            (#""capped": true, "size": 9"#, Int32?.some(6_367_301)), (#""viewOn": "b""#, 6_346_401),
            (#""timeseries": {"timeField": "t"}"#, 6_346_401),
            (#""clusteredIndex": {"key": {"_id": 1}, "unique": true}, "expireAfterSeconds": 1"#, nil),
        ] as [(String, Int32?)])
    func together(options: String, expected: Int32?) throws {
        let request = try TestServer.request(#"{"create": "c", "encryptedFields": {"fields": []}, \#(options)}"#)
        let arguments = try CreateArguments(request)
        var found: Int32?
        do throws(CommandError) { try arguments.checkTogether(now: 9) } catch { found = error.code.number }
        #expect(found == expected)
    }
}
