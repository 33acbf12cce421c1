import Testing

@testable import BSON

@Suite("Numbers")
struct NumberTests {
    private static func decimal(_ text: String) -> Number { .decimal(Decimal128(text) ?? .nan) }

    @Test("sums take the wider type, and an int32 widens rather than overflow")
    func sums() {
        expect(Number.int32(2).adding(.int32(3)), .int32(5))
        expect(Number.int32(.max).adding(.int32(1)), .int64(2_147_483_648))
        expect(Number.int32(1).adding(.int64(1)), .int64(2))
        expect(Number.int64(.max).adding(.int32(1)), nil)
        expect(Number.int64(.min).subtracting(.int32(1)), nil)
        expect(Number.int64(1).adding(.double(0.5)), .double(1.5))
        expect(Number.double(0.1).adding(Self.decimal("1")), Self.decimal("1.100000000000000"))
        expect(Number.int64(.max).adding(Self.decimal("1")), Self.decimal("9223372036854775808"))
    }

    @Test("products likewise")
    func products() {
        expect(Number.int32(-4).multiplied(by: .int32(5)), .int32(-20))
        expect(Number.int32(.min).multiplied(by: .int32(-1)), .int64(2_147_483_648))
        expect(Number.int64(.max).multiplied(by: .int32(2)), nil)
        expect(Number.int32(3).multiplied(by: .double(0.5)), .double(1.5))
        expect(Self.decimal("3").multiplied(by: .double(3)), Self.decimal("9.00000000000000"))
    }

    /// The same type, the same digits.
    private func expect(
        _ actual: Number?, _ expected: Number?, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        #expect(
            actual?.value.extendedJSON() == expected?.value.extendedJSON(), sourceLocation: sourceLocation)
    }

    @Test("integers of every type are found, others are not")
    func integers() {
        #expect(Number.double(3).asInt64Exact == 3)
        #expect(Number.double(3.5).asInt64Exact == nil)
        #expect(Number.double(0x1p63).asInt64Exact == nil)
        #expect(Number.double(.nan).asInt64Exact == nil)
        #expect(Number.double(-3.9).asInt64Truncated == -3)
        #expect(Number.double(.infinity).asInt64Truncated == nil)
        #expect(Number.double(1e300).asInt64Truncated == nil)
        #expect(Self.decimal("3.0").asInt64Exact == 3)
        #expect(Self.decimal("3.9").asInt64Truncated == 3)
    }

    @Test("a number is read from a value and written back with its type")
    func roundTrip() {
        var random = SeededRandom()
        for _ in 0..<1000 {
            let value = random.number().value
            let again = value.withRaw { $0.number?.value }
            #expect(again?.type == value.type)
            #expect(again?.buffer == value.buffer)
        }
    }
}
