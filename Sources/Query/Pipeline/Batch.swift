package import BSON
package import CommandModel
package import NIOCore

/// Documents on their way through a pipeline, one after the other in one buffer.
///
/// Stages work batch by batch, so that what costs per call (a look into an enumeration, a deadline, a statement) is
/// paid once for many documents, and a batch stays small enough to be in the processor's cache.
package struct Batch: Sendable {
    /// A batch with that many bytes is full. A document larger than this makes a batch of its own.
    package static let bytesWanted = 256 * 1024
    /// Small documents cost by number, not by size.
    package static let documentsMax = 1024

    /// As large as a document may become between two stages; one that a client gets must be much smaller. A short path
    /// through an array can ask for any number of copies of what is there.
    package static let documentBytesMax = 64 * 1024 * 1024

    static func check(_ byteCount: Int) throws(CommandError) {
        guard byteCount <= documentBytesMax else {
            throw CommandError(
                .bsonObjectTooLarge,
                "BSONObj size: \(byteCount) is invalid. Size must be between 0 and \(documentBytesMax)")
        }
    }

    private var buffer = ByteBuffer()
    private var ends: [Int] = []

    package init() {}

    package init(_ documents: some Sequence<Document>) {
        for document in documents { document.withRaw { append($0) } }
    }

    package var count: Int { ends.count }
    package var isEmpty: Bool { ends.isEmpty }
    package var byteCount: Int { buffer.writerIndex }
    package var isFull: Bool { byteCount >= Self.bytesWanted || count >= Self.documentsMax }

    package mutating func append(_ document: RawDocument) {
        buffer.writeBytes(document.bytes)
        ends.append(buffer.writerIndex)
    }

    /// Appends the document that `write` makes.
    package mutating func append<E: Error>(_ write: (inout DocumentBuilder) throws(E) -> Void) throws(E) {
        var builder = DocumentBuilder(taking: &buffer)
        defer {
            builder.finish(into: &buffer)
            ends.append(buffer.writerIndex)
        }
        try write(&builder)
    }

    package mutating func removeAll() {
        buffer.clear()
        ends.removeAll(keepingCapacity: true)
    }

    /// Calls `body` with the documents from `position` on, until it gives false. `position` stands behind the last
    /// document that `body` took.
    package func forEach<E: Error>(
        from position: inout Int, _ body: (RawDocument) throws(E) -> Bool
    ) throws(E) {
        let ends = ends
        try withReadable(buffer) { bytes throws(E) in
            while position < ends.count {
                let start = position == 0 ? 0 : ends[position - 1]
                let document = RawDocument(unchecked: UnsafeRawBufferPointer(rebasing: bytes[start..<ends[position]]))
                guard try body(document) else { return }
                position += 1
            }
        }
    }

    /// Calls `body` with one document.
    package func withDocument<R, E: Error>(_ index: Int, _ body: (RawDocument) throws(E) -> R) throws(E) -> R {
        let range = (index == 0 ? 0 : ends[index - 1])..<ends[index]
        return try withReadable(buffer) { bytes throws(E) in
            try body(RawDocument(unchecked: UnsafeRawBufferPointer(rebasing: bytes[range])))
        }
    }

    package var documents: [Document] {
        var (position, documents) = (0, [Document]())
        forEach(from: &position) { document in
            documents.append(Document(copying: document))
            return true
        }
        return documents
    }
}
