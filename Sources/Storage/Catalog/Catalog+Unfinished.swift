package import BSON
package import CommandModel
internal import NIOConcurrencyHelpers
internal import Postgres
package import SQL

// Collections in the making, as `$out` has them (`sql/migrations/0008_unfinished_collections.sql`).
extension Catalog {
    /// How long one is left alone whose maker does not put off its end.
    static let unfinishedSeconds = 300

    /// A new collection that is dropped when this server dies before it is published.
    ///
    /// - Parameter template: whose indexes it gets; nil for none.
    /// - Throws: NamespaceExists (48).
    package func createUnfinished(
        _ namespace: Namespace, options: Document, like template: Collection?
    ) async throws(StorageError) {
        try Self.checkForCreation(namespace)
        let indexes: [IndexChange]
        do throws(CommandError) {
            indexes =
                try template.map { template throws(CommandError) in
                    try template.indexes.get().map { IndexChange.create($0.definition) }
                } ?? []
        } catch { throw .command(error) }
        unfinished.withLockedValue { _ = $0.insert(namespace) }
        try await transaction { connection throws(StorageError) in
            let (collection, isNew) = try CatalogSQL.create(namespace, options: options, on: connection)
            guard isNew else {
                throw .command(CommandError(.namespaceExists, "\(namespace) exists already"))
            }
            _ = try CatalogSQL.execute(
                "UPDATE martlet.collections SET expires_at = now() + $2 * interval '1 second' WHERE number = $1",
                [.int8(collection.number), .int4(Int32(Self.unfinishedSeconds))], on: connection)
            guard !indexes.isEmpty else { return }
            _ = try CatalogSQL.changeIndexes(
                of: namespace, creating: nil, mode: .atOnce, { (_) throws(CommandError) in indexes },
                on: connection)
        }
    }

    /// Puts an unfinished collection in the place of `target`.
    ///
    /// - Parameter options: those that it was made with.
    /// - Throws: CommandFailed (125) when the target has other options or indexes by now.
    package func publish(
        _ namespace: Namespace, as target: Namespace, options: Document
    ) async throws(StorageError) {
        let options = try CatalogOptions.column(for: options)
        defer {
            forget(namespace)
            forget(target)
        }
        let answer = try await change { connection throws(StorageError) in
            try CatalogSQL.execute(
                "SELECT martlet.publish_collection($1, $2, $3, $4)",
                [
                    .text(target.database), .text(namespace.collection), .text(target.collection),
                    .bytea(options.buffer),
                ], on: connection
            ).text(row: 0, column: 0)
        }
        switch answer {
        case "ok": noteEnd(of: namespace)
        case "options", "indexes":
            throw .command(
                CommandError(
                    ErrorCode(125, "CommandFailed"),
                    "\(answer ?? "") of target collection \(target) changed during processing"))
        default:
            throw .command(
                CommandError(.namespaceNotFound, "\(namespace) was dropped before it became \(target)"))
        }
    }

    /// Drops a collection that is not wanted any more. If that fails, it expires.
    package func abandon(_ namespace: Namespace) async {
        noteEnd(of: namespace)
        do throws(StorageError) { _ = try await drop(namespace) } catch { return }
    }

    private func noteEnd(of namespace: Namespace) {
        unfinished.withLockedValue { _ = $0.remove(namespace) }
    }

    /// Puts off the end of all that this server is making. To be called well within ``unfinishedSeconds``.
    package func renewUnfinished() async throws(StorageError) {
        let names = unfinished.withLockedValue { Array($0) }
        guard !names.isEmpty else { return }
        try await pool.withConnection { connection throws(StorageError) in
            _ = try CatalogSQL.execute(
                """
                UPDATE martlet.collections c SET expires_at = now() + $3 * interval '1 second' \
                FROM unnest($1::text[], $2::text[]) AS u (database, name) \
                WHERE c.database = u.database AND c.name = u.name AND c.expires_at IS NOT NULL
                """,
                [
                    .textArray(names.map(\.database)), .textArray(names.map(\.collection)),
                    .int4(Int32(Self.unfinishedSeconds)),
                ], on: connection)
        }
    }

    /// Drops what nobody makes any more, a few: as many rows as it drops.
    package static let reaping = Statement("SELECT martlet.drop_expired_collections()")
    package static let reapedMax = 10
}
