import NIOCore
import Testing

@testable import BSON

@Suite("Order of values")
struct ComparisonTests {
    /// Each line is greater than the one before; values of one line are equal.
    private static let ascending: [[String]] = [
        [#"{"$minKey":1}"#],
        [#"{"$undefined":true}"#],
        ["null"],
        [#"{"$numberDouble":"NaN"}"#, #"{"$numberDecimal":"NaN"}"#],
        [#"{"$numberDouble":"-Infinity"}"#, #"{"$numberDecimal":"-Infinity"}"#],
        [#"{"$numberDecimal":"-1E+400"}"#],
        ["-1.5", #"{"$numberDecimal":"-1.50"}"#],
        [#"{"$numberDecimal":"-1E-6176"}"#],
        ["0", "-0.0", #"{"$numberDecimal":"-0E+3"}"#, #"{"$numberLong":"0"}"#],
        [#"{"$numberDecimal":"1E-400"}"#],
        [#"{"$numberDecimal":"0.1"}"#],
        ["0.1"],
        ["1", "1.0", #"{"$numberLong":"1"}"#, #"{"$numberDecimal":"1.00"}"#],
        [#"{"$numberLong":"9007199254740992"}"#, "9007199254740992.0"],
        [#"{"$numberLong":"9007199254740993"}"#, #"{"$numberDecimal":"9007199254740993"}"#],
        [#"{"$numberLong":"9223372036854775807"}"#],
        ["9223372036854775808.0", #"{"$numberDecimal":"9223372036854775808"}"#],
        [#"{"$numberDouble":"Infinity"}"#, #"{"$numberDecimal":"Infinity"}"#],
        [#""""#, #"{"$symbol":""}"#],
        [#""a""#, #"{"$symbol":"a"}"#],
        [#""a\u0000""#],
        [#""ab""#],
        [#""é""#],
        ["{}"],
        [#"{"a":null}"#],
        [#"{"b":1}"#],
        // The type of the first element decides before its name.
        [#"{"a":"x"}"#],
        [#"{"a":"x","b":1}"#],
        ["[]"],
        ["[1]", "[1.0]"],
        ["[1,2]"],
        ["[2]"],
        [#"{"$binary":{"base64":"/w==","subType":"80"}}"#],
        [#"{"$binary":{"base64":"AAA=","subType":"00"}}"#],
        [#"{"$binary":{"base64":"AAA=","subType":"01"}}"#],
        [#"{"$oid":"000000000000000000000000"}"#],
        [#"{"$oid":"ff0000000000000000000000"}"#],
        ["false"],
        ["true"],
        [#"{"$date":{"$numberLong":"-1"}}"#],
        [#"{"$date":{"$numberLong":"0"}}"#],
        [#"{"$timestamp":{"t":0,"i":1}}"#],
        [#"{"$timestamp":{"t":4294967295,"i":0}}"#],
        [#"{"$regularExpression":{"pattern":"a","options":"i"}}"#],
        [#"{"$regularExpression":{"pattern":"b","options":""}}"#],
        [#"{"$dbPointer":{"$ref":"z","$id":{"$oid":"000000000000000000000000"}}}"#],
        [#"{"$dbPointer":{"$ref":"aa","$id":{"$oid":"000000000000000000000000"}}}"#],
        [#"{"$code":"a"}"#],
        [#"{"$code":"a","$scope":{}}"#],
        [#"{"$code":"a","$scope":{"x":1}}"#],
        [#"{"$maxKey":1}"#],
    ]

    private static func value(_ json: String) throws -> Value {
        let document = try Document(extendedJSON: "{\"v\":\(json)}")
        return try #require(document.withRaw { $0["v"].map(Value.init(copying:)) })
    }

    @Test("values sort as documented, and so do their keys")
    func table() throws {
        var all: [(line: Int, json: String, value: Value)] = []
        for (line, group) in Self.ascending.enumerated() {
            for json in group { all.append((line, json, try Self.value(json))) }
        }
        for left in all {
            for right in all {
                let expected = (left.line - right.line).signum()
                #expect(left.value.compare(to: right.value).signum() == expected, "\(left.json) and \(right.json)")
                #expect(orderOfBytes(left.value.key, right.value.key) == expected, "\(left.json) and \(right.json)")
            }
        }
    }

    @Test("numbers of all types compare as their exact values do")
    func exactNumbers() {
        var random = SeededRandom()
        let numbers = (0..<600).map { _ in random.number() }
        let exact = numbers.map(ExactNumber.init)
        for left in numbers.indices {
            for right in stride(from: left % 7, to: numbers.count, by: 7) {
                let expected = exact[left].compare(to: exact[right])
                let actual = numbers[left].compare(to: numbers[right]).signum()
                guard actual != expected else { continue }
                Issue.record("\(numbers[left]) and \(numbers[right]): \(actual), not \(expected); \(random)")
            }
        }
    }

    @Test("the order is antisymmetric and transitive")
    func isOrder() {
        var random = SeededRandom()
        for _ in 0..<20_000 {
            let (a, b, c) = (random.value(), random.value(), random.value())
            let (ab, bc, ac) = (a.compare(to: b).signum(), b.compare(to: c).signum(), a.compare(to: c).signum())
            #expect(b.compare(to: a).signum() == -ab, "\(random)")
            #expect(a.compare(to: a) == 0, "\(random)")
            if ab <= 0, bc <= 0 { #expect(ac <= 0, "\(random)") }
            if ab == 0 { #expect(ac == bc, "\(random)") }
        }
    }

    @Test("comparison and keys of bytes that nobody validated do not follow them below the greatest depth")
    func depth() {
        let value = Value.document(nested(levels: 100_000))
        #expect(value.compare(to: value) == 0)
        #expect(value.key.count < 2000)
    }
}

/// Documents in documents, `levels` of them.
func nested(levels: Int) -> Document {
    // Each level inside adds: length, type, name and NUL before, NUL behind.
    var buffer = ByteBuffer()
    for level in 0..<levels {
        buffer.writeInteger(Int32(5 + 8 * (levels - 1 - level)), endianness: .little)
        if level < levels - 1 { buffer.writeBytes([3, UInt8(ascii: "a"), 0]) }
    }
    buffer.writeRepeatingByte(0, count: levels)
    return Document(unchecked: buffer)
}
