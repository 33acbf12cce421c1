internal import NIOConcurrencyHelpers
internal import NIOCore

/// The documents that writes by filter are about to change, so that no two of them choose the same one.
///
/// Workers that take jobs from one collection all ask for the first open one. Without this they all find the same
/// document, one of them gets it, and the others search again, and find the next one together: work that grows with
/// the square of their number. So a write takes more candidates than it needs, as many as others are busy with, and
/// goes for the first that nobody else goes for: what SKIP LOCKED does for rows, before there is any lock.
///
/// A hint only: the lane of the document decides, across servers, too. When all candidates are taken the first is as
/// good as any.
final class Candidates: Sendable {
    /// More than this are not looked at: then writes meet in lanes, as they do without this.
    static let lookAheadMax = 64

    private let taken = NIOLockedValueBox<[Int64: Set<ByteBuffer>]>([:])

    /// How many candidates a search should bring.
    func wanted(in collection: Collection) -> Int {
        min(Self.lookAheadMax, taken.withLockedValue { $0[collection.number]?.count ?? 0 } + 1)
    }

    /// The first of `keys` that nobody else goes for; nil for an empty list. ``release(_:in:)`` must follow.
    func choose(_ keys: [ByteBuffer], in collection: Collection) -> (key: ByteBuffer, isMine: Bool)? {
        guard let first = keys.first else { return nil }
        return taken.withLockedValue { taken in
            for key in keys where taken[collection.number, default: []].insert(key).inserted { return (key, true) }
            return (first, false)
        }
    }

    func release(_ key: ByteBuffer, in collection: Collection) {
        taken.withLockedValue { taken in
            taken[collection.number]?.remove(key)
            if taken[collection.number]?.isEmpty == true { taken[collection.number] = nil }
        }
    }
}
