import BSON
import NIOCore
import Testing

@testable import WireProtocol

/// SplitMix64: the same numbers for the same seed everywhere.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

@Suite struct FuzzTests {
    private static let valid: [ByteBuffer] = {
        let context = CompressionContext()
        let insert = RequestEncoder.msg(
            requestID: 1, body: ping(),
            sequences: [
                .init(identifier: "documents", documents: [text(40), ping(), .empty]),
                .init(identifier: "more", documents: []),
            ])
        let query = RequestEncoder.query(requestID: 2, namespace: "admin.$cmd", command: ping())
        let checked = RequestEncoder.msg(requestID: 3, flags: .checksumPresent, body: text(60))
        let wrapped = [Compressor.noop, .snappy, .zlib, .zstd].compactMap { context.wrap(insert, $0) }
        return [insert, query, checked] + wrapped
    }()

    @Test("mutated frames never crash, and what is accepted lies inside the frame", arguments: [UInt64(1), 2, 3, 4])
    func mutated(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let context = CompressionContext()
        var accepted = 0
        for round in 0..<20_000 {
            let mutated = mutate(Self.valid[round % Self.valid.count], &random)
            if check(mutated, context, "seed \(seed), round \(round)") { accepted += 1 }
        }
        // Otherwise the mutations are too wild to reach the depths of the parser.
        #expect(accepted > 1000, "seed \(seed)")
    }

    /// One to four bytes changed, some at places that matter, sometimes the end cut off; the length is put right in
    /// most cases because everything else is refused at once.
    private func mutate(_ original: ByteBuffer, _ random: inout SeededGenerator) -> ByteBuffer {
        var bytes = Array(original.readableBytesView)
        if Int.random(in: 0..<8, using: &random) == 0 {
            bytes.removeLast(Int.random(in: 1..<bytes.count, using: &random))
        }
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            let any = UInt8.random(in: 0...255, using: &random)
            bytes[index] = Bool.random(using: &random) ? any : Self.interesting.randomElement(using: &random) ?? any
        }
        var buffer = ByteBuffer(bytes: bytes)
        if bytes.count >= 4, Int.random(in: 0..<20, using: &random) > 0 { buffer.patchLength(at: 0) }
        return buffer
    }

    private static let interesting: [UInt8] = [0, 1, 2, 3, 4, 5, 6, 16, 0x7F, 0x80, 0xFF]

    /// Whether it was accepted.
    private func check(_ mutated: ByteBuffer, _ context: CompressionContext, _ place: String) -> Bool {
        guard let message = try? decode(mutated), let request = try? Request(message, compression: context) else {
            return false
        }
        switch request.operation {
        case .query(let query): expectWhole(query.command, place)
        case .msg(let msg):
            expectWhole(msg.body, place)
            for document in msg.sequences.flatMap(\.documents) { expectWhole(document, place) }
        }
        return true
    }

    private func expectWhole(_ document: Document, _ place: String) {
        document.withRaw { raw in
            var elements = raw.makeIterator()
            while elements.next() != nil {}
            #expect(!elements.isMalformed, "\(place)")
            #expect(RawDocument(raw.bytes)?.bytes.count == raw.bytes.count, "\(place)")
        }
    }
}
