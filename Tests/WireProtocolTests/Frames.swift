import BSON
import NIOCore

@testable import WireProtocol

/// Bytes of a frame put together by hand, whatever nonsense they are: the length is right unless given.
func frame(opCode: Int32 = 2013, length: Int32? = nil, requestID: Int32 = 7, _ parts: [UInt8]...) -> ByteBuffer {
    let body = Array(parts.joined())
    var buffer = ByteBuffer()
    buffer.writeMultipleIntegers(
        length ?? Int32(16 + body.count), requestID, Int32(0), opCode, endianness: .little)
    buffer.writeBytes(body)
    return buffer
}

/// Parts in a row; the type checker takes seconds for the same with many `+`.
func join(_ parts: [UInt8]...) -> [UInt8] {
    Array(parts.joined())
}

func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// `{}`.
let emptyDocument: [UInt8] = [5, 0, 0, 0, 0]

/// `{a: 1}`.
let small: [UInt8] = [12, 0, 0, 0, 0x10, 0x61, 0, 1, 0, 0, 0, 0]

let noFlags: [UInt8] = [0, 0, 0, 0]

/// A kind 1 section.
func sequence(_ identifier: String, _ documents: [UInt8], length: Int32? = nil) -> [UInt8] {
    let name = Array(identifier.utf8) + [0]
    return [1] + bytes(length ?? Int32(4 + name.count + documents.count)) + name + documents
}

func ping() -> Document {
    Document {
        $0.append("ping", int32: 1)
        $0.append("$db", string: "admin")
    }
}

/// A document with a string of `size` characters that compress well.
func text(_ size: Int) -> Document {
    Document { $0.append("text", string: String(repeating: "swift ", count: size / 6 + 1)) }
}

func decode(_ frame: ByteBuffer, role: FrameDecoder.Role = .server) throws(ProtocolError) -> InboundMessage? {
    var decoder = FrameDecoder(role: role)
    var buffer = frame
    return try decoder.decode(buffer: &buffer)
}

/// Through the decoder and the parser, as a server does.
func parse(
    _ frame: ByteBuffer, compression: CompressionContext = CompressionContext()
) throws(RequestError) -> Request {
    let message: InboundMessage?
    do throws(ProtocolError) { message = try decode(frame) } catch { throw .malformed(error) }
    guard let message else { preconditionFailure("the test's frame is not whole") }
    return try Request(message, compression: compression)
}

func parseMsg(_ frame: ByteBuffer) throws -> OpMsg {
    guard case .msg(let msg) = try parse(frame).operation else { throw WrongOperation() }
    return msg
}

struct WrongOperation: Error {}

/// What was wrong with the frame, nil when nothing was or when a server would answer it.
func violation(of frame: ByteBuffer) -> ProtocolError.Violation? {
    do throws(RequestError) {
        _ = try parse(frame)
        return nil
    } catch {
        guard case .malformed(let error) = error else { return nil }
        return error.violation
    }
}

/// What a server would answer, nil when the message was in order or the connection would be closed.
func invalidMessage(in frame: ByteBuffer) -> InvalidMessage? {
    do throws(RequestError) {
        _ = try parse(frame)
        return nil
    } catch {
        guard case .invalid(let message) = error else { return nil }
        return message
    }
}
