import BSON
import NIOCore
import Testing

@testable import Storage

@Suite struct DocumentKeyTests {
    /// An `_id` string of this many bytes.
    private func key(ofLength length: Int, ending: String = "") -> ByteBuffer {
        DocumentKey.encode(.string(String(repeating: "x", count: length - ending.utf8.count) + ending))
    }

    /// The bytes that the encoding adds to a string without NUL.
    private var overhead: Int { key(ofLength: 10).readableBytes - 10 }

    @Test("keys up to the bound are whole, longer ones are cut to one length", arguments: [-2, -1, 0, 1, 2, 5_000])
    func bound(_ distance: Int) {
        let key = key(ofLength: DocumentKey.wholeLengthMax - overhead + distance)
        let isCut = distance > 0
        #expect(DocumentKey.isCut(key) == isCut)
        #expect(key.readableBytes == (isCut ? DocumentKey.prefixLength + 32 : DocumentKey.wholeLengthMax + distance))
        // PostgreSQL's bound on a B-tree entry, with room for the tuple header.
        #expect(key.readableBytes < 2_600)
    }

    @Test("cut keys are equal exactly when the values are")
    func equality() {
        #expect(key(ofLength: 4_000, ending: "a") == key(ofLength: 4_000, ending: "a"))
        #expect(key(ofLength: 4_000, ending: "a") != key(ofLength: 4_000, ending: "b"))
        #expect(key(ofLength: 4_000) != key(ofLength: 4_001))
        let int = json(#"{"_id": {"n": 1, "s": "\#(String(repeating: "y", count: 3_000))"}}"#)
        let double = json(#"{"_id": {"n": 1.0, "s": "\#(String(repeating: "y", count: 3_000))"}}"#)
        #expect(DocumentKey.isCut(int.key) && int.key == double.key)
    }

    @Test("no value's whole key is another value's cut key")
    func noCollision() {
        let cut = key(ofLength: 4_000)
        // The value whose encoding begins with the very bytes of the cut key is too long to be held whole.
        let forged = Value(type: .string, buffer: stringPayload(Array(cut.readableBytesView)))
        #expect(DocumentKey.isCut(DocumentKey.encode(forged)))
        #expect(DocumentKey.encode(forged) != cut)
    }

    @Test("cut keys keep the order of their prefixes, also against whole keys")
    func order() {
        let keys = [
            DocumentKey.encode(.string("a")), DocumentKey.encode(.string("b" + String(repeating: "x", count: 5_000))),
            DocumentKey.encode(.string("c")), DocumentKey.encode(.string("d" + String(repeating: "x", count: 3_000))),
            DocumentKey.encode(.string("e")),
        ]
        for (left, right) in zip(keys, keys.dropFirst()) { #expect(compare(left, right) < 0) }
    }

    @Test("the key of a document is that of its _id; null stands for a missing one")
    func ofDocument() {
        #expect(json(#"{"a": 1, "_id": 5}"#).key == DocumentKey.encode(.int32(5)))
        #expect(json(#"{"a": 1}"#).key == DocumentKey.encode(.null))
    }

    private func stringPayload(_ bytes: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.writeInteger(Int32(bytes.count + 1), endianness: .little)
        buffer.writeBytes(bytes + [0])
        return buffer
    }
}
