package import BSON
package import NIOCore

/// Writes requests, as a client does: for `martlet ping`, for tests and for load.
package enum RequestEncoder {
    /// An OP_MSG with its checksum when `flags` ask for one.
    package static func msg(
        requestID: Int32, flags: OpMsgFlags = [], body: Document, sequences: [DocumentSequence] = []
    ) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeHeader(MessageHeader(requestID: requestID, opCode: .msg))
        buffer.writeMultipleIntegers(flags.rawValue, UInt8(0), endianness: .little)
        buffer.writeImmutableBuffer(body.buffer)
        for sequence in sequences { buffer.writeSequence(sequence) }
        if flags.contains(.checksumPresent) {
            buffer.writeChecksum()
        } else {
            buffer.patchLength(at: 0)
        }
        return buffer
    }

    /// The first message of a driver that does not know yet whether the server speaks OP_MSG.
    package static func query(requestID: Int32, namespace: String, command: Document) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeHeader(MessageHeader(requestID: requestID, opCode: .query))
        buffer.writeInteger(Int32(0), endianness: .little)
        buffer.writeNullTerminatedString(namespace)
        // Skip nothing, return one document and close the cursor.
        buffer.writeMultipleIntegers(Int32(0), Int32(-1), endianness: .little)
        buffer.writeImmutableBuffer(command.buffer)
        buffer.patchLength(at: 0)
        return buffer
    }
}

extension ByteBuffer {
    fileprivate mutating func writeSequence(_ sequence: DocumentSequence) {
        writeInteger(UInt8(1))
        let start = writerIndex
        writeInteger(Int32(0), endianness: .little)
        writeNullTerminatedString(sequence.identifier)
        for document in sequence.documents { writeImmutableBuffer(document.buffer) }
        patchLength(at: start)
    }

    /// The checksum covers the header, whose length must count the checksum.
    fileprivate mutating func writeChecksum() {
        let position = writerIndex
        writeInteger(UInt32(0), endianness: .little)
        patchLength(at: 0)
        let checksum = withReadable(self) { crc32c(UnsafeRawBufferPointer(rebasing: $0[..<position])) }
        setInteger(checksum, at: position, endianness: .little)
    }
}
