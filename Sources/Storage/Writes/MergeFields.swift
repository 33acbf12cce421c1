internal import BSON
package import CommandModel
internal import NIOCore
internal import Postgres
package import Query
internal import SQL

/// Fields of a unique secondary index, by whose values the documents of a `$merge` find those that they change.
///
/// The index says which document has the values; everything else is done as for documents that are found by `_id`. The
/// operation's filter asks for the values once more, since the document may have lost them meanwhile; then the index
/// is asked again.
package struct MergeFields: Sendable {
    private let paths: [String]
    private let collator: Collator?

    package init(_ paths: [String], comparedBy collator: Collator?) {
        self.paths = paths
        self.collator = collator
    }

    /// - Throws: Location51183 when it is not there any more.
    func index(in collection: Collection) throws(StorageError) -> SecondaryIndex {
        guard let index = collection.uniqueIndex(on: paths, under: collator) else {
            throw .command(.noUniqueIndex(on: paths))
        }
        return index
    }
}

extension CommandError {
    package static func noUniqueIndex(on paths: [String]) -> CommandError {
        CommandError(ErrorCode(51183), "Cannot find index to verify that join fields will be unique: \(paths)")
    }
}

extension StorageEngine {
    /// After so many races that were lost, a document is inserted as if it had found none.
    private static let racesMax = 8

    /// Which document each of them changes or makes.
    func found(
        _ items: [(index: Int, item: MergeItem)], on fields: MergeFields?, in collection: Collection,
        _ deadline: Deadline
    ) async throws(StorageError) -> [MergeChunk.Item] {
        guard let fields else { return items.map { .own($0.item, $0.index, in: collection) } }
        let index = try fields.index(in: collection)
        var keys: [ByteBuffer] = []
        keys.reserveCapacity(items.count)
        for (_, item) in items { keys.append(try index.key(of: item)) }
        var ids = try await ids(of: Array(Set(keys)), in: index, deadline)
        return zip(items, keys).map { item, key in
            if let id = ids[key] {
                return MergeChunk.Item(
                    index: item.index, key: id, operation: item.item.operation.insertingNothing, isFound: true,
                    sought: key)
            }
            var own = MergeChunk.Item.own(item.item, item.index, in: collection)
            own.sought = key
            // Those after it find the document that it makes.
            if own.operation.upsertID != nil { ids[key] = own.key }
            return own
        }
    }

    private func ids(
        of keys: [ByteBuffer], in index: SecondaryIndex, _ deadline: Deadline
    ) async throws(StorageError) -> [ByteBuffer: ByteBuffer] {
        let statement = Statement.once("SELECT key, id FROM \(index.table) WHERE key = ANY ($1)", [.byteaArray(keys)])
        return try await general.withConnection(until: deadline) { connection throws(StorageError) in
            do throws(PostgresError) {
                let rows = try connection.repeatingRefused { () throws(PostgresError) in
                    try connection.execute(statement)
                }
                var ids: [ByteBuffer: ByteBuffer] = [:]
                for row in 0..<rows.rowCount {
                    guard let key = rows.bytes(row: row, column: 0), let id = rows.bytes(row: row, column: 1)
                    else { continue }
                    ids[ByteBuffer(bytes: key)] = ByteBuffer(bytes: id)
                }
                return ids
            } catch { throw .postgres(error) }
        }
    }

    /// One document, as often as somebody else takes away or brings the one that it changes.
    func mergeAlone(
        _ item: MergeItem, on fields: MergeFields, in collection: inout Collection, _ deadline: Deadline
    ) async throws(StorageError) -> Result<DocumentOutcome, CommandError> {
        for _ in 0..<Self.racesMax {
            guard let found = try await found([(0, item)], on: fields, in: collection, deadline).first else { break }
            let outcome = try await mergeAlone(found, in: &collection, deadline)
            if found.hasMissed(outcome) { continue }
            guard !found.isFound, case .failure(let error) = outcome, error.code == .duplicateKey else {
                return outcome
            }
            // Either its values, which then can be found, or others that must be unique.
            let again = try await self.found([(0, item)], on: fields, in: collection, deadline).first
            guard again?.isFound == true else { return outcome }
            try deadline.check()
        }
        return try await mergeAlone(.own(item, 0, in: collection), in: &collection, deadline)
    }
}

extension MergeChunk.Item {
    fileprivate static func own(_ item: MergeItem, _ index: Int, in collection: Collection) -> Self {
        Self(
            index: index, key: item.document.withRaw { collection.key(ofDocument: $0) }, operation: item.operation)
    }
}

extension SecondaryIndex {
    /// Of a document without arrays in the fields of the index, with all of them if it is sparse: there is one.
    fileprivate func key(of item: MergeItem) throws(StorageError) -> ByteBuffer {
        do throws(CommandError) {
            let keys = try item.document.withRaw { raw throws(CommandError) in try definition.keys(of: raw).keys }
            guard let key = keys.first, keys.count == 1 else {
                throw CommandError(
                    .internalError, "a document of $merge has \(keys.count) keys in '\(definition.name)'")
            }
            return key
        } catch { throw .command(error) }
    }
}
