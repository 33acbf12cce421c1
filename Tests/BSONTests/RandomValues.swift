import BSON
import NIOCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// SplitMix64: small, and the same sequence for the same seed everywhere.
struct SeededRandom: RandomNumberGenerator, CustomStringConvertible {
    let seed: UInt64
    private var state: UInt64

    /// From `MARTLET_TEST_SEED` to repeat a run, else a new one; failures print it.
    init() {
        let given = getenv("MARTLET_TEST_SEED").flatMap { UInt64(String(cString: $0)) }
        self.init(seed: given ?? UInt64.random(in: 0...UInt64.max))
    }

    init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    var description: String { "MARTLET_TEST_SEED=\(seed)" }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func oneIn(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }

    mutating func pick<T>(_ choices: [T]) -> T { choices[Int.random(in: 0..<choices.count, using: &self)] }
}

// Numbers where types, precisions and encodings meet.
extension SeededRandom {
    private static let integers: [Int64] = [
        0, 1, -1, 2, 5, 63, 64, 127, 128, 255, 256, 1 << 31 - 1, 1 << 31, -1 << 31, 1 << 53 - 1, 1 << 53, 1 << 53 + 1,
        -(1 << 53) - 1, .max, .max - 1, .min, .min + 1,
    ]

    private static let doubles: [Double] = [
        0, -0.0, 0.1, 0.5, 1, 1.5, -1.5, 0.3, 1e15, 1e16, 1e22, 1e23, 0x1p53, 0x1p63, -0x1p63, 0x1p64, 1e300,
        .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNonzeroMagnitude, -.leastNonzeroMagnitude,
        .leastNormalMagnitude, .infinity, -.infinity, .nan, .signalingNaN, 0x1p63.nextDown, 1.0.nextUp, 1.0.nextDown,
    ]

    private static let decimals = [
        "0", "-0", "0E-6176", "0E+6111", "0.1", "0.10", "1", "1.0", "1.000000000000000000000000000000000", "5E-1",
        "NaN", "Infinity", "-Infinity", "9.999999999999999999999999999999999E+6144", "1E-6176", "-1E-6176", "1E+3",
        "1000",
        "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809",
        "9223372036854775807.5", "-9223372036854775808.5", "9007199254740993", "9007199254740992.5",
        "1.7976931348623157E+308", "1.797693134862315708145274237317044E+308", "1E+309", "4.9E-324", "1E-400",
        "4.940656458412465441765687928682213E-324", "0.3", "0.9999999999999999999999999999999999", "1E+23",
    ]

    mutating func number() -> Number {
        switch Int.random(in: 0..<12, using: &self) {
        case 0: .int32(Int32.random(in: -300...300, using: &self))
        case 1: .int32(Int32(truncatingIfNeeded: next()))
        case 2: .int64(pick(Self.integers) &+ Int64.random(in: -2...2, using: &self))
        case 3: .int64(Int64(bitPattern: next() >> UInt64.random(in: 0...63, using: &self)))
        case 4: .double(pick(Self.doubles))
        case 5: .double(Double(bitPattern: next()))
        case 6: .double(Double(Int.random(in: -2000...2000, using: &self)) / 8)
        case 7: .double(Double(pick(Self.integers)).nextUp)
        case 8: .decimal(Decimal128(pick(Self.decimals)) ?? .nan)
        case 9: .decimal(Decimal128(low: next(), high: next()))
        case 10: .decimal(decimalNear(Double(bitPattern: next())))
        default: .decimal(decimalNear(pick(Self.doubles)))
        }
    }

    /// A decimal that is equal to a double, or differs from it in the last digit.
    private mutating func decimalNear(_ double: Double) -> Decimal128 {
        let decimal = oneIn(2) ? Decimal128(nearest: double) : Decimal128(double)
        let step = Int64.random(in: -1...1, using: &self)
        guard decimal.isFinite, step != 0, decimal.low > 1, decimal.low < .max else { return decimal }
        return Decimal128(low: decimal.low &+ UInt64(bitPattern: step), high: decimal.high)
    }
}

// Values of all types, small and alike enough that many are equal or nearly so.
extension SeededRandom {
    mutating func value(depth: Int = 0) -> Value {
        switch Int.random(in: 0..<(depth < 3 ? 24 : 20), using: &self) {
        case 0..<6: number().value
        case 6, 7: .string(text())
        case 8: Value(type: .symbol, buffer: Value.string(text()).buffer)
        case 9: Value(type: .javascript, buffer: Value.string(text()).buffer)
        case 10: .binary(Array(text().utf8), subtype: pick([0, 2, 4, 128]))
        case 11: .objectID(ObjectID(high: next(), low: UInt32(truncatingIfNeeded: next())))
        case 12: .bool(oneIn(2))
        case 13: .date(pick([0, -1, 1, .min, .max, Int64(bitPattern: next())]))
        case 14: fixed(.timestamp, pick([0, 1, .max, next()]))
        case 15: regex()
        case 16: dbPointer()
        case 17: pick([.null, .minKey, .maxKey, Value(type: .undefined, buffer: ByteBuffer())])
        case 18: codeWithScope(depth)
        case 19: .int32(Int32.random(in: 0...3, using: &self))
        case 20, 21: .document(document(depth: depth + 1))
        default: .array(array(depth: depth + 1))
        }
    }

    mutating func document(depth: Int = 0) -> Document {
        var builder = DocumentBuilder()
        for _ in 0..<Int.random(in: 0...4, using: &self) {
            let name: StaticString = pick(["a", "b", "ab", "", "é", "longer name"])
            builder.append(name, value(depth: depth))
        }
        return builder.finish()
    }

    private mutating func array(depth: Int) -> Document {
        var builder = DocumentBuilder()
        for index in 0..<Int.random(in: 0...4, using: &self) { builder.append(index: index, value(depth: depth)) }
        return builder.finish()
    }

    private mutating func text() -> String {
        let alphabet = ["a", "b", "\u{0}", "\u{1}", "\u{2}", "é", "\u{FFFF}", "😀", "z"]
        return (0..<Int.random(in: 0...4, using: &self)).map { _ in pick(alphabet) }.joined()
    }

    private mutating func cText() -> String { String(text().unicodeScalars.filter { $0 != "\0" }.map(Character.init)) }

    private func fixed(_ type: BSONType, _ bits: UInt64) -> Value {
        Value(type: type, buffer: Value.int64(Int64(bitPattern: bits)).buffer)
    }

    private mutating func regex() -> Value {
        var buffer = ByteBuffer()
        buffer.writeNullTerminatedString(cText())
        buffer.writeNullTerminatedString(cText())
        return Value(type: .regex, buffer: buffer)
    }

    private mutating func dbPointer() -> Value {
        var buffer = Value.string(text()).buffer
        buffer.writeBytes([UInt8](repeating: pick([0, 255]), count: 12))
        return Value(type: .dbPointer, buffer: buffer)
    }

    private mutating func codeWithScope(_ depth: Int) -> Value {
        let code = Value.string(text()).buffer
        let scope = document(depth: depth + 1)
        var buffer = ByteBuffer()
        buffer.writeInteger(Int32(4 + code.readableBytes + scope.count), endianness: .little)
        buffer.writeImmutableBuffer(code)
        buffer.writeImmutableBuffer(scope.buffer)
        return Value(type: .javascriptWithScope, buffer: buffer)
    }
}

extension Value {
    func compare(to other: Value) -> Int {
        withRaw { left in other.withRaw { right in left.compare(to: right) } }
    }

    var key: [UInt8] { withRaw { KeyEncoder.encode($0) } }
}

/// As PostgreSQL compares `bytea`.
func orderOfBytes(_ left: [UInt8], _ right: [UInt8]) -> Int {
    left == right ? 0 : (left.lexicographicallyPrecedes(right) ? -1 : 1)
}
