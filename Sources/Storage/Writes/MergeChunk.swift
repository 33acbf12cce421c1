package import BSON
internal import CommandModel
internal import NIOCore
internal import Postgres
internal import Query
internal import SQL

/// A document of a `$merge`, and what it does to the one that has its key.
package struct MergeItem: Sendable {
    package let document: Document
    package let operation: DocumentOperation

    package init(_ document: Document, _ operation: DocumentOperation) {
        self.document = document
        self.operation = operation
    }
}

/// Some documents of a `$merge`: the present versions of all are read in one statement, everything is applied in
/// memory, and stored by one statement for the new ones and one for the changed ones. Changed ones that change keys of
/// secondary indexes have a statement each, all in one pipeline, as they have elsewhere.
///
/// Like ``WriteBatch``, but for one command, and without a lock or a common transaction: `$merge` promises nothing for
/// more than one document. What somebody else was faster with is left to the lanes.
struct MergeChunk {
    /// Bytes of documents in one statement.
    static let bytesMax = 4 * 1024 * 1024

    struct Item: Sendable {
        /// Its place in the whole.
        let index: Int
        let key: ByteBuffer
        let operation: DocumentOperation
        /// The key is that of another document than of the one that it would insert: of one that an index was asked
        /// for. When that does not match, the index must be asked again.
        var isFound = false
        /// Its key in that index.
        var sought: ByteBuffer?
    }

    struct Result: Sendable {
        var settled: [(index: Int, outcome: Swift.Result<DocumentOutcome, CommandError>)] = []
        /// Whose documents somebody else changes, or are not the ones that are wanted any more, or whose keys an index
        /// refuses; their lanes decide.
        var lost: [Item] = []
        /// What the catalog must know before the items that are neither settled nor lost can have an effect.
        var newFacts: [Int64: IndexFacts] = [:]
        /// What ended it; the items that are neither settled nor lost have had no effect.
        var failure: PostgresError?
        /// Of the documents that were there.
        var bytesRead = 0
    }

    /// All items of one key.
    private struct Lane {
        var items: [Item] = []
        var version: UInt32?
        var loaded: Document?
        var current: Document?
        var isChanged = false
        var outcomes: [Swift.Result<DocumentOutcome, CommandError>] = []
    }

    private let collection: Collection
    /// That says which documents are meant.
    private let index: SecondaryIndex?
    /// In the order in which the documents came.
    private var keys: [ByteBuffer] = []
    private var lanes: [ByteBuffer: Lane] = [:]
    private var result = Result()

    init(_ items: [Item], in collection: Collection, by index: SecondaryIndex? = nil) {
        self.collection = collection
        self.index = index
        for item in items {
            if lanes[item.key] == nil { keys.append(item.key) }
            lanes[item.key, default: Lane()].items.append(item)
        }
    }

    /// - Throws: before anything was done.
    consuming func run(on connection: Connection) throws(PostgresError) -> Result {
        try load(on: connection)
        fold()
        do throws(PostgresError) {
            try insertNew(on: connection)
            try updateChanged(on: connection)
        } catch {
            result.failure = error
        }
        return result
    }

    // No kept plan for these: a general one would be made for the collection as it was when it was small.

    private mutating func load(on connection: Connection) throws(PostgresError) {
        let statement = Statement.once(collection.sql.readVersionMany, [.byteaArray(keys)])
        let rows = try connection.repeatingRefused { () throws(PostgresError) in try connection.execute(statement) }
        for row in 0..<rows.rowCount {
            guard let key = rows.bytes(row: row, column: 0), let version = rows.uint32(row: row, column: 1),
                let document = rows.bytes(row: row, column: 2).flatMap(RawDocument.init)
            else { continue }
            result.bytesRead += document.bytes.count
            let loaded = Document(copying: document)
            lanes[ByteBuffer(bytes: key)]?.version = version
            lanes[ByteBuffer(bytes: key)]?.loaded = loaded
            lanes[ByteBuffer(bytes: key)]?.current = loaded
        }
    }

    private mutating func fold() {
        for key in keys {
            guard var lane = lanes[key] else { continue }
            let items = lane.items
            lane.items = []
            for item in items {
                let outcome = Self.apply(item.operation, to: &lane, collection)
                guard !item.hasMissed(outcome) else {
                    result.lost.append(item)
                    continue
                }
                lane.items.append(item)
                lane.outcomes.append(outcome)
            }
            lanes[key] = lane
        }
        // Who is found depends on what was done before: one after the other, then.
        guard lanes.values.allSatisfy(keepsPlace) else { return keys.forEach { lose($0) } }
        for key in keys where lanes[key]?.isChanged == false { settle(key) }
    }

    /// Whether the index says the same of the document afterwards.
    private func keepsPlace(_ lane: Lane) -> Bool {
        guard let index, lane.isChanged, let current = lane.current else { return true }
        return current.withRaw { current in
            if let loaded = lane.loaded, loaded.withRaw({ index.hasSameKeys(of: $0, and: current) }) { return true }
            guard let keys = try? index.definition.keys(of: current).keys else { return false }
            return lane.items.allSatisfy { item in item.sought.map(keys.contains) ?? true }
        }
    }

    private static func apply(
        _ operation: DocumentOperation, to lane: inout Lane, _ collection: Collection
    ) -> Swift.Result<DocumentOutcome, CommandError> {
        do throws(CommandError) {
            let (effect, outcome): (DocumentOperation.Effect, DocumentOutcome)
            if let current = lane.current {
                (effect, outcome) = try current.withRaw { raw throws(CommandError) in
                    try operation.apply(to: raw, in: collection)
                }
            } else {
                (effect, outcome) = try operation.apply(to: nil, in: collection)
            }
            if case .store(let document) = effect { (lane.current, lane.isChanged) = (document, true) }
            return .success(outcome)
        } catch {
            return .failure(error)
        }
    }

    private mutating func settle(_ key: ByteBuffer) {
        guard let lane = lanes.removeValue(forKey: key) else { return }
        for (item, outcome) in zip(lane.items, lane.outcomes) { result.settled.append((item.index, outcome)) }
    }

    private mutating func lose(_ key: ByteBuffer) {
        guard let lane = lanes.removeValue(forKey: key) else { return }
        result.lost += lane.items
    }
}

extension MergeChunk.Item {
    /// Whether the document that the index gave is not the one that is wanted any more.
    func hasMissed(_ outcome: Swift.Result<DocumentOutcome, CommandError>) -> Bool {
        guard isFound, case .success(let outcome) = outcome else { return false }
        return !outcome.matched
    }
}

// Storing.
extension MergeChunk {
    private struct Change {
        let key: ByteBuffer
        let document: Document
        let version: UInt32
        var keys = KeyChanges()
    }

    private func changes(where isWanted: (Lane) -> Bool) -> [Change] {
        keys.compactMap { key in
            guard let lane = lanes[key], isWanted(lane), let document = lane.current else { return nil }
            return Change(key: key, document: document, version: lane.version ?? 0)
        }
    }

    private mutating func insertNew(on connection: Connection) throws(PostgresError) {
        let new = changes { $0.version == nil }
        guard !new.isEmpty else { return }
        let checked: CheckedDocuments
        do throws(StorageError) {
            // They were checked when they were made.
            checked = try CheckedDocuments(
                new.map(\.document), into: collection, isOrdered: false, bypassingValidation: true)
        } catch {
            return try leave(new, for: error)
        }
        let insert = BulkInsert(checked, into: collection, isOrdered: false)
        do throws(PostgresError) {
            let errors = try connection.repeatingRefused { () throws(PostgresError) in try insert.run(on: connection) }
            let refused = Set(checked.errors(with: errors).map(\.index))
            note(new, stored: Set(new.indices.filter { !refused.contains($0) }.map { new[$0].key }))
        } catch {
            note(new, stored: try unlessForLanes(error, on: connection))
        }
    }

    private mutating func updateChanged(on connection: Connection) throws(PostgresError) {
        var (plain, keyed): ([Change], [Change]) = ([], [])
        for var change in changes(where: { $0.version != nil }) {
            do throws(StorageError) {
                change.keys = try KeyChanges(from: lanes[change.key]?.loaded, to: change.document, in: collection)
            } catch {
                try leave([change], for: error)
                continue
            }
            if change.keys.isEmpty { plain.append(change) } else { keyed.append(change) }
        }
        for part in Self.parts(of: plain) { note(part, stored: try update(part, on: connection)) }
        for part in Self.parts(of: keyed) { note(part, stored: try updateKeyed(part, on: connection)) }
    }

    private static func parts(of changes: [Change]) -> [[Change]] {
        var (parts, bytes): ([[Change]], Int) = ([], 0)
        for change in changes {
            if bytes == 0 || bytes + change.document.count > bytesMax {
                parts.append([])
                bytes = 0
            }
            parts[parts.count - 1].append(change)
            bytes += change.document.count
        }
        return parts
    }

    /// - Returns: the keys of those that were still what they were.
    private func update(_ part: [Change], on connection: Connection) throws(PostgresError) -> Set<ByteBuffer> {
        let statement = Statement.once(
            collection.sql.updateMany,
            [
                .byteaArray(part.map(\.key)), .byteaArray(part.map(\.document.buffer)),
                .xidArray(part.map(\.version)),
            ]
        ).commented(StatementComment("merge", collection))
        do throws(PostgresError) {
            let rows = try connection.repeatingRefused { () throws(PostgresError) in try connection.execute(statement) }
            return Set((0..<rows.rowCount).compactMap { rows.bytes(row: $0, column: 0).map { ByteBuffer(bytes: $0) } })
        } catch {
            return try unlessForLanes(error, on: connection)
        }
    }

    /// The same where keys of secondary indexes change.
    private func updateKeyed(_ part: [Change], on connection: Connection) throws(PostgresError) -> Set<ByteBuffer> {
        let part = part.sorted { compare($0.key, $1.key) < 0 }
        do throws(PostgresError) {
            return try connection.repeatingRefused { () throws(PostgresError) in
                for change in part {
                    connection.enqueue(
                        collection.sql.update.statement(
                            [.bytea(change.key), .bytea(change.document.buffer), .xid(change.version)],
                            changing: change.keys))
                }
                connection.enqueueSync()
                var stored = Set<ByteBuffer>()
                for change in part where try connection.next().affectedRows > 0 { stored.insert(change.key) }
                try connection.nextSync()
                return stored
            }
        } catch {
            return try unlessForLanes(error, on: connection)
        }
    }

    private mutating func note(_ changes: [Change], stored: Set<ByteBuffer>) {
        for change in changes {
            if stored.contains(change.key) { settle(change.key) } else { lose(change.key) }
        }
    }

    /// Before anything was stored of these.
    private mutating func leave(_ changes: [Change], for error: StorageError) throws(PostgresError) {
        switch error {
        case .postgres(let error): throw error
        case .newFacts(let facts): result.newFacts.merge(facts) { $0.union($1) }
        // One of them: each finds out for itself.
        case .command: for change in changes { lose(change.key) }
        }
    }

    /// A client's transaction holds one of the rows, or a unique index refuses a key: the lanes know how to wait for
    /// the one, and find out which document it is.
    ///
    /// - Returns: nothing, for statements that have had no effect.
    private func unlessForLanes(
        _ error: PostgresError, on connection: Connection
    ) throws(PostgresError) -> Set<ByteBuffer> {
        let isForLanes = error.state == .lockNotAvailable || collection.violatedIndex(error) != nil
        guard isForLanes, connection.restoreIdle() else { throw error }
        return []
    }
}
