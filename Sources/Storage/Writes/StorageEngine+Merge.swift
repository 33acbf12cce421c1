package import BSON
package import CommandModel
internal import NIOCore
internal import Postgres

/// What became of the documents of a `$merge`, so far.
package struct MergeProgress: Sendable {
    private var outcomes: [Result<DocumentOutcome, CommandError>?]

    init(count: Int) { outcomes = Array(repeating: nil, count: count) }

    /// The first of those that nothing has happened to yet.
    fileprivate func open(_ count: Int) -> [Int] {
        Array(outcomes.indices.lazy.filter { outcomes[$0] == nil }.prefix(count))
    }

    fileprivate mutating func settle(_ index: Int, _ outcome: Result<DocumentOutcome, CommandError>) {
        outcomes[index] = outcome
    }

    /// Of all documents; what found no collection has found no document.
    var all: [Result<DocumentOutcome, CommandError>] { outcomes.map { $0 ?? .success(DocumentOutcome()) } }
}

/// How many documents of a `$merge` are read at once: as many as their size allows, from few on.
package struct MergePace: Sendable {
    fileprivate var rows = 64
    private static let bytesMax = 16 * 1024 * 1024
    package static let rowsMax = 1_000

    package init() {}

    fileprivate mutating func note(rows count: Int, bytes: Int) {
        rows = max(1, min(Self.bytesMax / max(bytes / max(count, 1), 1), rows * 4, Self.rowsMax))
    }
}

extension DocumentStore {
    /// Does to the documents of a collection what those of a `$merge` ask for, each by itself and in their order.
    ///
    /// - Parameters:
    ///   - fields: by which documents are found; nil for their `_id`.
    ///   - creates: whether to make the collection when there is none.
    package func merge(
        _ items: [MergeItem], on fields: MergeFields? = nil, into target: Namespace, creating creates: Bool,
        _ pace: inout MergePace
    ) async throws(CommandError) -> [Result<DocumentOutcome, CommandError>] {
        var progress = MergeProgress(count: items.count)
        // When the collection proves to be another one, what is done is done.
        let body = { (collection: Collection) async throws(StorageError) -> Void in
            try await engine.merge(items, on: fields, &progress, &pace, in: collection, deadline: deadline)
        }
        if creates {
            try await engine.withCollectionCreated(target, body)
        } else {
            _ = try await engine.withCollection(target, for: .writing, body)
        }
        return progress.all
    }
}

extension StorageEngine {
    fileprivate func merge(
        _ items: [MergeItem], on fields: MergeFields?, _ progress: inout MergeProgress, _ pace: inout MergePace,
        in collection: Collection, deadline: Deadline
    ) async throws(StorageError) {
        guard collection.isKeyedByID else { throw .command(.notSupportedOnView(collection.namespace)) }
        var collection = collection
        defer { arrivals.noteWrite(in: collection) }
        while true {
            let part = progress.open(pace.rows)
            if part.isEmpty { return }
            let chunk = try await found(part.map { (index: $0, item: items[$0]) }, on: fields, in: collection, deadline)
            let index = try fields?.index(in: collection)
            let result = try await merge(chunk, by: index, in: collection, deadline)
            pace.note(rows: chunk.count, bytes: result.bytesRead)
            for (index, outcome) in result.settled { progress.settle(index, outcome) }
            for lost in result.lost.sorted(by: { $0.index < $1.index }) {
                let outcome =
                    if let fields {
                        try await mergeAlone(items[lost.index], on: fields, in: &collection, deadline)
                    } else {
                        try await mergeAlone(lost, in: &collection, deadline)
                    }
                progress.settle(lost.index, outcome)
            }
            if let failure = result.failure { throw .postgres(failure) }
            if !result.newFacts.isEmpty { collection = try await catalog.note(result.newFacts, of: collection) }
            try deadline.check()
        }
    }

    private func merge(
        _ items: [MergeChunk.Item], by index: SecondaryIndex?, in collection: Collection, _ deadline: Deadline
    ) async throws(StorageError) -> MergeChunk.Result {
        try await LockPatience.wait(until: deadline) { (_) async throws(StorageError) in
            try await self.general.withConnection(until: deadline) { connection throws(StorageError) in
                do throws(PostgresError) {
                    return try MergeChunk(items, in: collection, by: index).run(on: connection)
                } catch { throw .postgres(error) }
            }
        }
    }

    /// Through the lane of its document.
    func mergeAlone(
        _ item: MergeChunk.Item, in collection: inout Collection, _ deadline: Deadline
    ) async throws(StorageError) -> Result<DocumentOutcome, CommandError> {
        while true {
            do throws(StorageError) {
                return .success(
                    try await write(
                        item.key, .modify(item.operation), in: collection, claim: nil, deadline: deadline))
            } catch {
                if case .command(let refusal) = error { return .failure(refusal) }
                // A document before this one may have brought facts for an index.
                guard error.isStaleCollection, let present = try await catalog.renumbered(collection) else {
                    throw error
                }
                collection = present
            }
        }
    }

    /// The newest document of a collection, in the order of insertion.
    package func newestRID(of collection: Collection) async throws(StorageError) -> Int64 {
        try await general.withConnection { connection throws(StorageError) in
            try CatalogSQL.execute(
                "SELECT coalesce(max(rid), 0) FROM \(collection.sql.table)", [], on: connection
            ).int8(row: 0, column: 0) ?? 0
        }
    }
}
