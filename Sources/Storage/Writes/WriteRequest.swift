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
    /// Of an insert that is alone with its key.
    let keys: KeyChanges
    /// Recorded in the transaction of the write, if that has an effect.
    let claim: StatementClaim?
    /// The document was found locked by a transaction: expect that it still is.
    let meetsLocks: Bool
    /// Checked before the write begins; one that has begun is finished.
    let deadline: Deadline
    let continuation: UnsafeContinuation<Result<DocumentOutcome, StorageError>, Never>

    init(
        collection: Collection, key: ByteBuffer, kind: Kind, keys: KeyChanges = KeyChanges(),
        claim: StatementClaim? = nil, meetsLocks: Bool = false,
        deadline: Deadline = .never,
        continuation: UnsafeContinuation<Result<DocumentOutcome, StorageError>, Never>
    ) {
        self.collection = collection
        self.key = key
        self.kind = kind
        self.keys = keys
        self.claim = claim
        self.meetsLocks = meetsLocks
        self.deadline = deadline
        self.continuation = continuation
    }

    func answer(_ result: Result<DocumentOutcome, StorageError>) {
        continuation.resume(returning: result)
    }

    /// Answers a write that has waited for longer than it may.
    func isTooLate() -> Bool {
        guard let failure = deadline.failure else { return false }
        answer(.failure(.command(failure)))
        return true
    }
}
