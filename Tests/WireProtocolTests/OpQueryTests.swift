import BSON
import NIOCore
import Testing

@testable import WireProtocol

@Suite struct OpQueryTests {
    private func parseQuery(_ frame: ByteBuffer) throws -> OpQuery {
        let request = try parse(frame)
        #expect(request.envelope.format == .query)
        #expect(request.envelope.expectsReply)
        guard case .query(let query) = request.operation else { throw WrongOperation() }
        return query
    }

    @Test("the handshake of a driver")
    func handshake() throws {
        let query = try parseQuery(RequestEncoder.query(requestID: 1, namespace: "admin.$cmd", command: ping()))
        #expect(query.database == "admin")
        #expect(query.command == ping())
    }

    @Test("a wrapped command is unwrapped")
    func wrapped() throws {
        let wrapper = Document {
            $0.append("$query", document: ping())
            $0.beginDocument("$readPreference")
            $0.end()
        }
        let query = try parseQuery(RequestEncoder.query(requestID: 1, namespace: "db.$cmd", command: wrapper))
        #expect(query.command == ping())
    }

    @Test("$query that is not a document is not a wrapper")
    func notWrapped() throws {
        let command = Document { $0.append("$query", int32: 1) }
        let query = try parseQuery(RequestEncoder.query(requestID: 1, namespace: "db.$cmd", command: command))
        #expect(query.command == command)
    }

    @Test("a query of a collection names no database to send a command to")
    func collection() throws {
        let query = try parseQuery(RequestEncoder.query(requestID: 1, namespace: "db.things", command: ping()))
        #expect(query.database == nil)
    }

    @Test("frames that make no sense close the connection", arguments: Self.malformedBodies)
    func malformed(body: [UInt8], expected: ProtocolError.Violation) {
        #expect(violation(of: frame(opCode: 2004, body)) == expected)
    }

    static let malformedBodies: [([UInt8], ProtocolError.Violation)] = [
        ([], .endOfFrame),
        (join(noFlags, [0x61, 0x62]), .endOfFrame),
        (noFlags + [0xC3, 0x28, 0], .identifierNotUTF8),
        (join(noFlags, [0x61, 0]), .endOfFrame),
        (join(noFlags, [0x61, 0], bytes(Int64(0))), .endOfFrame),
        (join(noFlags, [0x61, 0], bytes(Int64(0)), [6, 0, 0, 0, 0]), .documentLength(6)),
        (join(noFlags, [0x61, 0], bytes(Int64(0)), small, [1]), .endOfFrame),
        (join(noFlags, [0x61, 0], bytes(Int64(0)), small, small, [1]), .trailingBytes(1)),
    ]
}
