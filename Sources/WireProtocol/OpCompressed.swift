internal import BSON
package import NIOCore

/// A message wrapped around a compressed one: header, int32 original opcode, int32 uncompressed size without header,
/// uint8 compressor, data.
///
/// Source: https://github.com/mongodb/specifications/blob/master/source/compression/OP_COMPRESSED.md
enum OpCompressed {
    static let prologueBytes = WireLimits.headerBytes + 9

    /// Gives the message inside, with a header as if it had been sent plainly.
    static func unwrap(
        _ message: InboundMessage, role: FrameDecoder.Role, compression: CompressionContext
    ) throws(ProtocolError) -> (InboundMessage, Compressor) {
        try withReadable(message.frame) { frame throws(ProtocolError) in
            let prologue = try Prologue(frame, role: role)
            let data = UnsafeRawBufferPointer(rebasing: frame[prologueBytes...])
            guard compression.mayYield(prologue.compressor, data, size: prologue.uncompressedSize) else {
                throw ProtocolError(.corruptCompression(prologue.compressor), in: frame)
            }
            var inner = ByteBufferAllocator().buffer(capacity: WireLimits.headerBytes + prologue.uncompressedSize)
            inner.writeHeader(prologue.innerHeader(requestID: message.requestID, responseTo: message.responseTo))
            let isComplete = inner.writeExactly(prologue.uncompressedSize) {
                compression.decompress(prologue.compressor, data, into: $0)
            }
            guard isComplete else { throw ProtocolError(.corruptCompression(prologue.compressor), in: frame) }
            return (InboundMessage(unchecked: inner), prologue.compressor)
        }
    }

    private struct Prologue {
        let opCode: OpCode
        let uncompressedSize: Int
        let compressor: Compressor

        init(_ frame: UnsafeRawBufferPointer, role: FrameDecoder.Role) throws(ProtocolError) {
            guard frame.count > prologueBytes else { throw ProtocolError(.endOfFrame, in: frame) }
            let code = Int32(littleEndian: frame.loadUnaligned(fromByteOffset: 16, as: Int32.self))
            opCode = try Self.opCode(code, frame, role)
            let size = Int32(littleEndian: frame.loadUnaligned(fromByteOffset: 20, as: Int32.self))
            guard size > 0, size <= WireLimits.messageBytes - WireLimits.headerBytes else {
                throw ProtocolError(.uncompressedSize(size), in: frame)
            }
            uncompressedSize = Int(size)
            guard let compressor = Compressor(rawValue: frame[24]) else {
                throw ProtocolError(.unknownCompressor(frame[24]), in: frame)
            }
            self.compressor = compressor
        }

        private static func opCode(
            _ code: Int32, _ frame: UnsafeRawBufferPointer, _ role: FrameDecoder.Role
        ) throws(ProtocolError) -> OpCode {
            guard let opCode = OpCode(rawValue: code) else { throw ProtocolError(.unknownOpCode(code), in: frame) }
            guard opCode != .compressed else { throw ProtocolError(.nestedCompression, in: frame) }
            guard role.accepts(opCode) else { throw ProtocolError(.unsupportedOpCode(opCode), in: frame) }
            return opCode
        }

        func innerHeader(requestID: Int32, responseTo: Int32) -> MessageHeader {
            MessageHeader(
                length: Int32(WireLimits.headerBytes + uncompressedSize), requestID: requestID, responseTo: responseTo,
                opCode: opCode)
        }
    }
}

extension CompressionContext {
    /// Below this a message is not compressed: it fits a packet anyway.
    private static let compressedBytesMin = 128

    /// Wraps a finished message into OP_COMPRESSED. Gives it back as it was when that would not make it smaller: the
    /// receiver must understand both.
    package func compress(_ message: ByteBuffer, with compressor: Compressor) -> ByteBuffer {
        guard message.readableBytes >= Self.compressedBytesMin else { return message }
        let wrapped = wrap(message, compressor)
        guard let wrapped, wrapped.readableBytes < message.readableBytes || compressor == .noop else {
            return message
        }
        return wrapped
    }

    func wrap(_ message: ByteBuffer, _ compressor: Compressor) -> ByteBuffer? {
        withReadable(message) { bytes in
            let body = UnsafeRawBufferPointer(rebasing: bytes[WireLimits.headerBytes...])
            let bound = bound(compressor, count: body.count)
            var wrapped = ByteBufferAllocator().buffer(capacity: OpCompressed.prologueBytes + bound)
            wrapped.writeBytes(bytes[..<12])
            wrapped.writeInteger(OpCode.compressed.rawValue, endianness: .little)
            wrapped.writeBytes(bytes[12..<16])
            wrapped.writeInteger(Int32(body.count), endianness: .little)
            wrapped.writeInteger(compressor.rawValue)
            let isWritten = wrapped.writeUpTo(bound) { compress(compressor, body, into: $0) }
            wrapped.patchLength(at: 0)
            return isWritten ? wrapped : nil
        }
    }
}

extension ByteBuffer {
    /// Lets `fill` write exactly `count` bytes; nothing is written when it gives false.
    fileprivate mutating func writeExactly(_ count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Bool) -> Bool {
        writeUpTo(count) { fill($0) ? count : nil }
    }

    /// Lets `fill` write at most `count` bytes, and say how many; nothing is written when it gives nil.
    fileprivate mutating func writeUpTo(_ count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int?) -> Bool {
        var isWritten = false
        writeWithUnsafeMutableBytes(minimumWritableBytes: count) { space in
            let written = fill(UnsafeMutableRawBufferPointer(rebasing: space[..<count]))
            isWritten = written != nil
            return written ?? 0
        }
        return isWritten
    }
}
