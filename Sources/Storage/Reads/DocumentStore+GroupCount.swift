package import BSON
package import CommandModel
internal import Postgres
package import Query
internal import SQL

// `$group` by a field with an index, where it only counts: how often each key is there says it all, but for the value
// itself, which one document of each group has. So PostgreSQL sends a document for each group instead of all of them.
extension Collection {
    /// The index whose keys tell the values at a path apart as they are, one for each document.
    package func indexCounting(_ path: String, _ collator: Collator?) -> SecondaryIndex? {
        readyIndexes.first { index in
            let definition = index.definition
            return definition.fields.count == 1 && definition.fields[0].path == path
                && (definition.fields[0].kind == .ascending || definition.fields[0].kind == .descending)
                && !definition.isHidden && !definition.isSparse && definition.partialFilter == nil
                && !index.facts.isMultikey && definition.collator?.collation == collator?.collation
        }
    }
}

extension DocumentStore {
    /// The documents of a group that counts.
    ///
    /// - Parameter query: of everything in the collection.
    /// - Returns: nil when they are more than a stage may hold.
    package func count(
        _ counting: Group.FieldCounting, by index: SecondaryIndex, _ query: FindQuery, in collection: Collection
    ) async throws(StorageError) -> [Document]? {
        index.usage.note()
        let count: @Sendable (Connection) throws(StorageError) -> [Document]? = { connection throws(StorageError) in
            try Self.count(counting, by: index, query, in: collection, on: connection)
        }
        guard let transaction else {
            return try await engine.reading(query, in: collection, until: query.deadline, count)
        }
        return try await transaction.withConnection(until: query.deadline, count)
    }

    private static func count(
        _ counting: Group.FieldCounting, by index: SecondaryIndex, _ query: FindQuery, in collection: Collection,
        on connection: Connection
    ) throws(StorageError) -> [Document]? {
        var (documents, bytes) = ([Document](), 0)
        var plan = ScanPlan(collection, order: .id(descending: false))
        (plan.counts, plan.showsRID) = (index, true)
        let isComplete = try Scanner(on: connection, deadline: query.deadline).forEachRow(of: plan) {
            row throws(StorageError) in
            do throws(CommandError) {
                let document = try counting.result(row.document, count: row.rid)
                bytes += document.count + MemoryLayout<Document>.stride
                documents.append(document)
            } catch { throw .command(error) }
            return bytes <= query.sortBytesMax
        }
        return isComplete ? documents : nil
    }
}

extension SecondaryIndex {
    /// How many documents have each key, and one of them. Each half reads nothing but the index.
    func countStatement(of documents: String, doc: String) -> Statement {
        Statement(
            """
            SELECT d.id, \(doc), c.n FROM (SELECT key, count(*) AS n FROM \(table) GROUP BY key) c \
            JOIN (SELECT DISTINCT ON (key) key, id FROM \(table) ORDER BY key) f ON f.key = c.key \
            JOIN \(documents) d ON d.id = f.id ORDER BY c.key
            """)
    }
}
