internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// How often queries have found documents by an index, through this server, since it started or the index was made.
///
/// A catalog entry is made anew with every change of its collection, so that what counts lives outside of it. The
/// number of an index is never used twice in one database of PostgreSQL, the UUID of its collection nowhere.
package final class IndexUsage: Sendable {
    private let operations = Atomic<Int64>(0)
    /// Milliseconds since 1970.
    package let since: Int64
    let statistics = IndexStatistics()

    private struct Name: Hashable {
        let collection: [UInt8]
        let index: Int64
    }

    private static let all = Mutex<[Name: IndexUsage]>([:])
    /// Indexes that are dropped through other servers stay here; beyond this all begin again.
    private static let countMax = 100_000

    init() {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        since = Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
    }

    package var count: Int64 { operations.load(ordering: .relaxed) }

    func note() { operations.wrappingAdd(1, ordering: .relaxed) }

    /// - Parameter collection: its UUID.
    static func of(_ index: Int64, in collection: [UInt8]) -> IndexUsage {
        let name = Name(collection: collection, index: index)
        return all.withLock { all in
            if let present = all[name] { return present }
            if all.count >= countMax { all.removeAll() }
            let usage = IndexUsage()
            all[name] = usage
            return usage
        }
    }

    /// It is gone, or counts from nothing.
    static func forget(_ index: Int64, in collection: [UInt8]) {
        all.withLock { $0[Name(collection: collection, index: index)] = nil }
    }
}
