import NIOCore
import Testing

@testable import BSON

@Suite("Keys")
struct KeyEncodingTests {
    @Test("keys sort as their values compare, and are equal exactly when those are")
    func order() {
        var random = SeededRandom()
        for _ in 0..<60_000 {
            let (left, right) =
                random.oneIn(2)
                ? (random.value(), random.value()) : (random.number().value, random.number().value)
            let expected = left.compare(to: right).signum()
            let actual = orderOfBytes(left.key, right.key)
            guard actual != expected else { continue }
            Issue.record(
                "\(left.extendedJSON()) and \(right.extendedJSON()): \(expected), keys \(actual); \(random)")
        }
    }

    @Test("keys of numbers sort as the exact values do")
    func exactNumbers() {
        var random = SeededRandom()
        let numbers = (0..<600).map { _ in random.number() }
        let exact = numbers.map(ExactNumber.init)
        let keys = numbers.map(\.value.key)
        for left in numbers.indices {
            for right in stride(from: left % 7, to: numbers.count, by: 7) {
                guard orderOfBytes(keys[left], keys[right]) != exact[left].compare(to: exact[right]) else { continue }
                Issue.record("\(numbers[left]) and \(numbers[right]); \(random)")
            }
        }
    }

    @Test("compound keys sort field by field, each ascending or descending")
    func compound() {
        var random = SeededRandom()
        for _ in 0..<20_000 {
            let descending = [random.oneIn(2), random.oneIn(2)]
            let left = [random.value(), random.value()]
            // The same first field half of the time, so that the second one decides.
            let right = [random.oneIn(2) ? left[0] : random.value(), random.value()]
            let expected = (0..<2).map { left[$0].compare(to: right[$0]).signum() * (descending[$0] ? -1 : 1) }
            let actual = orderOfBytes(key(left, descending), key(right, descending))
            #expect(actual == (expected[0] != 0 ? expected[0] : expected[1]), "\(random)")
        }
    }

    private func key(_ values: [Value], _ descending: [Bool]) -> [UInt8] {
        var encoder = KeyEncoder()
        for (value, descending) in zip(values, descending) {
            value.withRaw { encoder.append($0, descending: descending) }
        }
        return encoder.bytes
    }

    @Test("no key is the beginning of another one")
    func prefixFree() {
        var random = SeededRandom()
        for _ in 0..<20_000 {
            let (left, right) = (random.value(), random.value())
            guard left.key != right.key else { continue }
            #expect(!right.key.starts(with: left.key), "\(left.extendedJSON()) \(right.extendedJSON()) \(random)")
        }
    }

    @Test("a missing field has the key of null")
    func missing() {
        for descending in [false, true] {
            var missing = KeyEncoder()
            missing.appendMissing(descending: descending)
            #expect(missing.bytes == key([.null], [descending]))
        }
    }
}

/// Keys are stored. If one of these fails, it is the change that is wrong, or every database needs a migration.
@Suite("Keys as stored")
struct KeyEncodingGoldenTests {
    private static let golden: [(json: String, key: String)] = [
        (#"{"$minKey":1}"#, "08"),
        (#"{"$undefined":true}"#, "0c"),
        (#"null"#, "10"),
        (#"{"$numberDouble":"NaN"}"#, "20"),
        (#"{"$numberDouble":"-Infinity"}"#, "21"),
        (#"{"$numberDecimal":"-1E+400"}"#, "220020000000000000de6eeb"),
        (#"-1e300"#, "2203903786efff14c7"),
        (#"{"$numberLong":"-9223372036854775808"}"#, "22783fffffffffffff"),
        (#"{"$numberLong":"-9223372036854775807"}"#, "230000000000000001"),
        (#"-300"#, "29fda7"),
        (#"-1.5"#, "2afc800fffffffffffff"),
        (#"-1"#, "2afd"),
        (#"-0.1"#, "2b808ccccccccccccb"),
        (#"{"$numberDecimal":"-0.1"}"#, "2b808cccccccccccccdfffeb"),
        (#"0"#, "2c"),
        (#"{"$numberDecimal":"1E-6176"}"#, "2d000000000000000107e114"),
        (#"5e-324"#, "2d0000000000000002"),
        (#"{"$numberDecimal":"0.1"}"#, "2d7f73333333333333200014"),
        (#"0.1"#, "2d7f73333333333334"),
        (#"1"#, "2e02"),
        (#"5"#, "2e0a"),
        (#"127"#, "2efe"),
        (#"128"#, "2f0100"),
        (#"300"#, "2f0258"),
        (#"12.5"#, "2e198052000000000000"),
        (#"{"$numberDecimal":"12.34"}"#, "2e1980515c28f5c28f5d20021944"),
        (#"{"$numberDecimal":"12.345"}"#, "2e1980516147ae147ae12002194564"),
        (#"{"$numberLong":"9007199254740993"}"#, "3440000000000002"),
        (#"{"$numberLong":"9223372036854775807"}"#, "35fffffffffffffffe"),
        (#"{"$numberDecimal":"9223372036854775807.5"}"#, "35ffffffffffffffff87bfffffffffffff2013b92f4b2949ab5f97a196"),
        (#"9223372036854775808.0"#, "3687c0000000000000"),
        (
            #"{"$numberDecimal":"9.999999999999999999999999999999999E+6144"}"#,
            "36ffdfffffffffffff3801c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c7c6"
        ),
        (#"{"$numberDouble":"Infinity"}"#, "37"),
        (#""""#, "5000"),
        (#""abc""#, "5061626300"),
        (#"{"$symbol":"abc"}"#, "5061626300"),
        (#""a\u0000\u0001\u0002é""#, "50610101010202c3a900"),
        (#"{}"#, "5800"),
        (#"{"a":1,"b":"x"}"#, "580461002e0205620050780000"),
        (#"[]"#, "6000"),
        (#"[1,[null]]"#, "602e0260100000"),
        (#"{"$binary":{"base64":"/wA=","subType":"80"}}"#, "680000000280ff00"),
        (#"{"$binary":{"base64":"/wA=","subType":"02"}}"#, "68000000060202000000ff00"),
        (#"{"$oid":"0102030405060708090a0b0c"}"#, "700102030405060708090a0b0c"),
        (#"false"#, "78"),
        (#"true"#, "79"),
        (#"{"$date":{"$numberLong":"-1"}}"#, "807fffffffffffffff"),
        (#"{"$date":{"$numberLong":"1356351330501"}}"#, "808000013bccd6d8c5"),
        (#"{"$timestamp":{"t":4294967295,"i":1}}"#, "88ffffffff00000001"),
        (#"{"$regularExpression":{"pattern":"^a","options":"im"}}"#, "905e6100696d00"),
        (
            #"{"$dbPointer":{"$ref":"c","$id":{"$oid":"0102030405060708090a0b0c"}}}"#,
            "980000000263000102030405060708090a0b0c"
        ),
        (#"{"$code":"f"}"#, "a06600"),
        (#"{"$code":"f","$scope":{"x":1}}"#, "a866000478002e0200"),
        (#"{"$maxKey":1}"#, "f0"),
    ]

    @Test("the bytes of keys do not change", arguments: golden)
    func bytes(json: String, key: String) throws {
        let document = try Document(extendedJSON: "{\"v\":\(json)}")
        let bytes = try #require(document.withRaw { $0["v"].map { KeyEncoder.encode($0) as [UInt8] } })
        #expect(bytes.withUnsafeBytes(hexEncoded) == key)
    }

    @Test("a compound key is its fields' keys in a row, descending ones complemented")
    func compound() {
        var encoder = KeyEncoder()
        Value.int32(1).withRaw { encoder.append($0) }
        Value.string("ab").withRaw { encoder.append($0, descending: true) }
        encoder.appendMissing(descending: true)
        #expect(encoder.bytes.withUnsafeBytes(hexEncoded) == "2e02" + "af9e9dff" + "ef")
    }
}
