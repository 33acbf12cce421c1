/// Bytes that make no sense as a message. Nobody knows where the next message begins or what the peer meant, so the
/// connection is closed and this goes to the log.
package struct ProtocolError: Error, Equatable {
    package let violation: Violation

    /// The beginning of the offending frame, for the log.
    package let excerpt: [UInt8]

    private static let excerptBytesMax = 32

    init(_ violation: Violation, in frame: UnsafeRawBufferPointer) {
        self.violation = violation
        excerpt = Array(frame.prefix(Self.excerptBytesMax))
    }
}

extension ProtocolError {
    package enum Violation: Sendable, Equatable {
        // The frame.
        case frameLength(Int32)
        case unknownOpCode(Int32)
        case unsupportedOpCode(OpCode)
        case connectionClosedInsideFrame

        // What is inside.
        case endOfFrame
        case trailingBytes(Int)
        case documentLength(Int32)
        case unknownRequiredFlags(UInt32)
        case unknownSectionKind(UInt8)
        case tooManySections
        case bodyCount(Int)
        case sequenceLength(Int32)
        case identifierNotUTF8
        case checksum(stated: UInt32, computed: UInt32)
        case replyCount(Int32)
        /// Only clients see it: a server answers invalid documents, see ``InvalidMessage``.
        case invalidReply(String)

        // Compression.
        case unknownCompressor(UInt8)
        case nestedCompression
        case uncompressedSize(Int32)
        case corruptCompression(Compressor)
    }
}

extension ProtocolError: CustomStringConvertible {
    package var description: String { "\(violation), frame begins with \(hexExcerpt)" }

    private var hexExcerpt: String {
        excerpt.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

extension ProtocolError.Violation: CustomStringConvertible {
    package var description: String {
        switch self {
        case .frameLength(let length): "message length \(length) is out of range"
        case .unknownOpCode(let code): "unknown opcode \(code)"
        case .unsupportedOpCode(let code): "opcode \(code.rawValue) (\(code)) is not supported here"
        case .connectionClosedInsideFrame: "the connection was closed inside a message"
        case .endOfFrame: "the message ends inside a field"
        case .trailingBytes(let count): "\(count) bytes follow the message's last field"
        case .documentLength(let length): "document length \(length) does not fit its section"
        case .unknownRequiredFlags(let bits): "unknown required flag bits 0x\(String(bits, radix: 16))"
        case .unknownSectionKind(let kind): "unknown section kind \(kind)"
        case .tooManySections: "more than \(WireLimits.sections) sections"
        case .bodyCount(let count): "\(count) body sections where exactly one is required"
        case .sequenceLength(let length): "document sequence length \(length) is out of range"
        case .identifierNotUTF8: "a name is not valid UTF-8"
        case .checksum(let stated, let computed):
            "checksum 0x\(String(stated, radix: 16)) stated, 0x\(String(computed, radix: 16)) computed"
        case .replyCount(let count): "a reply with \(count) documents where exactly one is required"
        case .invalidReply(let reason): "invalid reply: \(reason)"
        case .unknownCompressor(let id): "unknown compressor \(id)"
        case .nestedCompression: "a compressed message inside a compressed message"
        case .uncompressedSize(let size): "uncompressed size \(size) is out of range"
        case .corruptCompression(let compressor): "\(compressor.name) data is corrupt or not of the stated size"
        }
    }
}
