import Testing

@testable import Query

@Suite struct TextSearchTests {
    @Test("bytes are found where a plain comparison finds them", arguments: [UInt64.random(in: 0 ... .max)])
    func random(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<3000 {
            let letters = UInt8.random(in: 1...3, using: &random)
            func bytes(_ count: Int) -> [UInt8] {
                (0..<count).map { _ in UInt8.random(in: 0..<letters, using: &random) }
            }
            let text = bytes(Int.random(in: 0...120, using: &random))
            let isPart = Bool.random(using: &random) && !text.isEmpty
            let start = isPart ? Int.random(in: 0..<text.count, using: &random) : 0
            let pattern = isPart ? Array(text[start...].prefix(Int.random(in: 1...60, using: &random))) : bytes(40)
            let expected = text.indices.first { text[$0...].starts(with: pattern) }
            text.withUnsafeBytes { text in
                pattern.withUnsafeBytes { pattern in
                    let message: Comment = "seed \(seed): \(Array(pattern)) in \(Array(text))"
                    #expect(text.firstIndex(of: pattern, in: 0..<text.count) == expected, message)
                    #expect(TwoWaySearch(pattern).first(in: text) == expected, message)
                }
            }
        }
    }

    @Test("code points are counted like Swift's scalars", arguments: ["", "a", "éa日🎉", "aaaaaaaé", "日日日日日日日日", "🎉🎉🎉"])
    func codePoints(text: String) {
        Array(text.utf8).withUnsafeBytes { bytes in
            #expect(bytes.codePointCount == text.unicodeScalars.count)
            for index in 0...text.unicodeScalars.count {
                let prefix = String(text.unicodeScalars.prefix(index))
                #expect(bytes.offset(ofCodePoint: index) == prefix.utf8.count)
            }
        }
    }
}
