internal import BSON
internal import CommandModel
package import Logging
internal import NIOCore
internal import Postgres
internal import Query
package import Synchronization

/// Deletes documents whose time is over by the `expireAfterSeconds` of a secondary index.
///
/// A document is deleted as a client would delete it: by compare-and-swap, with its keys, after another look at what
/// is stored. So two servers that both believe to hold the lease do no harm, and need no fence: what one deletes has
/// expired, whoever says so.
package final class ExpiryMonitor: Sendable {
    /// `ttlMonitorEnabled`.
    package let isEnabled = Atomic<Bool>(true)
    /// `ttlMonitorSleepSecs`.
    package let sleepSeconds = Atomic<Int64>(60)
    /// Runs since the start.
    package let passes = Atomic<Int64>(0)
    package let deleted = Atomic<Int64>(0)

    /// Of one index in one run: the rest has time until the next.
    static let chunksMax = 1_000

    package init() {}

    /// - Parameter now: milliseconds since 1970.
    /// - Returns: how many documents it deleted.
    @discardableResult
    package func run(with keeper: inout LeaseKeeper, engine: StorageEngine, now: Int64, logger: Logger) async -> Int64 {
        guard isEnabled.load(ordering: .relaxed) else { return 0 }
        let collections: [Collection]
        do throws(StorageError) { collections = try await engine.catalog.withExpiringIndexes() } catch {
            logger.debug("no indexes with expiry found", metadata: ["error": "\(error)"])
            return 0
        }
        var count: Int64 = 0
        for collection in collections where !collection.isCapped {
            for index in collection.readyIndexes {
                guard let expired = index.expired(at: now) else { continue }
                count += await delete(expired, from: collection, with: &keeper, engine, logger)
            }
        }
        passes.add(1, ordering: .relaxed)
        return count
    }

    private func delete(
        _ operation: @Sendable (Collection) throws(CommandError) -> DocumentOperation, from collection: Collection,
        with keeper: inout LeaseKeeper, _ engine: StorageEngine, _ logger: Logger
    ) async -> Int64 {
        var count: Int64 = 0
        var start: ModifyChunk.Start? = .first
        do throws(StorageError) {
            let operation = try mapped { () throws(CommandError) in try operation(collection) }
            for _ in 0..<Self.chunksMax {
                await keeper.tick()
                guard keeper.token != nil, isEnabled.load(ordering: .relaxed), let from = start else { break }
                let (deleted, next) = try await engine.deleteChunk(operation, from: collection, from: from)
                count += deleted
                self.deleted.add(deleted, ordering: .relaxed)
                start = next
            }
        } catch {
            // The collection, or the index, may have been changed or dropped: the next run looks again.
            logger.debug(
                "documents not expired", metadata: ["ns": "\(collection.namespace)", "error": "\(error)"])
        }
        return count
    }

    private func mapped<R>(_ body: () throws(CommandError) -> R) throws(StorageError) -> R {
        do throws(CommandError) { return try body() } catch { throw .command(error) }
    }
}

extension StorageEngine {
    /// Deletes the matching documents among some rows.
    fileprivate func deleteChunk(
        _ operation: DocumentOperation, from collection: Collection, from start: ModifyChunk.Start
    ) async throws(StorageError) -> (deleted: Int64, next: ModifyChunk.Start?) {
        let chunk = try await general.withConnection { connection throws(StorageError) in
            try ModifyChunk(operation, in: collection, from: start).run(on: connection)
        }
        var deleted = chunk.tally.modified
        for key in chunk.lostKeys {
            let outcome = try await write(
                key, .modify(operation), in: collection, claim: nil, deadline: .never)
            if outcome.modified { deleted += 1 }
        }
        if let error = chunk.error { throw .command(error) }
        return (deleted, chunk.next)
    }
}

extension SecondaryIndex {
    /// What deletes the documents that have expired; nil when none do.
    ///
    /// A date has expired that lies `expireAfterSeconds` back; of several dates in an array the earliest counts, which
    /// is what a comparison with any of them means. Other values never expire.
    fileprivate func expired(at now: Int64) -> (@Sendable (Collection) throws(CommandError) -> DocumentOperation)? {
        guard let seconds = definition.expireAfterSeconds, seconds >= 0, seconds <= Double(Int32.max),
            definition.fields.count == 1, let field = definition.fields.first,
            field.kind == .ascending || field.kind == .descending
        else { return nil }
        let limit = now - Int64(seconds) * 1_000
        let definition = definition
        return { collection throws(CommandError) in
            let condition = Document { builder in
                builder.beginDocument(name: field.path)
                builder.append("$lte", date: limit)
                builder.end()
                definition.specification.withRaw { raw in
                    guard let partial = raw["partialFilterExpression"] else { return }
                    builder.beginArray("$and")
                    builder.append(index: 0, Value(copying: partial))
                    builder.end()
                }
            }
            return DocumentOperation(
                on: collection.namespace, filter: try Filter(compiling: condition, collator: definition.collator),
                action: .delete)
        }
    }
}

extension Catalog {
    /// The collections with indexes whose specifications name `expireAfterSeconds` somewhere.
    fileprivate func withExpiringIndexes() async throws(StorageError) -> [Collection] {
        try await pool.withConnection { connection throws(StorageError) in
            let rows = try CatalogSQL.execute(
                """
                SELECT DISTINCT c.uuid FROM martlet.collections c JOIN martlet.indexes i ON i.collection = c.number \
                WHERE i.state = 'ready' AND position('expireAfterSeconds'::bytea IN i.specification) > 0
                """, [], on: connection)
            var collections: [Collection] = []
            for row in 0..<rows.rowCount {
                guard let uuid = rows.bytes(row: row, column: 0).map(Array.init),
                    let found = try CatalogSQL.find(uuid: uuid, on: connection)
                else { continue }
                collections.append(found)
            }
            return collections
        }
    }
}
