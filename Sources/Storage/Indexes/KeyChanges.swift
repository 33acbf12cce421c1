internal import BSON
internal import CommandModel
internal import NIOCore
internal import Query
internal import SQL

/// What storing a document changes in the tables of keys.
///
/// # What it guarantees
///
/// The keys in the tables are those of the documents, at each commit. So they are written by the very statement that
/// stores the document, and only if that took effect; and they are the difference between the version that was read and
/// the one that takes its place, which the statement's compare-and-swap proves to be the difference in the table.
///
/// An update that changes no key changes no table of keys, and stays a HOT update.
struct KeyChanges: Sendable {
    struct Change: Sendable {
        let table: String
        var removed: [ByteBuffer] = []
        var added: [ByteBuffer] = []
    }

    private(set) var changes: [Change] = []

    /// No change.
    init() {}

    /// - Parameters:
    ///   - old: the version that is replaced or removed; nil for an insert.
    ///   - new: nil for a removal.
    /// - Throws: what the document's keys refuse (CannotIndexParallelArrays and its like); ``StorageError/newFacts``.
    init(
        from old: RawDocument?, to new: RawDocument?, in collection: Collection
    ) throws(StorageError) {
        guard collection.hasIndexes else { return }
        var newFacts: [Int64: IndexFacts] = [:]
        do throws(CommandError) {
            for index in try collection.maintainedIndexes {
                if let old, let new, index.hasSameKeys(of: old, and: new) { continue }
                let before = try old.map { document throws(CommandError) in
                    try index.definition.keys(of: document).keys
                }
                let after = try new.map { document throws(CommandError) in try index.definition.keys(of: document) }
                if let after, !index.facts.covers(after.facts) { newFacts[index.number] = after.facts }
                note(Self.difference(before ?? [], after?.keys ?? [], in: index))
            }
        } catch { throw .command(error) }
        guard newFacts.isEmpty else { throw .newFacts(newFacts) }
    }

    /// The keys of a stored document in indexes that are being built.
    init(
        addingTo indexes: [SecondaryIndex], _ document: RawDocument, _ facts: inout [IndexFacts]
    ) throws(StorageError) {
        do throws(CommandError) {
            for (position, index) in indexes.enumerated() {
                let made = try index.definition.keys(of: document)
                facts[position] = facts[position].union(made.facts)
                note(Change(table: index.table, added: made.keys))
            }
        } catch { throw .command(error) }
    }

    init(from old: Document?, to new: Document?, in collection: Collection) throws(StorageError) {
        self = try old.withOptionalRaw { old throws(StorageError) in
            try new.withOptionalRaw { new throws(StorageError) in try KeyChanges(from: old, to: new, in: collection) }
        }
    }

    private mutating func note(_ change: Change) {
        if !change.removed.isEmpty || !change.added.isEmpty { changes.append(change) }
    }

    /// Both lists are ascending.
    private static func difference(_ old: [ByteBuffer], _ new: [ByteBuffer], in index: SecondaryIndex) -> Change {
        var change = Change(table: index.table)
        guard !old.isEmpty, !new.isEmpty else {
            (change.removed, change.added) = (old, new)
            return change
        }
        var (left, right) = (0, 0)
        while left < old.count || right < new.count {
            let order =
                left == old.count ? 1 : right == new.count ? -1 : compare(old[left], new[right])
            if order < 0 { change.removed.append(old[left]) }
            if order > 0 { change.added.append(new[right]) }
            if order <= 0 { left += 1 }
            if order >= 0 { right += 1 }
        }
        return change
    }

    var isEmpty: Bool { changes.isEmpty }

    func added(to table: String) -> [ByteBuffer] { changes.first { $0.table == table }?.added ?? [] }

    /// As steps of a `WITH` behind `stored`, which gives a row if the document was stored. The document's `id` is `$1`;
    /// their own parameters begin at `$first`.
    func steps(first: Int) -> (text: String, parameters: [Parameter]) {
        var text = ""
        var bind = Binder(first: first)
        for (step, change) in changes.enumerated() {
            if !change.removed.isEmpty {
                text += """
                    , removed\(step) AS (DELETE FROM \(change.table) \
                    WHERE key = ANY (\(bind(.byteaArray(change.removed)))) AND id = $1 AND EXISTS (SELECT FROM stored))
                    """
            }
            if !change.added.isEmpty {
                text += """
                    , added\(step) AS (INSERT INTO \(change.table) (key, id) SELECT k.key, $1 \
                    FROM unnest(\(bind(.byteaArray(change.added)))::bytea[]) AS k (key) \
                    WHERE EXISTS (SELECT FROM stored))
                    """
            }
        }
        return (text, bind.parameters)
    }
}

extension Document? {
    fileprivate func withOptionalRaw<R, E: Error>(_ body: (RawDocument?) throws(E) -> R) throws(E) -> R {
        guard let self else { return try body(nil) }
        return try self.withRaw { raw throws(E) in try body(raw) }
    }
}
