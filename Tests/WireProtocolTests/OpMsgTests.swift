import BSON
import NIOCore
import Testing

@testable import WireProtocol

@Suite struct OpMsgTests {
    @Test("a body alone")
    func bodyAlone() throws {
        let encoded = RequestEncoder.msg(requestID: 42, body: ping())
        let request = try parse(encoded)
        #expect(request.envelope == Envelope(requestID: 42, format: .msg, compressor: nil, expectsReply: true))
        let msg = try parseMsg(encoded)
        #expect(msg.flags == [])
        #expect(msg.body == ping())
        #expect(msg.sequences.isEmpty)
    }

    @Test("documents share the frame's memory, also beyond 16 MiB")
    func zeroCopy() throws {
        let big = text(9_000_000)
        let encoded = RequestEncoder.msg(
            requestID: 1, body: ping(), sequences: [.init(identifier: "documents", documents: [big, big, ping()])])
        let msg = try parseMsg(encoded)
        let base = try #require(address(encoded))
        #expect(address(msg.body.buffer) == base + 21)
        let documents = try #require(msg.sequences.first).documents
        #expect(documents == [big, big, ping()])
        let start = base + 21 + UInt(ping().count) + 1 + 4 + 10
        #expect(documents.map { address($0.buffer) } == [start, start + UInt(big.count), start + UInt(2 * big.count)])
    }

    @Test("sections come in any order, sequences may be empty")
    func order() throws {
        let msg = try parseMsg(frame(noFlags, sequence("x", small + emptyDocument), [0], small, sequence("y", [])))
        #expect(msg.body.buffer == ByteBuffer(bytes: small))
        #expect(msg.sequences.map(\.identifier) == ["x", "y"])
        let contents = msg.sequences.map { $0.documents.map { Array($0.buffer.readableBytesView) } }
        #expect(contents == [[small, emptyDocument], []])
    }

    @Test("optional flags are ignored, known ones kept")
    func flags() throws {
        let msg = try parseMsg(frame(bytes(UInt32(0x8001_0002)), [0], small))
        #expect(msg.flags.contains(.exhaustAllowed))
        #expect(msg.flags.contains(.moreToCome))
        #expect(!msg.flags.contains(.checksumPresent))
        #expect(try !parse(frame(bytes(UInt32(2)), [0], small)).envelope.expectsReply)
    }

    @Test("frames that make no sense close the connection", arguments: Self.malformedBodies)
    func malformed(body: [UInt8], expected: ProtocolError.Violation) {
        #expect(violation(of: frame(body)) == expected)
    }

    static let malformedBodies: [([UInt8], ProtocolError.Violation)] = [
        ([], .endOfFrame),
        ([0, 0, 0], .endOfFrame),
        (noFlags, .bodyCount(0)),
        (join(noFlags, [0]), .endOfFrame),
        (join(noFlags, [0, 5, 0, 0]), .endOfFrame),
        (join(noFlags, [0], small, [0]), .bodyCount(2)),
        (join(noFlags, [0], small, [0], small), .bodyCount(2)),
        (join(noFlags, [0], small, [2]), .unknownSectionKind(2)),
        (join(noFlags, [255], small), .unknownSectionKind(255)),
        (join(noFlags, [0, 4, 0, 0, 0, 0]), .documentLength(4)),
        (join(noFlags, [0, 6, 0, 0, 0, 0]), .documentLength(6)),
        (join(noFlags, [0, 255, 255, 255, 255, 0]), .documentLength(-1)),
        (join(noFlags, [0, 255, 255, 255, 127, 0]), .documentLength(.max)),
        (join(bytes(UInt32(4)), [0], small), .unknownRequiredFlags(4)),
        (join(bytes(UInt32(0x8000)), [0], small), .unknownRequiredFlags(0x8000)),
        (bytes(UInt32(1)), .endOfFrame),
        (join(noFlags, sequence("a", small)), .bodyCount(0)),
        (join(noFlags, [0], small, [1, 9, 0]), .endOfFrame),
        (join(noFlags, [0], small, sequence("a", [], length: 4)), .sequenceLength(4)),
        (join(noFlags, [0], small, sequence("a", [], length: 7)), .sequenceLength(7)),
        (join(noFlags, [0], small, sequence("a", [], length: -1)), .sequenceLength(-1)),
        (join(noFlags, [0], small, sequence("a", [], length: .max)), .sequenceLength(.max)),
        // The name's NUL lies behind the end of the section.
        (join(noFlags, [0], small, sequence("aaaa", small, length: 7)), .endOfFrame),
        // A document of a sequence that reaches over its end.
        (join(noFlags, sequence("a", small, length: 17), [0], small), .documentLength(12)),
        (join(noFlags, [0], small, sequence("a", small + [1])), .endOfFrame),
        (join(noFlags, [0], small, sequences(16)), .tooManySections),
    ]

    @Test("an identifier that is not UTF-8 closes the connection")
    func identifier() {
        let section: [UInt8] = [1, 7, 0, 0, 0, 0xC3, 0x28, 0]
        #expect(violation(of: frame(noFlags, [0], small, section)) == .identifierNotUTF8)
        #expect(violation(of: frame(noFlags, section, [0], small)) == .identifierNotUTF8)
    }

    private static func sequences(_ count: Int) -> [UInt8] {
        (0..<count).flatMap { sequence("s\($0)", []) }
    }

    @Test("fifteen sequences are not too many")
    func sequencesMax() throws {
        let msg = try parseMsg(frame(noFlags, [0], small, Self.sequences(15)))
        #expect(msg.sequences.count == 15)
    }
}

@Suite struct InvalidMessageTests {
    /// `{a: <string without its NUL>}`, of the right length.
    static let broken: [UInt8] = [13, 0, 0, 0, 0x02, 0x61, 0, 1, 0, 0, 0, 0x62, 0]

    @Test(
        "a broken document in a good frame can be answered",
        arguments: [
            join(noFlags, [0], broken),
            join(noFlags, [0], small, sequence("documents", small + broken)),
        ])
    func invalidBSON(body: [UInt8]) throws {
        let message = try #require(invalidMessage(in: frame(requestID: 99, body)))
        #expect(message.envelope == Envelope(requestID: 99, format: .msg, compressor: nil, expectsReply: true))
        guard case .invalidBSON = message.reason else { Issue.record("\(message.reason)"); return }
    }

    @Test("a broken unacknowledged message is not answered")
    func unacknowledged() throws {
        let message = try #require(invalidMessage(in: frame(bytes(UInt32(2)), [0], Self.broken)))
        #expect(!message.envelope.expectsReply)
    }

    @Test("a broken query is answered as a query")
    func query() throws {
        let body = join(noFlags, Array("admin.$cmd".utf8), [0], bytes(Int64(0)), Self.broken)
        let message = try #require(invalidMessage(in: frame(opCode: 2004, body)))
        #expect(message.envelope.format == .query)
    }

    @Test("a document may exceed the limit of users by the overhead, not by more")
    func documentSize() throws {
        let limit = 16_793_600
        #expect(limit == WireLimits.messageDocumentBytes)
        #expect(invalidMessage(in: RequestEncoder.msg(requestID: 1, body: document(of: limit))) == nil)
        let message = try #require(invalidMessage(in: RequestEncoder.msg(requestID: 1, body: document(of: limit + 1))))
        guard case .documentTooLarge(limit + 1) = message.reason else { Issue.record("\(message.reason)"); return }
    }

    private func document(of size: Int) -> Document {
        Document { $0.append("b", binary: [UInt8](repeating: 0, count: size - 13), subtype: 0) }
    }

    @Test("two sequences of one name")
    func duplicateSequence() throws {
        let body = join(noFlags, [0], small, sequence("docs", []), sequence("other", []), sequence("docs", small))
        let message = try #require(invalidMessage(in: frame(body)))
        guard case .duplicateSequence("docs") = message.reason else { Issue.record("\(message.reason)"); return }
    }

    @Test("a sequence that is also a field of the body, wherever the body stands")
    func sequenceIsAlsoField() throws {
        for body in [join([0], small, sequence("a", [])), join(sequence("a", []), [0], small)] {
            let message = try #require(invalidMessage(in: frame(noFlags, body)))
            guard case .sequenceIsAlsoField("a") = message.reason else { Issue.record("\(message.reason)"); return }
        }
    }

    @Test("names are compared byte by byte, not as Swift compares characters")
    func canonicalEquivalence() throws {
        let msg = try parseMsg(frame(noFlags, [0], small, sequence("\u{E9}", []), sequence("e\u{301}", [])))
        #expect(msg.sequences.count == 2)
    }

    @Test("an empty identifier is a name like others")
    func emptyIdentifier() throws {
        #expect(try parseMsg(frame(noFlags, [0], small, sequence("", small))).sequences.first?.identifier == "")
    }
}
