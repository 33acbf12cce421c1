import NIOCore
import Testing

@testable import BSON

@Suite("Validation")
struct ValidationTests {
    private func validate(_ bytes: [UInt8]) -> BSONValidationError? {
        bytes.withUnsafeBytes { raw in
            do throws(BSONValidationError) {
                try RawDocument.validate(raw)
                return nil
            } catch { return error }
        }
    }

    /// Puts a length before and a NUL behind.
    private func document(_ body: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: Int32(body.count + 5).littleEndian, Array.init) + body + [0]
    }

    @Test("random documents of all types pass")
    func valid() {
        var random = SeededRandom()
        for _ in 0..<2000 {
            let error = validate(Array(random.document().buffer.readableBytesView))
            #expect(error == nil, "\(random)")
        }
    }

    @Test(
        "malformed elements are refused, each for its reason",
        arguments: [
            ([0x42, 0x61, 0], .unknownType(0x42, offset: 4)),
            ([0x10, 0x61], .missingTerminator(offset: 5)),
            ([0x10, 0x61, 0, 1, 2, 3], .invalidLength(offset: 7)),
            ([0x08, 0x61, 0, 2], .invalidBool(2, offset: 7)),
            ([0x08, 0x61, 0], .invalidLength(offset: 7)),
            ([0x0A, 0xC0, 0x80, 0], .invalidUTF8(offset: 5)),
            ([0x02, 0x61, 0, 0, 0, 0, 0], .invalidLength(offset: 7)),
            ([0x02, 0x61, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0], .invalidLength(offset: 7)),
            ([0x02, 0x61, 0, 0xFF, 0xFF, 0xFF, 0x7F, 0], .invalidLength(offset: 7)),
            ([0x02, 0x61, 0, 2, 0, 0, 0, 0x62, 0x62], .missingTerminator(offset: 12)),
            ([0x02, 0x61, 0, 2, 0, 0, 0, 0xFF, 0], .invalidUTF8(offset: 11)),
            ([0x03, 0x61, 0, 4, 0, 0, 0, 0], .invalidLength(offset: 7)),
            ([0x03, 0x61, 0, 5, 0, 0, 0, 1], .missingTerminator(offset: 11)),
            ([0x04, 0x61, 0, 6, 0, 0, 0, 0], .invalidLength(offset: 7)),
            ([0x05, 0x61, 0, 1, 0, 0, 0, 0], .invalidLength(offset: 7)),
            ([0x05, 0x61, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0], .invalidLength(offset: 7)),
            ([0x05, 0x61, 0, 4, 0, 0, 0, 2, 1, 0, 0, 0], .invalidLength(offset: 12)),
            ([0x05, 0x61, 0, 3, 0, 0, 0, 2, 0, 0, 0], .invalidLength(offset: 12)),
            ([0x0B, 0x61, 0, 0x61, 0, 0x61], .missingTerminator(offset: 9)),
            ([0x0C, 0x61, 0, 1, 0, 0, 0, 0, 1, 2, 3], .invalidLength(offset: 12)),
            // Code with scope: too short, a scope that ends early, a code that runs into the scope.
            ([0x0F, 0x61, 0, 13, 0, 0, 0, 1, 0, 0, 0, 0, 5, 0, 0, 0, 0], .invalidLength(offset: 7)),
            ([0x0F, 0x61, 0, 15, 0, 0, 0, 1, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0], .invalidLength(offset: 16)),
            ([0x0F, 0x61, 0, 14, 0, 0, 0, 9, 0, 0, 0, 0, 5, 0, 0, 0, 0], .invalidLength(offset: 11)),
        ] as [([UInt8], BSONValidationError)])
    func malformed(body: [UInt8], expected: BSONValidationError) {
        #expect(validate(document(body)) == expected)
    }

    @Test("the whole must be exactly one document")
    func whole() {
        #expect(validate([]) == .invalidLength(offset: 0))
        #expect(validate([5, 0, 0, 0]) == .invalidLength(offset: 0))
        #expect(validate([5, 0, 0, 0, 0]) == nil)
        #expect(validate([5, 0, 0, 0, 0, 0]) == .invalidLength(offset: 0))
        #expect(validate([6, 0, 0, 0, 0]) == .invalidLength(offset: 0))
        #expect(validate([0xFF, 0xFF, 0xFF, 0xFF, 0]) == .invalidLength(offset: 0))
        #expect(validate([5, 0, 0, 0, 1]) == .missingTerminator(offset: 4))
    }

    @Test("201 levels pass, 202 do not, and a hundred thousand do no harm")
    func depth() {
        #expect(validate(Array(nested(levels: 201).buffer.readableBytesView)) == nil)
        let tooDeep = BSONValidationError.tooDeep(offset: 4 + 3 + 200 * 7)
        #expect(validate(Array(nested(levels: 202).buffer.readableBytesView)) == tooDeep)
        #expect(validate(Array(nested(levels: 100_000).buffer.readableBytesView)) == tooDeep)
    }

    @Test("UTF-8 is accepted and refused as the standard library does")
    func utf8() {
        var random = SeededRandom()
        let pieces: [[UInt8]] = [
            [0x41], [0x7F], [0xC2, 0x80], [0xDF, 0xBF], [0xE0, 0xA0, 0x80], [0xED, 0x9F, 0xBF], [0xEF, 0xBF, 0xBF],
            [0xF0, 0x90, 0x80, 0x80], [0xF4, 0x8F, 0xBF, 0xBF], Array("abcdefghij".utf8),
        ]
        let wrong: [[UInt8]] = [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xC2], [0xE1, 0x80], [0xF1, 0x80, 0x80], [0xFF],
        ]
        for _ in 0..<5000 {
            let bytes = (0..<Int.random(in: 0...6, using: &random)).flatMap { _ in
                random.oneIn(8) ? random.pick(wrong) : random.pick(pieces)
            }
            let isValid = String(validating: bytes, as: UTF8.self) != nil
            let actual = bytes.withUnsafeBytes { raw in raw.baseAddress.map { isUTF8($0, raw.count) } ?? true }
            #expect(actual == isValid, "\(bytes) \(random)")
        }
    }
}

/// Damages documents at random. Each copy lies in memory of its own, so that a read beyond its end shows under a
/// sanitizer.
@Suite("Validation of damaged documents")
struct ValidationFuzzTests {
    @Test("what passes can be walked, compared, keyed and printed without meeting anything malformed")
    func damaged() {
        var random = SeededRandom()
        var accepted = 0
        for _ in 0..<60_000 {
            var bytes = Array(random.document().buffer.readableBytesView)
            damage(&bytes, &random)
            bytes.withUnsafeBytes { raw in
                guard (try? RawDocument.validate(raw)) != nil else { return walkUnvalidated(raw) }
                accepted += 1
                let isSound = isSound(RawDocument(unchecked: raw))
                #expect(isSound, "\(random) \(hexEncoded(raw))")
                exercise(RawDocument(unchecked: raw))
            }
        }
        #expect(accepted > 1000, "the damage leaves too few documents valid to test anything")
    }

    private func damage(_ bytes: inout [UInt8], _ random: inout SeededRandom) {
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes[index] = UInt8(truncatingIfNeeded: random.next())
            case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 2: bytes[index] = bytes[index] &+ UInt8(random.pick([1, 255]))
            case 3: bytes.insert(0, at: index)
            default: if bytes.count > 1 { bytes.remove(at: index) }
            }
        }
    }

    /// Without validation nothing is promised but that no read leaves the bytes.
    private func walkUnvalidated(_ raw: UnsafeRawBufferPointer) {
        guard let document = RawDocument(raw) else { return }
        exercise(document)
    }

    private func exercise(_ document: RawDocument) {
        #expect(document.compare(to: document) == 0)
        var encoder = KeyEncoder()
        encoder.append(RawValue(type: .document, bytes: document.bytes))
        #expect(!encoder.bytes.isEmpty)
        #expect(!document.extendedJSON(.relaxed).isEmpty)
    }

    private func isSound(_ document: RawDocument) -> Bool {
        var iterator = document.makeIterator()
        while let element = iterator.next() {
            if let container = element.value.container, !isSound(container) { return false }
            if element.value.type == .javascriptWithScope {
                guard let scope = element.value.codeWithScope?.scope, isSound(scope) else { return false }
            }
        }
        return !iterator.isMalformed
    }
}
