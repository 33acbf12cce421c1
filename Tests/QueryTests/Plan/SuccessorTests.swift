import Testing

@testable import Query

/// The least bytes behind all that begin with some.
@Suite struct SuccessorTests {
    @Test("bytes are known as a successor when they are", arguments: [UInt64(1), 2, 3])
    func isSuccessor(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        // Few values, so that most pairs are near each other.
        let values: [UInt8] = [0, 1, 0xFE, 0xFF]
        func some() -> [UInt8] {
            (0..<Int.random(in: 0...4, using: &random)).map { _ in values.randomElement(using: &random) ?? 0 }
        }
        for _ in 0..<20_000 {
            let (bytes, other) = (some(), some())
            #expect(bytes.successor.isSuccessor(of: bytes))
            #expect(other.isSuccessor(of: bytes) == (other == bytes.successor), "\(other) \(bytes)")
        }
    }
}
