package import BSON
internal import NIOCore
internal import SQL

// What writes send, for people to read.
extension Collection {
    /// - Returns: the statements that store new documents, without those of retryable writes.
    package func shownInsert(of documents: [Document]) throws(StorageError) -> [ShownStatement] {
        if let only = documents.first, documents.count == 1 {
            let keys = try only.withRaw { raw throws(StorageError) in try KeyChanges(from: nil, to: raw, in: self) }
            let row: [Parameter] = [.bytea(insertKey(of: only)), .bytea(only.buffer)]
            return [ShownStatement(sql.insert.statement(row, changing: keys))]
        }
        let rows: [Parameter] = [
            .byteaArray(documents.map { insertKey(of: $0) }), .byteaArray(documents.map(\.buffer)),
        ]
        return [ShownStatement(Statement(sql.insertMany, rows))]
    }

    /// The statement that stores a changed document, or removes it, if its version is still the one that was read. What
    /// it does to the keys of indexes depends on the document.
    package func shownWrite(removes: Bool) -> ShownStatement {
        let row = removes ? ["the document's key", "the version read"] : ["the document's key", "the new document"]
        return ShownStatement(
            text: removes ? sql.delete.plain : sql.update.plain,
            parameters: removes ? row : row + ["the version read"])
    }
}
