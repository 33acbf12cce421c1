import BSON
import CommandModel
import Testing

@testable import Query

@Suite struct ObjectExpressionTests {
    @Test(
        "operators of documents yield what MongoDB's would",
        arguments: [
            .init(
                #"{"$mergeObjects": ["$a", null, {"x": 3, "z": 4}]}"#, #"{"x":3,"y":2,"z":4}"#,
                of: #"{"a": {"x": 1, "y": 2}}"#),
            .init(#"{"$mergeObjects": []}"#, "{}"),
            .init(#"{"$mergeObjects": "$a"}"#, #"{"x":1}"#, of: #"{"a": [{"x": 1}]}"#),
            .init(#"{"$getField": "a.b"}"#, "1", of: #"{"a.b": 1}"#),
            .init(#"{"$getField": {"field": {"$literal": "$a"}, "input": "$$ROOT"}}"#, "1", of: #"{"$a": 1}"#),
            .init(#"{"$getField": {"field": "$n", "input": {"k": 5}}}"#, "5", of: #"{"n": "k"}"#),
            .init(#"{"$getField": {"field": "a", "input": null}}"#, "null"),
            .init(#"{"$getField": {"field": "a", "input": 1}}"#, nil),
            .init(
                #"{"$setField": {"field": "a.b", "input": "$$ROOT", "value": 2}}"#, #"{"a.b":2,"c":3}"#,
                of: #"{"a.b": 1, "c": 3}"#),
            .init(
                #"{"$setField": {"field": "d", "input": "$$ROOT", "value": 2}}"#, #"{"c":3,"d":2}"#, of: #"{"c": 3}"#),
            .init(#"{"$setField": {"field": "c", "input": "$$ROOT", "value": "$$REMOVE"}}"#, "{}", of: #"{"c": 3}"#),
            .init(#"{"$unsetField": {"field": {"$literal": "$c"}, "input": "$$ROOT"}}"#, "{}", of: #"{"$c": 3}"#),
            .init(
                #"{"$objectToArray": "$$ROOT"}"#, #"[{"k":"a","v":1},{"k":"b","v":[2]}]"#, of: #"{"a": 1, "b": [2]}"#),
            .init(#"{"$arrayToObject": [[["a", 1], ["b", 2], ["a", 3]]]}"#, #"{"a":3,"b":2}"#),
            .init(#"{"$arrayToObject": [[{"k": "a", "v": 1}]]}"#, #"{"a":1}"#),
            .init(#"{"$arrayToObject": [[]]}"#, "{}"),
            .init(#"{"$type": "$x"}"#, #""missing""#), .init(#"{"$type": [[1]]}"#, #""array""#),
            .init(#"{"$isNumber": 1.5}"#, "true"), .init(#"{"$isNumber": "1"}"#, "false"),
            .init(#"{"$binarySize": "äb"}"#, "3"), .init(#"{"$bsonSize": {"a": 1}}"#, "12"),
        ] as [ExpressionCheck])
    func values(check: ExpressionCheck) throws { try check.run() }

    @Test("a document of many fields keeps one field of each name", arguments: [0, 15, 16, 17, 33, 200, 5000])
    func manyFields(count: Int) throws {
        let pairs = (0..<2 * count).map { #"["f\#($0 % max(count, 1))",\#($0)]"# }
        let fields = (0..<count).map { #""f\#($0)":\#($0 + count)"# }
        let document = "{\(fields.joined(separator: ","))}"
        try ExpressionCheck(#"{"$arrayToObject": "$a"}"#, document, of: #"{"a": [\#(pairs.joined(separator: ","))]}"#)
            .run()
        let merged = [#""f0":-1"#] + fields.dropFirst() + [#""last":0"#]
        try ExpressionCheck(
            #"{"$mergeObjects": ["$a", {"f0": -1}, {"last": 0}]}"#, "{\(merged.joined(separator: ","))}",
            of: #"{"a": \#(document)}"#
        ).run()
    }

    @Test(
        "wrong uses are refused with MongoDB's codes",
        arguments: [
            (#"{"$mergeObjects": [1]}"#, 40400), (#"{"$getField": 1}"#, 3_041_704), (#"{"$getField": {}}"#, 3_041_702),
            (#"{"$setField": {"field": "$x", "input": {}, "value": 1}}"#, 4_161_108),
            (#"{"$setField": {"field": ["x"], "input": {}, "value": 1}}"#, 4_161_106),
            (#"{"$setField": {"field": "x", "input": 1, "value": 1}}"#, 4_161_105),
            (#"{"$unsetField": {"field": "x", "input": {}, "value": 1}}"#, 4_161_101),
            (#"{"$unsetField": {"field": "a\u0000b", "input": {}}}"#, 9_534_700),
            (#"{"$objectToArray": 1}"#, 40390), (#"{"$arrayToObject": [[1]]}"#, 40398),
            (#"{"$arrayToObject": [[["a", 1], {"k": "b", "v": 1}]]}"#, 40396),
            (#"{"$arrayToObject": [[["a\u0000", 1]]]}"#, 4_940_400), (#"{"$bsonSize": 1}"#, 31393),
            (#"{"$binarySize": 1}"#, 51276), (#"{"$meta": 1}"#, 17307), (#"{"$meta": "x"}"#, 17308),
            (#"{"$function": {}}"#, 115), (#"{"$let": {"vars": {"ROOT": 1}, "in": 1}}"#, 9), (#""$$""#, 9),
            (#""$$NOW""#, 51144), (#""$$CLUSTER_TIME""#, 51144), (#"{"$rand": 1}"#, 10065),
            (#"{"$let": {"vars": {"x": 1}, "in": "$$x."}}"#, 40353),
        ] as [(String, Int32)])
    func refusals(expression: String, code: Int32) {
        #expect(ExpressionCheck.code(expression) == code)
    }

    @Test("MD5 is that of RFC 1321")
    func md5() {
        func digest(_ text: String) -> Int64 {
            var digest = MD5()
            var text = text
            text.withUTF8 { digest.append(UnsafeRawBufferPointer($0)) }
            return digest.finish()
        }
        // The first halves of the RFC's digests, turned round.
        #expect(digest("") == Int64(bitPattern: 0x04B2_008F_D98C_1DD4))
        #expect(digest("abc") == Int64(bitPattern: 0xB04F_D23C_9850_0190))
        #expect(
            digest("12345678901234567890123456789012345678901234567890123456789012345678901234567890")
                == Int64(bitPattern: 0x55C9_E32B_A2F4_ED57))
    }
}
