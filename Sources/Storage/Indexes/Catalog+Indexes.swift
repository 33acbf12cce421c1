package import BSON
package import CommandModel
internal import Postgres
package import Query
internal import SQL

/// What a command wants to be changed in the indexes of a collection.
package enum IndexChange: Sendable {
    case create(IndexDefinition)
    /// By the number of its table of keys.
    case drop(Int64)
    /// Another specification for what does not concern the keys.
    case respecify(Int64, Document)
}

extension Catalog {
    /// Changes the indexes of a collection, which is made with `options` when there is none and it may be. An index is
    /// complete when this returns.
    ///
    /// - Parameter choose: looks at the collection as it is now, and nobody else changes it meanwhile.
    /// - Returns: the collection as it was before; nil when there is none.
    /// - Throws: what `choose` throws; what is wrong with the documents (DuplicateKey and its like).
    package func changeIndexes(
        of namespace: Namespace, creating options: Document? = nil,
        _ choose: @escaping @Sendable (Collection) throws(CommandError) -> [IndexChange]
    ) async throws(StorageError) -> (before: Collection, isNew: Bool)? {
        if options != nil { try Self.checkForCreation(namespace) }
        defer { forget(namespace) }
        return try await transaction { connection throws(StorageError) in
            try CatalogSQL.changeIndexes(
                of: namespace, creating: options, knowsAllFacts: false, choose, on: connection)
        }
    }

    /// Adds facts to indexes of a collection.
    ///
    /// - Returns: the collection with them.
    /// - Throws: what any statement on the collection throws that is not there any more under its number.
    func note(_ facts: [Int64: IndexFacts], of collection: Collection) async throws(StorageError) -> Collection {
        forget(collection.namespace)
        try await transaction { connection throws(StorageError) in
            guard let present = try CatalogSQL.findLocked(collection.namespace, on: connection),
                present.uuid == collection.uuid
            else { return }
            try CatalogSQL.note(facts, of: present, on: connection)
        }
        guard let present = try await self.collection(collection.namespace), present.uuid == collection.uuid else {
            throw .postgres(PostgresError(.server, "the collection is gone", state: .undefinedTable))
        }
        return present
    }
}

extension CatalogSQL {
    /// - Parameter knowsAllFacts: plans are to assume the worst of a new index: where facts cannot be added later.
    static func changeIndexes(
        of namespace: Namespace, creating options: Document?, knowsAllFacts: Bool,
        _ choose: (Collection) throws(CommandError) -> [IndexChange], on connection: Connection
    ) throws(StorageError) -> (before: Collection, isNew: Bool)? {
        var isNew = false
        if let options { isNew = try create(namespace, options: options, on: connection).isNew }
        guard let collection = try findLocked(namespace, on: connection) else { return nil }
        let changes: [IndexChange]
        do throws(CommandError) { changes = try choose(collection) } catch { throw .command(error) }
        guard !changes.isEmpty else { return (collection, isNew) }
        // From here on nobody reads or writes the collection by its old entry, and the table is ours alone.
        let number = try execute(
            "SELECT martlet.renumber_collection($1)", [.int8(collection.number)], on: connection
        ).int8(row: 0, column: 0)
        guard let number else { return nil }
        var created: [SecondaryIndex] = []
        for change in changes {
            switch change {
            case .create(let definition):
                created.append(try create(definition, on: number, on: connection))
            case .drop(let index):
                IndexUsage.forget(index, in: collection.uuid)
                _ = try execute("SELECT martlet.drop_index($1)", [.int8(index)], on: connection)
            case .respecify(let index, let specification):
                try respecify(index, specification, in: collection, on: connection)
            }
        }
        if !created.isEmpty {
            let build = IndexBuild(of: created, for: collection, table: "martlet.documents_\(number)")
            try build.run(knowsAllFacts: knowsAllFacts, on: connection)
            for index in created where index.definition.preparesUnique {
                try refuseDuplicates(true, in: index.number, on: connection)
            }
        }
        return (collection, isNew)
    }

    private static func respecify(
        _ index: Int64, _ specification: Document, in collection: Collection, on connection: Connection
    ) throws(StorageError) {
        _ = try execute(
            "UPDATE martlet.indexes SET specification = $2 WHERE number = $1",
            [.int8(index), .bytea(specification.buffer)], on: connection)
        let definition: IndexDefinition
        do throws(CommandError) { definition = try IndexDefinition(specification) } catch { throw .command(error) }
        guard case .success(let indexes) = collection.indexes,
            let old = indexes.first(where: { $0.number == index })?.definition
        else { return }
        if old.isHidden != definition.isHidden { IndexUsage.forget(index, in: collection.uuid) }
        if old.preparesUnique != definition.preparesUnique {
            try refuseDuplicates(definition.preparesUnique, in: index, on: connection)
        }
    }

    /// Whether the table of keys takes a key that another document has; those that it has already stay.
    private static func refuseDuplicates(
        _ refuses: Bool, in index: Int64, on connection: Connection
    ) throws(StorageError) {
        _ = try execute("SELECT martlet.refuse_duplicates($1, $2)", [.int8(index), .bool(refuses)], on: connection)
    }

    private static func create(
        _ definition: IndexDefinition, on collection: Int64, on connection: Connection
    ) throws(StorageError) -> SecondaryIndex {
        let number = try execute(
            "SELECT martlet.create_index($1, $2, $3)",
            [.int8(collection), .text(definition.name), .bytea(definition.specification.buffer)], on: connection
        ).int8(row: 0, column: 0)
        guard let number else {
            throw .command(CommandError(.internalError, "the catalog gave no number for an index"))
        }
        return SecondaryIndex(number: number, definition: definition, isReady: false)
    }

    fileprivate static func note(
        _ facts: [Int64: IndexFacts], of collection: Collection, on connection: Connection
    ) throws(StorageError) {
        for (index, facts) in facts {
            _ = try execute(
                """
                UPDATE martlet.indexes SET multikey_fields = multikey_fields | $2, has_cut_keys = has_cut_keys OR $3 \
                WHERE number = $1
                """, [.int8(index)] + facts.parameters, on: connection)
        }
        _ = try execute("SELECT martlet.renumber_collection($1)", [.int8(collection.number)], on: connection)
    }
}

extension IndexFacts {
    /// The columns `multikey_fields` and `has_cut_keys`.
    var parameters: [Parameter] { [.int8(Int64(multikeyFields)), .bool(hasCutKeys)] }

    /// Whatever can be.
    static let all = IndexFacts(multikeyFields: .max, hasCutKeys: true)
}
