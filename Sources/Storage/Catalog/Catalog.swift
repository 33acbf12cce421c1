package import BSON
package import CommandModel
internal import NIOConcurrencyHelpers
package import NIOCore
package import Postgres
internal import SQL
package import Synchronization

/// The collections: PostgreSQL's rows are the truth, this is the cache in front of them.
///
/// Only presence is cached. A stale entry is harmless: whatever changes the meaning of a name gives its table a new
/// number (`sql/migrations`), so work on the old one fails with "undefined table", and the caller forgets the entry
/// and asks again. Absence is never cached, so that a collection made by another server is seen at once; nor are views,
/// which have no table that could be missing.
package final class Catalog: Sendable {
    private let cache = NIOLockedValueBox<[Namespace: Collection]>([:])
    /// By the UUID of their collection: entries come and go.
    let indexFilters = NIOLockedValueBox<[[UInt8]: [IndexFilter]]>([:])
    let pool: DatabasePool<GeneralWorker>
    /// Those that this server is making.
    let unfinished = NIOLockedValueBox<Set<Namespace>>([])
    /// Collections with more documents stay open for writers while indexes are built.
    package let onlineBuildRowsMin = Atomic<Int>(5_000)
    /// Attempts of one change among changes by others.
    private static let optionChangesMax = 20

    init(pool: DatabasePool<GeneralWorker>) {
        self.pool = pool
    }

    package func collection(_ namespace: Namespace) async throws(StorageError) -> Collection? {
        if let cached = cached(namespace) { return cached }
        let row = try await pool.withConnection { connection throws(StorageError) in
            try CatalogSQL.find(namespace, on: connection)
        }
        return row.map(remember)
    }

    package func cached(_ namespace: Namespace) -> Collection? {
        cache.withLockedValue { $0[namespace] }
    }

    /// The collection, made with `options` when there is none.
    package func collectionOrCreate(
        _ namespace: Namespace, options: Document = .empty
    ) async throws(StorageError) -> (collection: Collection, isNew: Bool) {
        if let cached = cached(namespace) { return (cached, false) }
        try Self.checkForCreation(namespace)
        if let view = CollectionKind(options).view { return try await createView(namespace, view, options: options) }
        let (collection, isNew) = try await change { connection throws(StorageError) in
            try CatalogSQL.create(namespace, options: options, on: connection)
        }
        return (remember(collection), isNew)
    }

    /// - Returns: whether there was such a collection.
    package func drop(_ namespace: Namespace) async throws(StorageError) -> Bool {
        if let collection = cached(namespace) { clearIndexFilters(of: collection) }
        defer { forget(namespace) }
        return try await change { connection throws(StorageError) in
            try CatalogSQL.drop(namespace, on: connection)
        }
    }

    /// - Throws: NamespaceNotFound (26), NamespaceExists (48).
    package func rename(_ source: Namespace, to target: Namespace, dropTarget: Bool) async throws(StorageError) {
        try Self.checkForCreation(target)
        defer {
            forget(source)
            forget(target)
        }
        try await change { connection throws(StorageError) in
            try CatalogSQL.rename(source, to: target, dropTarget: dropTarget, on: connection)
        }
    }

    /// Changes the options of a collection. No write is committed that was made by the old ones, on no server.
    ///
    /// - Parameter change: gives the new options.
    /// - Throws: NamespaceNotFound (26).
    package func changeOptions(
        of namespace: Namespace, _ change: @escaping @Sendable (Document) -> Document
    ) async throws(StorageError) {
        defer { forget(namespace) }
        try await self.change { connection throws(StorageError) in
            for _ in 0..<Self.optionChangesMax {
                guard let present = try CatalogSQL.find(namespace, on: connection) else {
                    throw .command(CommandError(.namespaceNotFound, "ns does not exist: \(namespace)"))
                }
                let options = change(present.options)
                if options == present.options { return }
                if try CatalogSQL.changeOptions(of: present, to: options, on: connection) { return }
            }
            throw .command(
                CommandError(.writeConflict, "the options of \(namespace) were changed again and again"))
        }
    }

    /// The same collection under the number that its table has now; nil when it is gone, or is what it was.
    func renumbered(_ stale: Collection) async throws(StorageError) -> Collection? {
        forget(stale.namespace)
        guard let present = try await collection(stale.namespace) else { return nil }
        return present.uuid == stale.uuid && present.number != stale.number ? present : nil
    }

    package func drop(database: String) async throws(StorageError) {
        for namespace in try await collections(in: database).map(\.collection.namespace) {
            _ = try await drop(namespace)
        }
    }

    /// In the order of their names.
    package func collections(in database: String) async throws(StorageError) -> [CollectionSizes] {
        try await pool.withConnection { connection throws(StorageError) in
            try CatalogSQL.sizes(database: database, on: connection)
        }
    }

    package func databases() async throws(StorageError) -> [DatabaseSizes] {
        try await pool.withConnection { connection throws(StorageError) in
            try CatalogSQL.databases(on: connection)
        }
    }

    /// Runs DDL: again after a deadlock, and until no transaction holds what it needs.
    func change<R: Sendable>(
        _ work: @escaping @Sendable (Connection) throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        try await LockPatience.wait { (_) async throws(StorageError) in
            try await self.pool.withConnection { connection throws(StorageError) in
                try connection.repeatingRefused { () throws(StorageError) in try work(connection) }
            }
        }
    }

    package func forget(_ namespace: Namespace) {
        cache.withLockedValue { $0[namespace] = nil }
    }

    private func remember(_ collection: Collection) -> Collection {
        guard collection.view == nil else { return collection }
        let entry = cache.withLockedValue { cache in
            // Whoever came first stays, so that all work on one collection shares one entry.
            if let present = cache[collection.namespace], present.number == collection.number { return present }
            cache[collection.namespace] = collection
            return collection
        }
        equip(entry)
        return entry
    }

    static func checkForCreation(_ namespace: Namespace) throws(StorageError) {
        do throws(CommandError) { try namespace.validateForCreation() } catch { throw .command(error) }
    }
}

package struct CollectionSizes: Sendable {
    package let collection: Collection
    /// Bytes of the documents table and its overflow.
    package let storageSize: Int64
    /// Bytes of the indexes.
    package let indexSize: Int64
    /// By PostgreSQL's statistics; -1 when it has none.
    package let estimatedCount: Int64
}

package struct DatabaseSizes: Sendable {
    package let name: String
    /// Bytes on disk.
    package let size: Int64
}
