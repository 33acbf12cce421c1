import Testing

@testable import BSON

@Suite("Decimal128")
struct Decimal128Tests {
    @Test(
        "text is parsed exactly and printed in one form",
        arguments: [
            ("0", "0"), ("-0", "-0"), ("1", "1"), ("1.20", "1.20"), ("+12.5e1", "125"), (".5", "0.5"),
            ("5.", "5"), ("1e3", "1E+3"), ("12E-7", "0.0000012"), ("12E-8", "1.2E-7"), ("0E+6112", "0E+6111"),
            ("0E-7000", "0E-6176"),
            ("1E6144", "1.000000000000000000000000000000000E+6144"), ("10E-6177", "1E-6176"), ("inf", "Infinity"),
            ("-iNfinity", "-Infinity"), ("nan", "NaN"),
            ("10000000000000000000000000000000000000", "1.000000000000000000000000000000000E+37"),
            ("0000000000000000000000000000000000000000000000000000000001", "1"), ("0.00E-5", "0E-7"),
        ])
    func text(text: String, printed: String) {
        #expect(Decimal128(text)?.description == printed)
    }

    @Test(
        "what is no decimal, or does not fit, is refused",
        arguments: [
            "", "+", ".", "e5", "1e", "1e+", "1.2.3", "1 ", " 1", "0x1", "--1", "1a", "E", "infin", "nan1", "1E6145",
            "1E-6177", "12345678901234567890123456789012345", "1E99999999999999999999", "\u{661}", "1\0",
        ])
    func refused(text: String) {
        #expect(Decimal128(text) == nil)
    }

    @Test(
        "text with too many digits is rounded once, half to even, where that is asked for",
        arguments: [
            ("12345678901234567890123456789012345", "1.234567890123456789012345678901234E+34"),
            ("12345678901234567890123456789012355", "1.234567890123456789012345678901236E+34"),
            ("123456789012345678901234567890123450000000001", "1.234567890123456789012345678901235E+44"),
            ("99999999999999999999999999999999999", "1.000000000000000000000000000000000E+35"),
            ("5E-6177", "0E-6176"), ("6E-6177", "1E-6176"), ("15E-6177", "2E-6176"), ("1E-9999999", "0E-6176"),
            ("1E+9999999", "Infinity"), ("-1E+9999999", "-Infinity"),
        ])
    func rounding(text: String, printed: String) {
        #expect(Decimal128(rounding: text)?.description == printed)
    }

    @Test("what is printed reads back to the same bits")
    func roundTrip() {
        var random = SeededRandom()
        for _ in 0..<20_000 {
            let value = Decimal128(low: random.next(), high: random.next())
            // A coefficient above 34 digits reads as zero, which is printed instead; NaN has payloads.
            guard let parts = value.parts, parts.coefficient != 0 else { continue }
            let again = Decimal128(value.description)
            #expect(again?.low == value.low && again?.high == value.high, "\(value) \(random)")
        }
    }

    @Test(
        "doubles become decimals of 15 digits",
        arguments: [
            (0.1, "0.100000000000000"), (3, "3.00000000000000"), (-5.5, "-5.50000000000000"), (0, "0"), (-0.0, "-0"),
            (1.0 / 3, "0.333333333333333"), (999_999_999_999_999.9, "1.00000000000000E+15"),
            (1e300, "1.00000000000000E+300"), (0x1p53, "9.00719925474099E+15"), (1.234567890123455, "1.23456789012345"),
            (.infinity, "Infinity"), (-.infinity, "-Infinity"), (.leastNonzeroMagnitude, "4.94065645841247E-324"),
            (.greatestFiniteMagnitude, "1.79769313486232E+308"), (9.999999999999998e15, "1.00000000000000E+16"),
        ] as [(Double, String)])
    func fromDouble(double: Double, printed: String) {
        #expect(Decimal128(double).description == printed)
    }

    @Test("a NaN stays one")
    func nan() {
        #expect(Decimal128(Double.nan).isNaN)
        #expect(Decimal128.nan.description == "NaN")
        #expect(Decimal128.nan.doubleValue.isNaN)
        #expect(Decimal128.nan.int64Truncated == nil)
    }

    @Test(
        "integers are taken out exactly or not at all",
        arguments: [
            ("3.00", 3, 3), ("3.5", nil, 3), ("-3.5", nil, -3), ("1E+3", 1000, 1000), ("1E+19", nil, nil),
            ("9223372036854775807", .max, .max), ("9223372036854775808", nil, nil),
            ("-9223372036854775808", .min, .min), ("-9223372036854775808.5", nil, .min), ("NaN", nil, nil),
            ("-Infinity", nil, nil), ("1E-6176", nil, 0),
        ] as [(String, Int64?, Int64?)])
    func toInt64(text: String, exact: Int64?, truncated: Int64?) throws {
        let value = try #require(Decimal128(text))
        #expect(value.int64Exact == exact)
        #expect(value.int64Truncated == truncated)
    }

    @Test("arithmetic keeps the digits that IEEE 754 keeps")
    func arithmetic() throws {
        let (a, b) = (try #require(Decimal128("1.20")), try #require(Decimal128("0.1")))
        #expect(a.adding(b).description == "1.30")
        #expect(a.subtracting(b).description == "1.10")
        #expect(a.multiplied(by: b).description == "0.120")
        #expect(a.divided(by: b).description == "12.0")
        #expect(Decimal128(Int64(7)).divided(by: .zero).description == "Infinity")
        #expect(Decimal128.zero.divided(by: .zero).isNaN)
        #expect(Decimal128(Int64(-7)).remainder(dividingBy: Decimal128(Int64(3))).description == "-1")
    }

    @Test("rounds to places, with the rule given")
    func rounded() throws {
        let value = try #require(Decimal128("-12.345"))
        #expect(value.rounded(places: 2).description == "-12.34")
        #expect(value.rounded(places: 2, .toNearestOrAwayFromZero).description == "-12.35")
        #expect(value.rounded(places: 0, .up).description == "-12")
        #expect(value.rounded(places: 0, .down).description == "-13")
        #expect(value.rounded(places: 0, .towardZero).description == "-12")
        #expect(value.rounded(places: -1).description == "-1E+1")
        #expect(value.rounded(places: 5).description == "-12.345")
    }

    @Test("the double toward zero is the greatest one that is not above, and says whether it is equal")
    func towardZero() {
        var random = SeededRandom()
        for _ in 0..<3000 {
            guard case .decimal(let decimal) = random.number(), decimal.isFinite else { continue }
            let (double, isExact) = decimal.magnitude.doubleTowardZero
            let exact = ExactNumber(.decimal(decimal.magnitude))
            #expect(ExactNumber(.double(double)).compare(to: exact) == (isExact ? 0 : -1), "\(decimal) \(random)")
            #expect(ExactNumber(.double(double.nextUp)).compare(to: exact) == 1, "\(decimal) \(random)")
        }
    }
}
