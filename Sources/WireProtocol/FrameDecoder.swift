internal import BSON
package import NIOCore

/// One whole message as it came, not yet looked into: its bytes from header to end.
///
/// Exactly one `ByteBuffer` (24 bytes), so that it passes a channel pipeline without being boxed.
package struct InboundMessage: Sendable, Equatable {
    package let frame: ByteBuffer

    /// The caller vouches that `frame` begins with a header of a known opcode and has the header's length.
    init(unchecked frame: ByteBuffer) {
        self.frame = frame
    }

    package var requestID: Int32 { headerField(at: 4) }

    package var responseTo: Int32 { headerField(at: 8) }

    package var opCode: OpCode {
        guard let code = OpCode(rawValue: headerField(at: 12)) else { preconditionFailure("the decoder checked it") }
        return code
    }

    /// What an OP_COMPRESSED says that it holds, without a header; nil for other messages, and for nonsense.
    package var uncompressedBytes: Int? {
        guard opCode == .compressed, frame.readableBytes >= 24 else { return nil }
        let size = Int(headerField(at: 20))
        return (0...WireLimits.messageBytes).contains(size) ? size : nil
    }

    private func headerField(at offset: Int) -> Int32 {
        withReadable(frame) { Int32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Int32.self)) }
    }
}

/// How long messages may be on a connection, which may change: to be touched where its decoder runs.
package final class FrameLimit {
    package var bytesMax: Int

    package init(bytesMax: Int = WireLimits.messageBytes) { self.bytesMax = bytesMax }
}

/// Cuts the byte stream of a connection into messages.
///
/// A frame is a slice of the bytes read, not a copy. Length and opcode are refused as soon as their bytes are there:
/// nobody can make the server gather 48 MB for a message that it would not read.
package struct FrameDecoder: NIOSingleStepByteToMessageDecoder {
    package typealias InboundOut = InboundMessage

    /// Who reads: a server takes requests, a client replies.
    package enum Role: Sendable {
        case server, client

        func accepts(_ opCode: OpCode) -> Bool {
            switch opCode {
            case .msg, .compressed: true
            case .query: self == .server
            case .reply: self == .client
            // Removed from MongoDB in 5.1; no driver that knows OP_MSG sends them.
            case .insert, .update, .delete, .getMore, .killCursors: false
            }
        }
    }

    private let role: Role
    private let limit: FrameLimit

    package init(role: Role, limit: FrameLimit = FrameLimit()) {
        self.role = role
        self.limit = limit
    }

    package mutating func decode(buffer: inout ByteBuffer) throws(ProtocolError) -> InboundMessage? {
        // A closure written out: the method itself as argument costs an allocation for its context.
        let length = try withReadable(buffer) { bytes throws(ProtocolError) in try frameLength(bytes) }
        guard let length else { return nil }
        return buffer.readSlice(length: length).map(InboundMessage.init(unchecked:))
    }

    package mutating func decodeLast(
        buffer: inout ByteBuffer, seenEOF: Bool
    ) throws(ProtocolError) -> InboundMessage? {
        if let message = try decode(buffer: &buffer) { return message }
        guard seenEOF, buffer.readableBytes > 0 else { return nil }
        throw withReadable(buffer) { ProtocolError(.connectionClosedInsideFrame, in: $0) }
    }

    /// The length of the frame at the start of `bytes` once its header is there; throws when it cannot become a frame.
    private func frameLength(_ bytes: UnsafeRawBufferPointer) throws(ProtocolError) -> Int? {
        guard bytes.count >= 4 else { return nil }
        let length = Int32(littleEndian: bytes.loadUnaligned(as: Int32.self))
        guard length >= WireLimits.headerBytes, length <= limit.bytesMax else {
            throw ProtocolError(.frameLength(length), in: bytes)
        }
        guard bytes.count >= WireLimits.headerBytes else { return nil }
        let code = Int32(littleEndian: bytes.loadUnaligned(fromByteOffset: 12, as: Int32.self))
        guard let opCode = OpCode(rawValue: code) else { throw ProtocolError(.unknownOpCode(code), in: bytes) }
        guard role.accepts(opCode) else { throw ProtocolError(.unsupportedOpCode(opCode), in: bytes) }
        return Int(length)
    }
}
