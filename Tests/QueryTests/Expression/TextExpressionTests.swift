import BSON
import CommandModel
import Testing

@testable import Query

@Suite struct TextExpressionTests {
    @Test(
        "strings yield what MongoDB's operators would",
        arguments: [
            (#"{"$concat": ["a", "$s", "é"]}"#, #""aab-cé""#), (#"{"$concat": []}"#, #""""#),
            (#"{"$concat": ["a", null, 1]}"#, "null"), (#"{"$split": ["$s", "-"]}"#, #"["ab","c"]"#),
            (#"{"$split": ["-a--b-", "-"]}"#, #"["","a","","b",""]"#), (#"{"$split": [null, ""]}"#, "null"),
            (#"{"$toLower": "RÉSUMÉ"}"#, #""rÉsumÉ""#), (#"{"$toUpper": null}"#, #""""#),
            (#"{"$toUpper": 1000000.0}"#, #""1E+06""#),
            (#"{"$toLower": {"$timestamp": {"t": 1, "i": 7}}}"#, #""jan  1 00:00:01:7""#),
            (#"{"$strcasecmp": ["ABC", "abd"]}"#, "-1"), (#"{"$strcasecmp": [3.0, "3"]}"#, "0"),
            (#"{"$strLenBytes": "é日🎉"}"#, "9"), (#"{"$strLenCP": "é日🎉abcdefgh日"}"#, "12"),
            (#"{"$indexOfBytes": ["éabé", "é", 1]}"#, "4"), (#"{"$indexOfCP": ["éabé", "é", 1]}"#, "3"),
            (#"{"$indexOfCP": ["éa", "", 1]}"#, "1"), (#"{"$indexOfCP": ["éa", "", 2]}"#, "-1"),
            (#"{"$indexOfCP": ["éa", "", 3]}"#, "-1"),
            (#"{"$indexOfCP": ["aéb", "b", 0, 2]}"#, "-1"), (#"{"$indexOfCP": ["aéb", "éb", 0, 2]}"#, "1"),
            (#"{"$indexOfBytes": [null, 1, 2, 3]}"#, "null"),
            (#"{"$substrBytes": ["café", 0, 3]}"#, #""caf""#), (#"{"$substrBytes": ["café", 3, -1]}"#, #""é""#),
            (#"{"$substr": [123456, 2, 3]}"#, #""345""#), (#"{"$substrCP": ["日本語", 1, 9]}"#, #""本語""#),
            (#"{"$trim": {"input": "\u00a0 é\t"}}"#, #""é""#),
            (#"{"$ltrim": {"input": "ééaé", "chars": "é"}}"#, #""aé""#),
            (#"{"$rtrim": {"input": "aéé", "chars": "éx"}}"#, #""a""#),
            (#"{"$trim": {"input": "xx", "chars": "x"}}"#, #""""#),
            (#"{"$replaceOne": {"input": "aXbX", "find": "X", "replacement": ""}}"#, #""abX""#),
            (#"{"$replaceAll": {"input": "aXbX", "find": "X", "replacement": "éé"}}"#, #""aéébéé""#),
            (#"{"$replaceAll": {"input": "é🎉", "find": "", "replacement": "-"}}"#, #""-é-🎉-""#),
            (#"{"$regexMatch": {"input": "$s", "regex": "^A", "options": "i"}}"#, "true"),
            (
                #"{"$regexFind": {"input": "é12", "regex": "(\\d)(x)?"}}"#,
                #"{"match":"1","idx":1,"captures":["1",null]}"#
            ),
            (#"{"$regexFind": {"input": "abc", "regex": "$s"}}"#, "null"),
            (
                #"{"$regexFindAll": {"input": "éxéx", "regex": "X", "options": "i"}}"#,
                #"[{"match":"x","idx":1,"captures":[]},{"match":"x","idx":3,"captures":[]}]"#
            ),
            (
                #"{"$regexFindAll": {"input": "éa", "regex": "$empty"}}"#,
                #"[{"match":"","idx":0,"captures":[]},{"match":"","idx":1,"captures":[]}]"#
            ),
            (#"{"$regexFindAll": {"input": null, "regex": "a"}}"#, "[]"),
            (#"{"$tsSecond": {"$timestamp": {"t": 4294967295, "i": 7}}}"#, "4294967295"),
            (#"{"$tsIncrement": {"$timestamp": {"t": 1, "i": 4294967295}}}"#, "4294967295"),
        ] as [(String, String)])
    func strings(expression: String, expected: String) throws {
        #expect(try value(of: expression) == json(#"{"v": \#(expected)}"#))
    }

    @Test(
        "dates yield what MongoDB's operators would",
        arguments: [
            (#"{"$year": "$d"}"#, "2021"), (#"{"$hour": {"date": "$d", "timezone": "America/New_York"}}"#, "2"),
            (#"{"$dayOfWeek": ["$d"]}"#, "1"), (#"{"$month": {"$oid": "ffffffff0000000000000000"}}"#, "12"),
            (#"{"$isoWeekYear": {"date": "$d", "timezone": null}}"#, "null"),
            (#"{"$dateToString": {"date": "$d"}}"#, #""2021-11-07T07:30:15.250Z""#),
            (
                #"{"$dateToString": {"date": "$d", "timezone": "+05:30", "format": "%b %d %G-W%V-%u %j %U %w %z %Z"}}"#,
                #""Nov 07 2021-W44-7 311 45 1 +0530 330""#
            ),
            (#"{"$dateToString": {"date": null, "onNull": "none"}}"#, #""none""#),
            (
                #"{"$dateToParts": {"date": "$d", "iso8601": true}}"#,
                #"{"isoWeekYear":2021,"isoWeek":44,"isoDayOfWeek":7,"hour":7,"minute":30,"second":15,"#
                    + #""millisecond":250}"#
            ),
            (
                #"{"$dateFromParts": {"year": 2020, "month": 14, "day": 0, "hour": -1, "second": 61}}"#,
                #"{"$date": "2021-01-30T23:01:01Z"}"#
            ),
            (
                #"{"$dateFromParts": {"isoWeekYear": 2020, "isoWeek": 53, "timezone": "+01"}}"#,
                #"{"$date": "2020-12-27T23:00:00Z"}"#
            ),
            (
                #"{"$dateFromString": {"dateString": "7.11.2021", "format": "%d.%m.%Y", "onError": 0}}"#,
                #"{"$date": "2021-11-07T00:00:00Z"}"#
            ),
            (#"{"$dateFromString": {"dateString": "7-11-2021", "format": "%d.%m.%Y", "onError": 0}}"#, "0"),
            (
                #"{"$dateFromString": {"dateString": "2021-11-07T01:30", "timezone": "America/New_York"}}"#,
                #"{"$date": "2021-11-07T05:30:00Z"}"#
            ),
            (
                #"{"$dateAdd": {"startDate": "$d", "unit": "month", "amount": -9}}"#,
                #"{"$date": "2021-02-07T07:30:15.250Z"}"#
            ),
            (
                #"{"$dateSubtract": {"startDate": {"$date": "2020-03-31T00:00:00Z"}, "unit": "month", "amount": 1}}"#,
                #"{"$date": "2020-02-29T00:00:00Z"}"#
            ),
            (
                #"{"$dateAdd": {"startDate": "$d", "unit": "day", "amount": -1, "timezone": "America/New_York"}}"#,
                #"{"$date": "2021-11-06T06:30:15.250Z"}"#
            ),
            (
                #"{"$dateDiff": {"startDate": "$d", "endDate": "$next", "unit": "week", "startOfWeek": "mon"}}"#,
                #"{"$numberLong": "1"}"#
            ),
            (
                #"{"$dateTrunc": {"date": "$d", "unit": "week", "startOfWeek": "Friday", "timezone": "Europe/Paris"}}"#,
                #"{"$date": "2021-11-04T23:00:00Z"}"#
            ),
            (#"{"$dateTrunc": {"date": "$d", "unit": "hour", "binSize": 12}}"#, #"{"$date": "2021-11-07T00:00:00Z"}"#),
        ] as [(String, String)])
    func dates(expression: String, expected: String) throws {
        #expect(try value(of: expression) == json(#"{"v": \#(expected)}"#))
    }

    @Test(
        "what is no string or no date is refused with MongoDB's code",
        arguments: [
            (#"{"$concat": [1, null]}"#, 16702), (#"{"$split": ["a", 1]}"#, 10_503_900),
            (#"{"$split": ["a", ""]}"#, 40087),
            (#"{"$toLower": true}"#, 16007), (#"{"$strLenCP": null}"#, 34471),
            (#"{"$indexOfCP": ["a", "b", -1]}"#, 40097),
            (#"{"$substrBytes": ["é", 1, 1]}"#, 28656), (#"{"$substrBytes": ["é", 0, 1]}"#, 28657),
            (#"{"$substrCP": ["a", 0.5, 1]}"#, 34451), (#"{"$trim": {"input": 1}}"#, 50699), (#"{"$trim": {}}"#, 50695),
            (#"{"$replaceAll": {"input": null, "find": 1, "replacement": ""}}"#, 10_503_901),
            (#"{"$replaceOne": {"input": "a", "find": "a"}}"#, 51747),
            (#"{"$regexMatch": {"input": "a", "regex": "("}}"#, 51111),
            (#"{"$regexMatch": {"input": 1, "regex": "a"}}"#, 51104),
            (#"{"$regexFind": {"input": "a", "regex": "a", "options": "z"}}"#, 51108),
            (#"{"$regexFind": {"input": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "regex": "(a+)+[bc]"}}"#, 51156),
            (#"{"$year": "x"}"#, 16006), (#"{"$year": []}"#, 40536), (#"{"$year": {}}"#, 40539),
            (#"{"$year": {"date": "$d", "timezone": "Mars"}}"#, 40485),
            (#"{"$dateToString": {"date": "$d", "format": "%"}}"#, 18535),
            (#"{"$dateToString": {"date": "$d", "format": "%x"}}"#, 18536),
            (#"{"$dateToString": {"date": {"$date": {"$numberLong": "9223372036854775807"}}}}"#, 18537),
            (#"{"$dateFromParts": {"year": 0}}"#, 40523), (#"{"$dateFromParts": {"year": 1, "isoWeek": 1}}"#, 40489),
            (#"{"$dateFromParts": {"year": 1, "second": {"$numberLong": "9223372036854775807"}}}"#, 159),
            (#"{"$dateFromString": {"dateString": "x"}}"#, 241),
            (#"{"$dateDiff": {"startDate": "$d", "endDate": "$d"}}"#, 5_166_305),
            (
                #"{"$dateAdd": {"startDate": "$d", "unit": "day", "amount": {"$numberLong": "9223372036854775807"}}}"#,
                5_976_500
            ),
            (
                #"{"$dateAdd": {"startDate": "$last", "unit": "day", "amount": 1}}"#,
                5_166_406
            ),
            (#"{"$dateTrunc": {"date": "$d", "unit": "day", "binSize": 0}}"#, 5_439_018),
            (#"{"$tsSecond": 1}"#, 5_687_301),
        ] as [(String, Int32)])
    func refusals(expression: String, code: Int32) throws {
        #expect(errorCode { _ = try value(of: expression) } == code)
    }

    @Test("a string of 16 MB is neither read nor made")
    func longStrings() throws {
        let half = String(repeating: "a", count: 8 * 1024 * 1024)
        #expect(errorCode { _ = try value(of: #"{"$concat": ["\#(half)", "\#(half)"]}"#) } == 16493)
        let all = #"{"$replaceAll": {"input": "\#(half)", "find": "a", "replacement": "aa"}}"#
        #expect(errorCode { _ = try value(of: all) } == 16493)
    }

    private func value(of expression: String) throws -> Document {
        let source = json(#"{"v": \#(expression)}"#)
        let compiled = try source.withRaw { raw throws(CommandError) in
            try CompiledExpression(compiling: raw["v"] ?? .nothing(.null), in: .none)
        }
        let document = json(
            #"{"s": "ab-c", "empty": "", "d": {"$date": "2021-11-07T07:30:15.250Z"}, "#
                + #""next": {"$date": "2021-11-08T00:00:00Z"}, "#
                + #""last": {"$date": {"$numberLong": "9223372036854775807"}}}"#
        )
        return try document.withRaw { raw in
            var result = Document.empty
            try compiled.withValue(of: raw) { value in
                result = Document { builder in if let value { builder.append("v", value) } }
            }
            return result
        }
    }
}
