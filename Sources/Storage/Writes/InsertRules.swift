internal import BSON
internal import CommandModel
internal import NIOCore

/// What a document must be to be inserted into a collection that is more than a table of documents.
struct InsertRules {
    /// Bytes of an `_id` by which a clustered collection is ordered, as MongoDB encodes it.
    private static let recordIDBytesMax = 8 * 1024 * 1024

    private let collection: Collection

    fileprivate init(_ collection: Collection) {
        self.collection = collection
    }

    /// - Returns: the positions of the documents to insert, and those that are refused with their errors. When
    ///   `isOrdered` nothing behind the first refused one.
    func sift(
        _ documents: [Document], isOrdered: Bool
    ) -> (accepted: [Int], refused: [(index: Int, error: CommandError)]) {
        var accepted: [Int] = []
        var refused: [(index: Int, error: CommandError)] = []
        for (index, document) in documents.enumerated() {
            if let refusal = refusal(of: document) {
                refused.append((index, refusal))
                if isOrdered { break }
            } else {
                accepted.append(index)
            }
        }
        return (accepted, refused)
    }

    /// The errors of those that were inserted, in the words for this collection, and of those that were not.
    func merge(
        _ failed: [(index: Int, error: CommandError)], _ refused: [(index: Int, error: CommandError)],
        of documents: [Document], isOrdered: Bool
    ) -> [(index: Int, error: CommandError)] {
        let told = failed.map { ($0.index, worded($0.error, documents[$0.index])) }
        if isOrdered, let first = told.first { return [first] }
        return (told + refused).sorted { $0.0 < $1.0 }
    }

    private func refusal(of document: Document) -> CommandError? {
        switch collection.kind {
        case .timeseries(let fields): Self.refusal(of: document, fields)
        case .clustered: document.withRaw { Self.refusal(of: $0["_id"]) }
        case .plain, .capped, .view: nil
        }
    }

    private static func refusal(of document: Document, _ fields: TimeseriesFields) -> CommandError? {
        let hasTime = document.withRaw { $0.field(fields.time)?.date != nil }
        if hasTime { return nil }
        return CommandError(
            .badValue, "'\(fields.time)' must be present and contain a valid BSON UTC datetime value")
    }

    private static func refusal(of id: RawValue?) -> CommandError? {
        guard let id else { return nil }
        let bytes =
            switch id.type {
            case .string: id.bytes.count - 5 + 2
            case .binary: id.bytes.count - 5 + 7
            default: id.bytes.count
            }
        guard bytes > recordIDBytesMax else { return nil }
        return CommandError(
            ErrorCode(5_894_900), "an '_id' of a clustered collection must not be longer than \(recordIDBytesMax) bytes"
        )
    }

    /// MongoDB has codes of its own for the `_id`s of a clustered collection that are no finite number.
    private func worded(_ error: CommandError, _ document: Document) -> CommandError {
        guard collection.isClustered, error.code == .duplicateKey else { return error }
        let id = document.withRaw { $0["_id"]?.number?.asDouble }
        guard let id, !id.isFinite else { return error }
        return CommandError(ErrorCode(id.isNaN ? 50_819 : 50_826), error.message, details: error.details)
    }
}

extension Collection {
    /// nil where a document is judged by nothing but its key.
    var insertRules: InsertRules? {
        isClustered || timeseries != nil ? InsertRules(self) : nil
    }

    /// What stands in the column `id` of a document that is to be inserted. A measurement of a time series has no key
    /// that no other has: its time puts it in order, chance tells it from others.
    func insertKey(of document: Document) -> ByteBuffer {
        guard let timeseries else { return document.withRaw { self.key(ofDocument: $0) } }
        var made = document.withRaw { raw in raw.field(timeseries.time).map { self.key(of: $0) } } ?? ByteBuffer()
        made.writeInteger(UInt64.random(in: 0 ... .max))
        made.writeInteger(UInt64.random(in: 0 ... .max))
        return made
    }
}

extension RawDocument {
    /// The first field of this name, which is no literal.
    fileprivate func field(_ name: String) -> RawValue? {
        for field in self where field.key.bytes.elementsEqual(name.utf8) { return field.value }
        return nil
    }
}
