package import BSON
package import CommandModel
package import NIOCore
package import Query

/// The documents of one reply batch, written straight into the reply.
///
/// Bounded by a number of documents and by MongoDB's 16 MiB; a first document is always taken, however large.
package struct ReplyBatch: Sendable {
    package static let bytesMax = 16 * 1024 * 1024
    /// Of one document that a pipeline makes: what it adds to a stored one of the largest size has room, as in MongoDB.
    static let documentBytesMax = bytesMax + 16 * 1024

    /// An array of the reply is open in it.
    package private(set) var builder: DocumentBuilder
    package private(set) var count = 0
    private let documentsMax: Int
    private let projection: Projection?
    private let showsRecordID: Bool
    private let returnsKey: Bool
    private let origin: Int

    package init(into builder: DocumentBuilder, documentsMax: Int) {
        self.init(into: builder, documentsMax: documentsMax, showing: FindQuery(filter: .everything))
    }

    /// - Parameter query: what it shows of each document.
    package init(into builder: DocumentBuilder, documentsMax: Int, showing query: FindQuery) {
        self.builder = builder
        self.documentsMax = documentsMax
        projection = query.projection
        showsRecordID = query.showsRecordID
        returnsKey = query.returnsKey
        origin = builder.count
    }

    /// Whether more than the document goes into the reply.
    var needsFacts: Bool { showsRecordID || returnsKey || projection?.needsFacts == true }

    package var isFull: Bool { count >= documentsMax }
    package var remaining: Int { documentsMax - count }

    /// - Returns: false when the document does not fit any more; it belongs to the next batch.
    @inline(__always)
    package mutating func append(_ document: RawDocument) throws(CommandError) -> Bool {
        guard count == 0 || builder.count - origin + document.bytes.count <= Self.bytesMax else { return false }
        try builder.append(index: count, document, through: projection)
        count += 1
        return true
    }

    /// The same, when more than the document goes into the reply.
    mutating func append(_ document: RawDocument, _ facts: RowFacts) throws(CommandError) -> Bool {
        guard count == 0 || builder.count - origin + document.bytes.count <= Self.bytesMax else { return false }
        builder.beginDocument(index: count)
        if returnsKey {
            facts.indexKey?.withRaw { key in for field in key { builder.append(field) } }
        } else {
            try (projection ?? .identity).write(document, into: &builder, facts: facts)
        }
        if showsRecordID { builder.append("$recordId", int64: facts.recordID) }
        builder.end()
        count += 1
        return true
    }
}

extension DocumentBuilder {
    /// Appends a row as an array element: as it is, or what the projection leaves of it.
    @inline(__always)
    package mutating func append(
        index: Int, _ document: RawDocument, through projection: Projection?
    ) throws(CommandError) {
        guard let projection else { return append(index: index, documentBytes: document.bytes) }
        beginDocument(index: index)
        try projection.write(document, into: &self)
        end()
    }
}
