import NIOCore
import Testing

@testable import WireProtocol

@Suite struct ChecksumTests {
    @Test("CRC-32C of the vectors in RFC 3720 and of the usual check string", arguments: Self.vectors)
    func knownValues(input: [UInt8], expected: UInt32) {
        #expect(input.withUnsafeBytes { crc32c($0) } == expected)
    }

    static let vectors: [([UInt8], UInt32)] = [
        ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
        ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
        ([UInt8](0..<32), 0x46DD_794E),
        ([UInt8](0..<32).reversed(), 0x113F_DB5C),
        (Array("123456789".utf8), 0xE306_9283),
        ([], 0),
    ]

    @Test("a right checksum is accepted and is not part of the sections")
    func accepted() throws {
        let encoded = RequestEncoder.msg(
            requestID: 5, flags: .checksumPresent, body: ping(),
            sequences: [.init(identifier: "docs", documents: [text(100)])])
        let msg = try parseMsg(encoded)
        #expect(msg.body == ping())
        #expect(msg.sequences.first?.documents == [text(100)])
    }

    @Test("any changed byte is noticed")
    func changed() {
        let encoded = RequestEncoder.msg(requestID: 5, flags: .checksumPresent, body: ping())
        // The length, the opcode and the checksum flag have their own tests.
        for index in Array(4..<12) + Array(20..<encoded.readableBytes) {
            var changed = encoded
            changed.setInteger(encoded.readableBytesView[index] ^ 0x10, at: index)
            guard case .checksum = violation(of: changed) else {
                Issue.record("byte \(index): \(violation(of: changed).debugDescription)")
                return
            }
        }
    }
}
