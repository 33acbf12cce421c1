package import BSON
internal import NIOCore

/// How well a document fits a `$text`, as it is found in keys and as it goes along with documents.
///
/// The score is a field at the end of a document, on its way from the query that found it to whoever asks `$meta` for
/// it, so that every stage in between takes it along like the others. Its name is no UTF-8, so that no document of a
/// client has it; what a client gets to see goes without (``Projection/hidingTextScore``).
package enum TextScore {
    /// Of a score in the documents that a program reads.
    package enum Use: Sendable {
        /// There is none.
        case none
        /// What comes out goes to the client, without the field.
        case shown
        /// What comes out goes on to others who may ask for it.
        case carried
    }

    /// At the end of a key's term.
    package static let keyBytes = 8

    static let fieldName: [UInt8] = [0xFF] + "textScore".utf8
    static let field = SortStep(name: fieldName, index: -1)

    /// The sum of the scores of keys, one after the other.
    package static func sum(of keys: UnsafeRawBufferPointer) -> Double {
        sum(
            stride(from: 0, through: keys.count - keyBytes, by: keyBytes).map { offset in
                let bits = keys.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                return Double(bitPattern: UInt64(bigEndian: bits))
            })
    }

    /// The same for the same scores in any order.
    static func sum(_ scores: [Double]) -> Double { scores.sorted().reduce(0, +) }

    /// Calls `body` with the document and the score in it.
    package static func withDocument<R, E: Error>(
        _ document: RawDocument, scoring score: Double, _ body: (RawDocument) throws(E) -> R
    ) throws(E) -> R {
        var bytes = Array(document.bytes.dropLast())
        bytes.append(BSONType.double.rawValue)
        bytes.append(contentsOf: fieldName)
        bytes.append(0)
        withUnsafeBytes(of: score.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
        bytes.append(0)
        let length = Int32(truncatingIfNeeded: bytes.count)
        withUnsafeBytes(of: length.littleEndian) { bytes.replaceSubrange(0..<4, with: $0) }
        return try withReadable(ByteBuffer(bytes: bytes)) { buffer throws(E) in
            try body(RawDocument(unchecked: buffer))
        }
    }
}
