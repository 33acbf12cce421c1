package import BSON
package import CommandModel
internal import Logging
internal import Postgres
package import Query
internal import SQL
internal import Synchronization

/// What a command wants to be changed in the indexes of a collection.
package enum IndexChange: Sendable {
    case create(IndexDefinition)
    /// By the number of its table of keys.
    case drop(Int64)
    /// Another specification for what does not concern the keys.
    case respecify(Int64, Document)
    /// Wait until somebody has built an index, by the number of its table of keys.
    case await(Int64)
}

/// What became of the changes that a command wanted.
struct IndexChangeResult: Sendable {
    /// The collection as it was.
    let before: Collection
    let isNew: Bool
    /// Indexes that are to be built now, while others write.
    var build: IndexBuildTicket?
    /// The numbers of indexes that others build.
    var awaited: [Int64] = []
}

extension Catalog {
    /// Changes the indexes of a collection, which is made with `options` when there is none and it may be. An index is
    /// complete when this returns.
    ///
    /// - Parameters:
    ///   - deadline: undoes a build that it ends.
    ///   - choose: looks at the collection as it is now, and nobody else changes it meanwhile. Called again when an
    ///     index that it wanted to wait for was given up.
    /// - Returns: the collection as it was before; nil when there is none.
    /// - Throws: what `choose` throws; what is wrong with the documents (DuplicateKey and its like).
    package func changeIndexes(
        of namespace: Namespace, creating options: Document? = nil, until deadline: Deadline = .never,
        _ choose: @escaping @Sendable (Collection) throws(CommandError) -> [IndexChange]
    ) async throws(StorageError) -> (before: Collection, isNew: Bool)? {
        if options != nil { try Self.checkForCreation(namespace) }
        let onlineFrom = onlineBuildRowsMin.load(ordering: .relaxed)
        var first: IndexChangeResult?
        while true {
            let changed = try await transaction { connection throws(StorageError) in
                try CatalogSQL.changeIndexes(
                    of: namespace, creating: options, mode: .online(from: onlineFrom), choose, on: connection)
            }
            forget(namespace)
            guard let changed else { return nil }
            let result = first ?? changed
            first = result
            var awaited = changed.awaited
            if let build = changed.build {
                var builder = IndexBuilder(build, in: self, until: deadline, logger: Self.buildLogger)
                switch await builder.run() {
                case .ready: break
                case .failed(let error): throw .command(error)
                case .takenOver: awaited += build.indexes
                }
                forget(namespace)
            }
            if try await areReady(awaited, of: changed.before, until: deadline) { return (result.before, result.isNew) }
        }
    }

    private static let buildLogger = Logger(label: "martlet")
    private static let pollMilliseconds = 50

    /// Waits for indexes that others build.
    ///
    /// - Returns: false when one of them was given up.
    private func areReady(
        _ awaited: [Int64], of collection: Collection, until deadline: Deadline
    ) async throws(StorageError) -> Bool {
        while !awaited.isEmpty {
            try deadline.check()
            let present = try await pool.withConnection(until: deadline) { connection throws(StorageError) in
                try CatalogSQL.find(uuid: collection.uuid, on: connection)
            }
            guard let present else { throw .command(.indexBuildAborted("its collection was dropped")) }
            let found = ((try? present.indexes.get()) ?? []).filter { awaited.contains($0.number) }
            forget(present.namespace)
            if found.count < awaited.count { return false }
            if found.allSatisfy(\.isReady) { return true }
            try? await Task.sleep(for: .milliseconds(Self.pollMilliseconds))
        }
        return true
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

/// How the keys of documents that are there come into new indexes.
enum IndexBuildMode {
    /// In the transaction that makes the indexes; in those of a larger collection than this by an ``IndexBuilder``.
    case online(from: Int)
    /// In the transaction that makes them.
    case atOnce
    /// In the transaction of a client, where facts cannot be added later: plans are to assume the worst.
    case withinTransaction
}

extension CatalogSQL {
    static func changeIndexes(
        of namespace: Namespace, creating options: Document?, mode: IndexBuildMode,
        _ choose: (Collection) throws(CommandError) -> [IndexChange], on connection: Connection
    ) throws(StorageError) -> IndexChangeResult? {
        var isNew = false
        if let options { isNew = try create(namespace, options: options, on: connection).isNew }
        guard let collection = try findLocked(namespace, on: connection) else { return nil }
        var changes: [IndexChange]
        do throws(CommandError) { changes = try choose(collection) } catch { throw .command(error) }
        var result = IndexChangeResult(before: collection, isNew: isNew)
        changes.removeAll { change in
            if case .await(let index) = change { result.awaited.append(index) } else { return false }
            return true
        }
        guard !changes.isEmpty else { return result }
        if try isOnline(changes, mode, in: collection, on: connection) {
            var created: [SecondaryIndex] = []
            for case .create(let definition) in changes {
                created.append(try create(definition, on: collection.number, on: connection))
            }
            result.build = try IndexBuildTicket.begin(created, of: collection.number, on: connection)
        } else {
            try change(changes, of: collection, mode, on: connection)
        }
        return result
    }

    /// Whether indexes are only made, and that for many documents.
    private static func isOnline(
        _ changes: [IndexChange], _ mode: IndexBuildMode, in collection: Collection, on connection: Connection
    ) throws(StorageError) -> Bool {
        guard case .online(let rows) = mode else { return false }
        for change in changes { guard case .create = change else { return false } }
        return try execute(
            "SELECT EXISTS (SELECT FROM \(collection.sql.table) OFFSET $1)", [.int8(Int64(rows))], on: connection
        ).bool(row: 0, column: 0) ?? false
    }

    private static func change(
        _ changes: [IndexChange], of collection: Collection, _ mode: IndexBuildMode, on connection: Connection
    ) throws(StorageError) {
        // From here on nobody reads or writes the collection by its old entry, and the table is ours alone.
        let number = try execute(
            "SELECT martlet.renumber_collection($1)", [.int8(collection.number)], on: connection
        ).int8(row: 0, column: 0)
        guard let number else { return }
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
            case .await: break
            }
        }
        guard !created.isEmpty else { return }
        var knowsAllFacts = false
        if case .withinTransaction = mode { knowsAllFacts = true }
        try IndexBuild(of: created, for: collection, table: "martlet.documents_\(number)")
            .run(knowsAllFacts: knowsAllFacts, on: connection)
        for index in created where index.definition.preparesUnique {
            try refuseDuplicates(true, in: index.number, on: connection)
        }
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
    static func refuseDuplicates(
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
