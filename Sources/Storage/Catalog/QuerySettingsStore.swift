package import BSON
package import CommandModel
internal import NIOConcurrencyHelpers
internal import NIOCore
internal import Postgres
package import Query
internal import SQL
internal import Synchronization

/// Settings for queries of one shape, as they are stored.
package struct QuerySettingsEntry: Sendable {
    package let hash: QueryShapeHash
    /// Of the collection that the queries are on.
    package let namespace: Namespace
    /// A query of this shape, with `$db`.
    package let query: Document
    package let settings: QuerySettings

    /// As its row has it.
    fileprivate let stored: Document

    package init(hash: QueryShapeHash, namespace: Namespace, query: Document, settings: QuerySettings) {
        self.hash = hash
        self.namespace = namespace
        self.query = query
        self.settings = settings
        stored = Document { builder in
            builder.append("db", string: namespace.database)
            builder.append("coll", string: namespace.collection)
            builder.append("query", document: query)
            builder.append("settings", document: settings.document)
        }
    }

    /// - Returns: nil for what this server does not understand.
    fileprivate init?(hash: QueryShapeHash, stored: RawDocument) {
        guard let database = stored["db"]?.string, let collection = stored["coll"]?.string,
            let query = stored["query"]?.document, let document = stored["settings"]?.document,
            let settings = try? QuerySettings(stored: Document(copying: document))
        else { return nil }
        self.hash = hash
        namespace = Namespace(database: database, collection: collection)
        self.query = Document(copying: query)
        self.settings = settings
        self.stored = Document(copying: stored)
    }
}

/// The query settings: PostgreSQL's rows are the truth, this is the copy that every query asks.
///
/// What is set through another server is seen within seconds (``StorageEngine/refreshQuerySettings()``), as MongoDB's
/// routers see theirs; what is set through this one at once.
package final class QuerySettingsStore: Sendable {
    private struct Copy {
        /// Of the table; nothing was read yet.
        var version: Int64 = 0
        var entries: [QueryShapeHash: QuerySettingsEntry] = [:]
        var namespaces: Set<Namespace> = []
    }

    private let copy = NIOLockedValueBox(Copy())
    /// So that nobody pays for settings as long as there are none.
    private let hasEntries = Atomic<Bool>(false)
    /// As many as one server keeps.
    static let countMax = 10_000

    init() {}

    /// Whether there are settings for queries on a collection, so that the shape of a query matters.
    package func concern(_ namespace: @autoclosure () -> Namespace) -> Bool {
        guard hasEntries.load(ordering: .relaxed) else { return false }
        let namespace = namespace()
        return copy.withLockedValue { $0.namespaces.contains(namespace) }
    }

    package subscript(hash: QueryShapeHash) -> QuerySettingsEntry? { copy.withLockedValue { $0.entries[hash] } }

    /// In the order of their hashes.
    package var all: [QuerySettingsEntry] {
        copy.withLockedValue { Array($0.entries.values) }.sorted {
            $0.hash.bytes.lexicographicallyPrecedes($1.hash.bytes)
        }
    }

    fileprivate var version: Int64 { copy.withLockedValue(\.version) }

    fileprivate func replace(_ entries: [QueryShapeHash: QuerySettingsEntry], version: Int64) {
        copy.withLockedValue { copy in
            // Two may read at once; the older answer must not win.
            guard version > copy.version else { return }
            copy = Copy(version: version, entries: entries, namespaces: Set(entries.values.map(\.namespace)))
            hasEntries.store(!entries.isEmpty, ordering: .relaxed)
        }
    }
}

extension StorageEngine {
    /// Reads the settings anew if they have changed. To be called every few seconds.
    package func refreshQuerySettings() async throws(StorageError) {
        try await general.withConnection { connection throws(StorageError) in
            try self.refreshQuerySettings(on: connection)
        }
    }

    /// Changes the settings for queries of one shape, as everybody sees them at that moment.
    ///
    /// - Parameter change: gives the new entry; nil for none.
    package func changeQuerySettings(
        for hash: QueryShapeHash,
        _ change: @escaping @Sendable (QuerySettingsEntry?) throws(CommandError) -> QuerySettingsEntry?
    ) async throws(StorageError) -> QuerySettingsEntry? {
        try await catalog.change { connection throws(StorageError) in
            for _ in 0..<Self.settingsChangesMax {
                try self.refreshQuerySettings(on: connection)
                let present = self.querySettings[hash]
                let changed: QuerySettingsEntry?
                do throws(CommandError) { changed = try change(present) } catch { throw .command(error) }
                if try self.store(changed, inPlaceOf: present, hash, on: connection) { return changed }
            }
            throw .command(CommandError(.writeConflict, "the settings of \(hash) were changed again and again"))
        }
    }

    /// Attempts of one change among changes by others.
    private static let settingsChangesMax = 20

    private func store(
        _ changed: QuerySettingsEntry?, inPlaceOf present: QuerySettingsEntry?, _ hash: QueryShapeHash,
        on connection: Connection
    ) throws(StorageError) -> Bool {
        if present == nil, changed == nil { return true }
        guard present != nil || querySettings.all.count < QuerySettingsStore.countMax else {
            throw .command(
                CommandError(
                    .exceededMemoryLimit,
                    "there are settings for \(QuerySettingsStore.countMax) shapes of queries, and may be no more"))
        }
        let result = try CatalogSQL.execute(
            "SELECT martlet.change_query_settings($1, $2, $3)",
            [.bytes(hash.bytes), .entry(present?.stored), .entry(changed?.stored)], on: connection)
        try refreshQuerySettings(on: connection)
        return result.bool(row: 0, column: 0) ?? false
    }

    private func refreshQuerySettings(on connection: Connection) throws(StorageError) {
        let known = querySettings.version
        let result = try CatalogSQL.execute(
            """
            SELECT v.version, s.hash, s.entry FROM martlet.query_settings_version v \
            LEFT JOIN martlet.query_settings s ON v.version <> $1
            """, [.int8(known)], on: connection)
        guard let version = result.int8(row: 0, column: 0), version != known else { return }
        var entries: [QueryShapeHash: QuerySettingsEntry] = [:]
        for row in 0..<result.rowCount {
            guard let bytes = result.bytes(row: row, column: 1), let hash = QueryShapeHash(bytes: Array(bytes)),
                let stored = result.bytes(row: row, column: 2).flatMap(RawDocument.init)
            else { continue }
            entries[hash] = QuerySettingsEntry(hash: hash, stored: stored)
        }
        querySettings.replace(entries, version: version)
    }
}

extension Parameter {
    fileprivate static func entry(_ document: Document?) -> Parameter {
        document.map { .bytea($0.buffer) } ?? .null(.bytea)
    }
}
