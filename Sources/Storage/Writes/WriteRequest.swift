package import BSON
package import CommandModel
package import NIOCore
package import Postgres

/// One single-document write on its way to a writer thread.
package struct WriteRequest: Sendable {
    package enum Kind: Sendable {
        case insert(Document)
        case modify(DocumentOperation)
    }

    package let collection: Collection
    package let key: ByteBuffer
    package let kind: Kind
    let continuation: UnsafeContinuation<Result<DocumentOutcome, StorageError>, Never>

    func answer(_ result: Result<DocumentOutcome, StorageError>) {
        continuation.resume(returning: result)
    }
}
