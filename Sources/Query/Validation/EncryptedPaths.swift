internal import BSON
internal import CommandModel

/// The fields of a collection that only clients encrypt, and that therefore hold nothing but what they have encrypted.
struct EncryptedPaths: Sendable {
    /// The subtype of binary data that holds a value which a client has encrypted.
    ///
    /// Source: specifications/source/bson-binary-encrypted/binary-encrypted.md
    private static let encryptedSubtype: UInt8 = 6

    private let paths: [String]

    /// - Parameter options: `encryptedFields` of a collection.
    /// - Returns: nil when there is no such field.
    init?(_ options: RawDocument?) {
        paths = options?["fields"]?.array?.compactMap { $0.value.document?["path"]?.string } ?? []
        if paths.isEmpty { return nil }
    }

    /// - Throws: DocumentValidationFailure (121) for a document with a value in clear text.
    func check(_ document: RawDocument) throws(CommandError) {
        for path in paths {
            var path = path
            let isClear = path.withUTF8 { bytes in
                guard let start = bytes.baseAddress else { return false }
                return Self.holdsClearText(document, RawKey(start: start, count: bytes.count).components[...])
            }
            if isClear { throw Self.failure(path, document) }
        }
    }

    private static func holdsClearText(_ document: RawDocument, _ path: ArraySlice<RawKey>) -> Bool {
        guard let key = path.first, let value = document[key] else { return false }
        if path.count > 1 { return value.document.map { holdsClearText($0, path.dropFirst()) } ?? false }
        return value.binary?.subtype != encryptedSubtype
    }

    private static func failure(_ path: String, _ document: RawDocument) -> CommandError {
        let account = Document { builder in
            if let id = document["_id"] { builder.append("failingDocumentId", id) }
            builder.beginDocument("details")
            builder.append("operatorName", string: "encryptedFields")
            builder.append("path", string: path)
            builder.append("reason", string: "the value is not encrypted")
            builder.end()
        }
        return CommandError(
            .documentValidationFailure, "Document failed validation",
            details: Document { $0.append("errInfo", document: account) })
    }
}
