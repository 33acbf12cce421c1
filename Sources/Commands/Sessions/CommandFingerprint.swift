internal import BSON
internal import CommandModel
internal import Storage

extension CommandRequest {
    /// What two sendings of one command have in common, for an application's key: everything that belongs to the
    /// command itself. Not its session, concerns and time limit; nor the ObjectIds with which drivers fill in a missing
    /// `_id`, since another process that inserts the same document makes another one.
    var fingerprint: RetryIdentity.Fingerprint {
        var fingerprint = RetryIdentity.Fingerprint()
        body.withRaw { raw in
            for field in raw where !SharedArguments.contains(field.key) {
                fingerprint.add(field.key.bytes)
                if let elements = field.value.array, field.key == "documents" || field.key == "ops" {
                    for element in elements { element.value.document.map { fingerprint.add(inserted: $0) } }
                } else {
                    fingerprint.add(field.value.bytes)
                }
            }
        }
        for sequence in sequences {
            var name = sequence.identifier
            name.withUTF8 { fingerprint.add(UnsafeRawBufferPointer($0)) }
            for document in sequence.documents { document.withRaw { fingerprint.add(inserted: $0) } }
        }
        return fingerprint
    }
}

extension RetryIdentity.Fingerprint {
    /// A document to be inserted, or an operation of `bulkWrite` that holds one.
    fileprivate mutating func add(inserted document: RawDocument) {
        for field in document where !(field.key == "_id" && field.value.type == .objectID) {
            add(field.key.bytes)
            if field.key == "document", let inner = field.value.document {
                add(inserted: inner)
            } else {
                add(field.value.bytes)
            }
        }
    }
}
