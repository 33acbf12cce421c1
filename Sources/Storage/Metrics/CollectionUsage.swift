package import Metrics
internal import Synchronization

/// What queries have looked at, of one collection or of all, through this server since it started.
///
/// A catalog entry is made anew with every change of its collection, so that what counts lives outside of it, by the
/// UUID, which is never used twice.
package final class CollectionUsage: Sendable {
    /// Queries that had no keys to go by and read the collection from one end; of these, the ones that tail it.
    package let scans = Counter()
    package let tailableScans = Counter()
    /// Keys of indexes, and documents.
    package let keysExamined = Counter()
    package let documentsExamined = Counter()

    /// Of all collections together.
    package static let all = CollectionUsage()

    private static let byCollection = Mutex<[[UInt8]: CollectionUsage]>([:])
    /// Collections that are dropped stay here; beyond this all begin again.
    private static let countMax = 100_000

    private init() {}

    /// - Parameter collection: its UUID; empty for what is no collection.
    static func of(_ collection: [UInt8]) -> CollectionUsage {
        if collection.isEmpty { return CollectionUsage() }
        return byCollection.withLock { known in
            if let present = known[collection] { return present }
            if known.count >= countMax { known.removeAll() }
            let usage = CollectionUsage()
            known[collection] = usage
            return usage
        }
    }

    func beginScan(isTailable: Bool) {
        for usage in [self, Self.all] {
            usage.scans.count()
            if isTailable { usage.tailableScans.count() }
        }
    }

    func examine(_ rows: Int, byKeys: Bool) {
        guard rows > 0 else { return }
        Self.all.documentsExamined.count(rows)
        if byKeys { Self.all.keysExamined.count(rows) }
    }
}

extension ScanPlan {
    /// To be called before rows are asked for.
    func noteUse() {
        guard readsEverything, after == nil else { return }
        collection.usage.beginScan(isTailable: isTailable)
    }

    /// Whether nothing narrows the rows. The order of `_id` is that of an index.
    private var readsEverything: Bool {
        keys == nil && points == nil && lower == nil && upper == nil && among.isEmpty && scored == nil
            && counts == nil && !order.isByID
    }
}
