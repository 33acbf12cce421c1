package import BSON
package import CommandModel
internal import Postgres

// Collections that are more than a table of documents.
extension Catalog {
    /// What a namespace stands for when it is read: follows views down to a collection.
    ///
    /// - Parameter transaction: whose own collections are known to nobody else yet.
    package func resolve(
        _ namespace: Namespace, for transaction: OpenTransaction? = nil
    ) async throws(StorageError) -> ResolvedNamespace {
        var current = namespace
        var pipeline: [Document] = []
        var collation: Document?
        for depth in 0...ViewGraph.depthMax {
            let own = transaction?.ownCollection(current)
            var collection = if let own { Optional(own) } else { try await collection(current) }
            if collection == nil { collection = try await buckets(current) }
            guard let view = collection?.view else {
                return ResolvedNamespace(
                    namespace: current, collection: collection, pipeline: pipeline, collation: collation,
                    isView: depth > 0)
            }
            if depth == 0 { collation = view.collation }
            pipeline = view.pipeline + pipeline
            current = Namespace(database: namespace.database, collection: view.source)
        }
        throw .command(
            CommandError(
                ErrorCode(165, "ViewDepthLimitExceeded"), "View depth limit of \(ViewGraph.depthMax) exceeded"))
    }

    /// What there is to be read of the buckets of a time series; nil for other names.
    func buckets(_ namespace: Namespace) async throws(StorageError) -> Collection? {
        guard let name = namespace.ofBuckets, let series = try await collection(name), let fields = series.timeseries
        else { return nil }
        return BucketsView.collection(namespace, of: series, fields)
    }

    func createView(
        _ namespace: Namespace, _ view: ViewDefinition, options: Document
    ) async throws(StorageError) -> (collection: Collection, isNew: Bool) {
        try await transaction { connection throws(StorageError) in
            if let existing = try CatalogSQL.find(namespace, on: connection) { return (existing, false) }
            var views = try CatalogSQL.lockedViews(of: namespace.database, on: connection)
            do throws(CommandError) { try views.add(namespace.collection, view) } catch { throw .command(error) }
            let (made, isNew) = try CatalogSQL.create(namespace, options: options, on: connection)
            return (made, isNew)
        }
    }

    /// Changes the options of a collection.
    ///
    /// - Parameter change: gives the new options, which are of the same kind.
    /// - Returns: false when there is no such collection.
    package func modify(
        _ namespace: Namespace, _ change: @escaping @Sendable (Collection) throws(CommandError) -> Document
    ) async throws(StorageError) -> Bool {
        defer { forget(namespace) }
        return try await transaction { connection throws(StorageError) in
            guard let collection = try CatalogSQL.findLocked(namespace, on: connection) else { return false }
            let options: Document
            do throws(CommandError) { options = try change(collection) } catch { throw .command(error) }
            if options == collection.options { return true }
            if let view = CollectionKind(options).view {
                var views = try CatalogSQL.lockedViews(of: namespace.database, on: connection)
                do throws(CommandError) { try views.add(namespace.collection, view) } catch { throw .command(error) }
            }
            try CatalogSQL.modify(collection, options: options, on: connection)
            return true
        }
    }

    /// - Returns: false when there is no such collection.
    package func convertToCapped(
        _ namespace: Namespace, options: Document, size: Int64
    ) async throws(StorageError) -> Bool {
        defer { forget(namespace) }
        return try await change { connection throws(StorageError) in
            try CatalogSQL.convertToCapped(namespace, options: options, size: size, on: connection)
        }
    }

    /// - Throws: NamespaceNotFound (26), NamespaceExists (48).
    package func cloneAsCapped(
        _ source: Namespace, to target: Namespace, options: Document, size: Int64
    ) async throws(StorageError) {
        try Self.checkForCreation(target)
        try await change { connection throws(StorageError) in
            try CatalogSQL.cloneAsCapped(source, to: target, options: options, size: size, on: connection)
        }
    }

    /// Several statements of the catalog in one transaction.
    func transaction<R: Sendable>(
        _ work: @escaping @Sendable (Connection) throws(StorageError) -> R
    ) async throws(StorageError) -> R {
        try await change { connection throws(StorageError) in
            connection.begin("BEGIN")
            let result: R
            do throws(StorageError) { result = try work(connection) } catch {
                _ = connection.restoreIdle()
                throw error
            }
            do throws(PostgresError) { try connection.commit() } catch { throw .postgres(error) }
            return result
        }
    }
}
