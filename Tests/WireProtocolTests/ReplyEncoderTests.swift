import BSON
import NIOCore
import Testing

@testable import WireProtocol

@Suite struct ReplyEncoderTests {
    private static func envelope(_ format: Envelope.Format) -> Envelope {
        Envelope(requestID: 0x0102_0304, format: format, compressor: nil, expectsReply: true)
    }

    @Test("the bytes of an OP_MSG reply")
    func goldenMsg() {
        var reply = ReplyEncoder(to: Self.envelope(.msg), requestID: 9)
        reply.body.append("ok", double: 1)
        #expect(
            Array(reply.finish().readableBytesView) == [
                38, 0, 0, 0, 9, 0, 0, 0, 4, 3, 2, 1, 0xDD, 7, 0, 0,  // header, opcode 2013
                0, 0, 0, 0, 0,  // flags, kind
                17, 0, 0, 0, 1, 0x6F, 0x6B, 0, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0,  // {ok: 1.0}
            ])
    }

    @Test("the bytes of an OP_REPLY")
    func goldenReply() {
        var reply = ReplyEncoder(to: Self.envelope(.query), requestID: 9)
        reply.body.append("ok", double: 1)
        #expect(
            Array(reply.finish().readableBytesView) == [
                53, 0, 0, 0, 9, 0, 0, 0, 4, 3, 2, 1, 1, 0, 0, 0,  // header, opcode 1
                8, 0, 0, 0,  // flags: AwaitCapable
                0, 0, 0, 0, 0, 0, 0, 0,  // cursor
                0, 0, 0, 0, 1, 0, 0, 0,  // starting from, number of documents
                17, 0, 0, 0, 1, 0x6F, 0x6B, 0, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 0,  // {ok: 1.0}
            ])
    }

    @Test("the bytes of a request, with sequence and checksum")
    func goldenRequest() {
        let request = RequestEncoder.msg(
            requestID: 2, flags: [.checksumPresent, .exhaustAllowed],
            body: Document(unchecked: ByteBuffer(bytes: small)),
            sequences: [.init(identifier: "d", documents: [.empty, Document(unchecked: ByteBuffer(bytes: small))])])
        var expected: [UInt8] = [
            61, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xDD, 7, 0, 0,  // header
            1, 0, 1, 0, 0,  // flags, kind 0
            12, 0, 0, 0, 0x10, 0x61, 0, 1, 0, 0, 0, 0,  // {a: 1}
            1, 23, 0, 0, 0, 0x64, 0,  // kind 1, length, "d"
            5, 0, 0, 0, 0, 12, 0, 0, 0, 0x10, 0x61, 0, 1, 0, 0, 0, 0,  // {}, {a: 1}
        ]
        expected += bytes(expected.withUnsafeBytes { crc32c($0) })
        #expect(Array(request.readableBytesView) == expected)
    }

    @Test("what a server encodes a client reads", arguments: [Envelope.Format.msg, .query])
    func roundTrip(format: Envelope.Format) throws {
        var encoder = ReplyEncoder(to: Self.envelope(format), requestID: 9, flags: .moreToCome)
        encoder.body.append("ok", double: 1)
        let message = try #require(try decode(encoder.finish(), role: .client))
        let reply = try Reply(message, compression: CompressionContext())
        #expect(reply.responseTo == 0x0102_0304)
        #expect(reply.flags == (format == .msg ? .moreToCome : []))
        #expect(reply.document == Document { $0.append("ok", double: 1) })
    }

    @Test("finishing does not copy the reply")
    func noCopy() throws {
        var encoder = ReplyEncoder(to: Self.envelope(.msg), requestID: 9, reserving: 100_000)
        for _ in 0..<100 { encoder.body.append("text", document: text(500)) }
        let before = try #require(address(encoder.body.buffer))
        #expect(address(encoder.finish()) == before)
    }

    @Test("an open document is closed by finishing")
    func closesAll() throws {
        var encoder = ReplyEncoder(to: Self.envelope(.msg), requestID: 9)
        encoder.body.beginDocument("cursor")
        encoder.body.beginArray("firstBatch")
        let message = try #require(try decode(encoder.finish(), role: .client))
        _ = try Reply(message, compression: CompressionContext())
    }

    @Test("a client refuses replies that are not one valid document")
    func malformed() throws {
        let bodies: [(Int32, [UInt8])] = [
            (1, join(bytes(Int32(8)), bytes(Int64(0)), bytes(Int32(0)), bytes(Int32(2)), small, small)),
            (1, join(bytes(Int32(8)), bytes(Int64(0)), bytes(Int32(0)), bytes(Int32(1)), small, [0])),
            (1, bytes(Int32(8))),
            (2013, join(noFlags, [0], InvalidMessageTests.broken)),
        ]
        for (opCode, body) in bodies {
            let message = try #require(try decode(frame(opCode: opCode, body), role: .client))
            #expect(throws: ProtocolError.self) { try Reply(message, compression: CompressionContext()) }
        }
    }
}
