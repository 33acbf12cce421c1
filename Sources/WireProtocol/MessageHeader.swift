internal import NIOCore

/// What a message is: the numbers are those of the wire.
package enum OpCode: Int32, Sendable {
    case reply = 1
    case update = 2001
    case insert = 2002
    case query = 2004
    case getMore = 2005
    case delete = 2006
    case killCursors = 2007
    case compressed = 2012
    case msg = 2013
}

/// The 16 bytes that begin every message, little endian.
package struct MessageHeader: Sendable, Equatable {
    /// The whole message, this header included.
    package var length: Int32
    package var requestID: Int32
    /// The `requestID` of the message that this one answers; 0 in requests.
    package var responseTo: Int32
    package var opCode: OpCode

    package init(length: Int32 = 0, requestID: Int32, responseTo: Int32 = 0, opCode: OpCode) {
        self.length = length
        self.requestID = requestID
        self.responseTo = responseTo
        self.opCode = opCode
    }
}

extension ByteBuffer {
    mutating func writeHeader(_ header: MessageHeader) {
        writeMultipleIntegers(
            header.length, header.requestID, header.responseTo, header.opCode.rawValue, endianness: .little)
    }

    /// Writes the final length of what begins with its length at `start`.
    mutating func patchLength(at start: Int) {
        setInteger(Int32(truncatingIfNeeded: writerIndex - start), at: start, endianness: .little)
    }
}
