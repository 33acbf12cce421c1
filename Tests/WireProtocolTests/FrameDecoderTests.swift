import NIOCore
import NIOEmbedded
import NIOTestUtils
import Testing

@testable import WireProtocol

@Suite struct FrameDecoderTests {
    @Test("frames come out whole however the bytes arrive")
    func splitAndCoalesced() throws {
        let frames = [
            RequestEncoder.msg(requestID: 1, body: ping()),
            RequestEncoder.query(requestID: 2, namespace: "admin.$cmd", command: ping()),
            RequestEncoder.msg(requestID: 3, flags: .checksumPresent, body: text(3000)),
            frame(opCode: 2012, bytes(Int32(2013)), bytes(Int32(4)), [0, 1, 2, 3, 4]),
            frame([]),
        ]
        try ByteToMessageDecoderVerifier.verifyDecoder(
            inputOutputPairs: frames.map { ($0, [InboundMessage(unchecked: $0)]) },
            decoderFactory: { FrameDecoder(role: .server) })
    }

    @Test("a frame shares the memory of the bytes read")
    func zeroCopy() throws {
        let encoded = RequestEncoder.msg(requestID: 1, body: text(3000))
        let message = try #require(try decode(encoded))
        #expect(address(message.frame) == address(encoded))
    }

    @Test("a message passes a pipeline without a box")
    func size() {
        #expect(MemoryLayout<InboundMessage>.size <= 24)
    }

    @Test("the header's fields are little endian")
    func header() throws {
        let message = try #require(try decode(frame(requestID: 0x0403_0201, noFlags)))
        #expect(message.requestID == 0x0403_0201)
        #expect(message.responseTo == 0)
        #expect(message.opCode == .msg)
    }

    @Test(
        "a length out of range is refused from the first four bytes",
        arguments: [
            Int32.min, -1, 0, 15, 48_000_001, .max,
        ])
    func lengthOutOfRange(length: Int32) {
        #expect(throws: ProtocolError(.frameLength(length), in: bytes(length))) {
            try decode(ByteBuffer(bytes: bytes(length)))
        }
    }

    @Test("the limits of the length are themselves allowed", arguments: [Int32(16), 48_000_000])
    func lengthInRange(length: Int32) throws {
        #expect(try decode(ByteBuffer(bytes: bytes(length))) == nil)
    }

    @Test("an opcode that nobody knows is refused with the header", arguments: [Int32(-1), 0, 2003, 2010, 2014])
    func unknownOpCode(code: Int32) {
        #expect(violation(of: frame(opCode: code, length: 1000, [])) == .unknownOpCode(code))
    }

    @Test(
        "opcodes that were removed or are for the other side are refused with the header",
        arguments: [
            (OpCode.insert, FrameDecoder.Role.server), (.update, .server), (.delete, .server), (.getMore, .server),
            (.killCursors, .server), (.reply, .server), (.query, .client), (.insert, .client),
        ])
    func unsupportedOpCode(opCode: OpCode, role: FrameDecoder.Role) {
        let error = #expect(throws: ProtocolError.self) {
            try decode(frame(opCode: opCode.rawValue, length: 1000, []), role: role)
        }
        #expect(error?.violation == .unsupportedOpCode(opCode))
    }

    @Test("a connection that closes inside a message is an error, between messages it is none")
    func closed() throws {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(FrameDecoder(role: .server)))
        let whole = RequestEncoder.msg(requestID: 1, body: ping())
        try channel.writeInbound(whole)
        #expect(try channel.finish().isClean == false)
        #expect(try channel.readInbound(as: InboundMessage.self) != nil)

        let cut = EmbeddedChannel(handler: ByteToMessageHandler(FrameDecoder(role: .server)))
        try cut.writeInbound(ByteBuffer(bytes: whole.readableBytesView.prefix(20)))
        #expect(throws: ProtocolError.self) { try cut.finish() }
    }

    @Test("a connection may have a lower limit, and get another one while it lives")
    func limit() throws {
        let limit = FrameLimit(bytesMax: 100)
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(FrameDecoder(role: .server, limit: limit)))
        try channel.writeInbound(frame([UInt8](repeating: 0, count: 84)))
        #expect(try channel.readInbound(as: InboundMessage.self) != nil)
        limit.bytesMax = 200
        try channel.writeInbound(frame([UInt8](repeating: 0, count: 85)))
        #expect(try channel.readInbound(as: InboundMessage.self) != nil)
        // Its header is enough: nobody waits for what would not be read.
        let error = #expect(throws: ProtocolError.self) { try channel.writeInbound(frame(length: 201, [])) }
        #expect(error?.violation == .frameLength(201))
    }

    @Test("a message tells what it will take uncompressed before anybody allocates it")
    func uncompressedBytes() throws {
        func size(_ stated: Int32, opCode: Int32 = 2012) throws -> Int? {
            try #require(try decode(frame(opCode: opCode, bytes(Int32(2013)), bytes(stated), [2], small)))
                .uncompressedBytes
        }
        #expect(try size(1_000) == 1_000)
        #expect(try size(-1) == nil && size(.max) == nil)
        #expect(try size(1_000, opCode: 2013) == nil)
        #expect(try #require(try decode(frame(opCode: 2012, [1, 2]))).uncompressedBytes == nil)
    }

    @Test("the excerpt for the log is short")
    func excerpt() {
        let long = frame(opCode: 99, [UInt8](repeating: 0xAB, count: 4000))
        let error = #expect(throws: ProtocolError.self) { try decode(long) }
        #expect(error?.excerpt.count == 32)
        #expect(error?.description.contains("unknown opcode 99") == true)
        #expect(error?.description.hasSuffix("ab") == true)
    }
}

extension ProtocolError {
    fileprivate init(_ violation: Violation, in bytes: [UInt8]) {
        self = bytes.withUnsafeBytes { ProtocolError(violation, in: $0) }
    }
}

func address(_ buffer: ByteBuffer) -> UInt? {
    buffer.withUnsafeReadableBytes { $0.baseAddress.map { UInt(bitPattern: $0) } }
}
