import BSON
import NIOCore
import Testing

@testable import WireProtocol

private let all: [Compressor] = [.noop, .snappy, .zlib, .zstd]

@Suite struct CompressionTests {
    private let context = CompressionContext()

    /// An OP_COMPRESSED frame with whatever prologue and data.
    private func wrapped(
        opCode: Int32 = 2013, size: Int32, compressor: UInt8, _ data: some Sequence<UInt8>
    ) -> ByteBuffer {
        frame(opCode: 2012, bytes(opCode), bytes(size), [compressor], Array(data))
    }

    /// The compressed data of `message`'s OP_COMPRESSED and the size it states.
    private func data(of message: ByteBuffer, _ compressor: Compressor) throws -> (data: [UInt8], size: Int32) {
        let wrapped = try #require(context.wrap(message, compressor))
        return (Array(wrapped.readableBytesView.dropFirst(25)), Int32(message.readableBytes - 16))
    }

    @Test("a compressed request gives the request, several times over", arguments: all)
    func roundTrip(compressor: Compressor) throws {
        for (id, body) in [ping(), text(1000), text(1_000_000), ping()].enumerated() {
            let plain = RequestEncoder.msg(requestID: Int32(id), flags: .checksumPresent, body: body)
            let request = try parse(try #require(context.wrap(plain, compressor)), compression: context)
            #expect(
                request.envelope
                    == Envelope(
                        requestID: Int32(id), format: .msg, compressor: compressor, expectsReply: true))
            guard case .msg(let msg) = request.operation else { throw WrongOperation() }
            #expect(msg.body == body)
        }
    }

    @Test("a compressed legacy handshake", arguments: all)
    func query(compressor: Compressor) throws {
        let plain = RequestEncoder.query(requestID: 3, namespace: "admin.$cmd", command: ping())
        let request = try parse(try #require(context.wrap(plain, compressor)))
        #expect(request.envelope.format == .query)
        #expect(request.envelope.compressor == compressor)
    }

    @Test("a compressed reply gives the reply", arguments: all)
    func reply(compressor: Compressor) throws {
        let envelope = Envelope(requestID: 77, format: .msg, compressor: compressor, expectsReply: true)
        var encoder = ReplyEncoder(to: envelope, requestID: 8)
        encoder.body.append("result", document: text(5000))
        let sent = context.compress(encoder.finish(), with: compressor)
        let message = try #require(try decode(sent, role: .client))
        #expect(message.opCode == .compressed)
        #expect(message.requestID == 8)
        let reply = try Reply(message, compression: context)
        #expect(reply.responseTo == 77)
        #expect(reply.document == Document { $0.append("result", document: text(5000)) })
    }

    @Test("compressed frames are smaller", arguments: [Compressor.snappy, .zlib, .zstd])
    func smaller(compressor: Compressor) {
        let plain = RequestEncoder.msg(requestID: 1, body: text(100_000))
        #expect(context.compress(plain, with: compressor).readableBytes < plain.readableBytes / 10)
    }

    @Test("what compression does not make smaller goes out as it is", arguments: [Compressor.snappy, .zlib, .zstd])
    func incompressible(compressor: Compressor) {
        var random = SeededGenerator(seed: 4)
        let noise = Document {
            $0.append("noise", binary: (0..<4096).map { _ in UInt8.random(in: 0...255, using: &random) }, subtype: 0)
        }
        for body in [noise, ping()] {
            let plain = RequestEncoder.msg(requestID: 1, body: body)
            #expect(context.compress(plain, with: compressor) == plain)
        }
    }

    @Test("a stated size that is not the size is refused", arguments: all, [Int32(-9), -1, 1, 1000, 40_000_000])
    func mismatchedSize(compressor: Compressor, difference: Int32) throws {
        let (data, size) = try data(of: RequestEncoder.msg(requestID: 1, body: text(5000)), compressor)
        let lie = wrapped(size: size + difference, compressor: compressor.rawValue, data)
        #expect(violation(of: lie) == .corruptCompression(compressor))
    }

    @Test(
        "a stated size beyond a message, of nothing or below is refused", arguments: all,
        [
            Int32.min, -1, 0, 47_999_985, .max,
        ])
    func sizeOutOfRange(compressor: Compressor, size: Int32) {
        #expect(violation(of: wrapped(size: size, compressor: compressor.rawValue, small)) == .uncompressedSize(size))
    }

    @Test("a bomb is refused, whatever size it states", arguments: [Compressor.snappy, .zlib, .zstd])
    func bomb(compressor: Compressor) throws {
        var huge = frame([])
        huge.writeRepeatingByte(0, count: 60_000_000)
        let data = try data(of: huge, compressor).data
        for size in [Int32(100), 47_999_984] {
            let bomb = wrapped(size: size, compressor: compressor.rawValue, data)
            #expect(violation(of: bomb) == .corruptCompression(compressor))
        }
    }

    @Test("cut or extended data is refused", arguments: [Compressor.snappy, .zlib, .zstd])
    func cutOrExtended(compressor: Compressor) throws {
        let (data, size) = try data(of: RequestEncoder.msg(requestID: 1, body: text(5000)), compressor)
        for data in [data.dropLast(), data + [0], data + [1, 2, 3], Array(data.dropFirst()), []] as [[UInt8]] {
            let frame = wrapped(size: size, compressor: compressor.rawValue, data)
            let expected: ProtocolError.Violation = data.isEmpty ? .endOfFrame : .corruptCompression(compressor)
            #expect(violation(of: frame) == expected)
        }
    }

    @Test("nested, unknown and removed opcodes inside are refused")
    func opCodes() {
        #expect(violation(of: wrapped(opCode: 2012, size: 4, compressor: 0, noFlags)) == .nestedCompression)
        #expect(violation(of: wrapped(opCode: 17, size: 4, compressor: 0, noFlags)) == .unknownOpCode(17))
        #expect(violation(of: wrapped(opCode: 2002, size: 4, compressor: 0, noFlags)) == .unsupportedOpCode(.insert))
        #expect(violation(of: wrapped(opCode: 1, size: 4, compressor: 0, noFlags)) == .unsupportedOpCode(.reply))
        #expect(violation(of: wrapped(size: 4, compressor: 4, noFlags)) == .unknownCompressor(4))
        #expect(violation(of: frame(opCode: 2012, [])) == .endOfFrame)
    }

    @Test("a malformed message inside a good compression is found")
    func inside() throws {
        let malformed = try #require(context.wrap(frame(noFlags, [9]), .snappy))
        #expect(violation(of: malformed) == .unknownSectionKind(9))
        let invalid = try #require(context.wrap(frame(noFlags, [0], InvalidMessageTests.broken), .zlib))
        #expect(invalidMessage(in: invalid)?.envelope.compressor == .zlib)
    }

    @Test("a broken stream does not spoil the next", arguments: [Compressor.snappy, .zlib, .zstd])
    func recovers(compressor: Compressor) throws {
        let plain = RequestEncoder.msg(requestID: 1, body: text(5000))
        let (data, size) = try data(of: plain, compressor)
        _ = try? parse(wrapped(size: size, compressor: compressor.rawValue, data.dropLast(3)), compression: context)
        _ = try parse(wrapped(size: size, compressor: compressor.rawValue, data), compression: context)
    }

    @Test("negotiation keeps the client's order and drops what is not offered")
    func negotiation() {
        #expect(Compressor.negotiated(with: ["zlib", "noop", "lz4", "snappy"]) == [.zlib, .snappy])
        #expect(Compressor.negotiated(with: []) == [])
    }

    @Test("commands with secrets are not compressed")
    func secrets() {
        for name: StaticString in ["hello", "isMaster", "ismaster", "saslStart", "saslContinue", "createUser"] {
            #expect(!Compressor.mayCompress(command: RawKey(name)))
        }
        #expect(Compressor.mayCompress(command: RawKey("find")))
    }
}
