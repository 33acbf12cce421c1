package import BSON
package import CommandModel
internal import Metrics
package import NIOCore
package import Query

/// The documents as one command sees and changes them: those of the newest commits, its statements guarded when the
/// command is numbered; or those of the transaction that it belongs to. Handlers need not know which.
package struct DocumentStore: Sendable {
    package let engine: StorageEngine
    /// Recognizes the statements of a numbered command that were done before.
    package var guarded: StatementGuard?
    package var transaction: OpenTransaction?
    /// Of the command.
    package var deadline = Deadline.never
    /// The command's documents need not fulfil what their collection demands.
    package var bypassesValidation = false

    package init(_ engine: StorageEngine) {
        self.engine = engine
    }

    /// Runs `body` with the collection, again when the catalog entry proves stale; nil when there is no collection.
    package func withCollection<R: Sendable>(
        _ namespace: Namespace, for use: CollectionUse = .reading,
        _ body: (Collection) async throws(StorageError) -> R
    ) async throws(CommandError) -> R? {
        guard transaction != nil else { return try await engine.withCollection(namespace, for: use, body) }
        guard let found = try await collection(namespace) else { return nil }
        return try await inTransaction(found, for: use, body)
    }

    /// The same, with a collection that is made when there is none.
    package func withCollectionCreated<R: Sendable>(
        _ namespace: Namespace, _ body: (Collection) async throws(StorageError) -> R
    ) async throws(CommandError) -> R {
        guard transaction != nil else { return try await engine.withCollectionCreated(namespace, body) }
        try CollectionUse.checkWrites(into: namespace)
        return try await inTransaction(try await collectionOrCreate(namespace).collection, for: .writing, body)
    }

    package func collection(_ namespace: Namespace) async throws(CommandError) -> Collection? {
        if let own = transaction?.ownCollection(namespace) { return own }
        return try await engine.mapped { () async throws(StorageError) in
            try await engine.catalog.collection(namespace)
        }
    }

    /// What a name stands for when it is read: a collection, or a view of one.
    package func resolve(_ namespace: Namespace) async throws(StorageError) -> ResolvedNamespace {
        try await engine.catalog.resolve(namespace, for: transaction)
    }

    /// Runs `body`, which reads, and gives its failure in the client's terms.
    package func mapped<R: Sendable>(
        _ body: () async throws(StorageError) -> R
    ) async throws(CommandError) -> R {
        do throws(StorageError) { return try await body() } catch {
            throw transaction == nil ? CommandError(error) : CommandError(inTransaction: error)
        }
    }

    /// The collection, made with `options` when there is none.
    package func collectionOrCreate(
        _ namespace: Namespace, options: Document = .empty
    ) async throws(CommandError) -> (collection: Collection, isNew: Bool) {
        if let existing = try await collection(namespace) { return (existing, false) }
        guard let transaction else {
            return try await engine.mapped { () async throws(StorageError) in
                try await engine.catalog.collectionOrCreate(namespace, options: options)
            }
        }
        do throws(StorageError) {
            return try await transaction.collectionOrCreate(namespace, options: options)
        } catch {
            throw CommandError(inTransaction: error)
        }
    }

    private func inTransaction<R: Sendable>(
        _ collection: Collection, for use: CollectionUse, _ body: (Collection) async throws(StorageError) -> R
    ) async throws(CommandError) -> R {
        do throws(StorageError) {
            try collection.check(use, inTransaction: true)
            try await transaction?.checkIndexes(of: collection)
            return try await body(collection)
        } catch {
            // The transaction is over; the next one finds the collection as it is now.
            if error.isStaleCollection { engine.catalog.forget(collection.namespace) }
            if case .newFacts(let facts) = error {
                await transaction?.abort()
                do throws(StorageError) { _ = try await engine.catalog.note(facts, of: collection) } catch {
                    throw CommandError(inTransaction: error)
                }
            }
            throw CommandError(inTransaction: error)
        }
    }
}

// Writing.
extension DocumentStore {
    /// Inserts documents.
    ///
    /// - Parameter statements: the numbers of the documents in their command.
    /// - Returns: the errors by the documents' positions, ascending; only the first when `isOrdered`.
    package func insert(
        _ documents: [Document], statements: [Int32], into collection: Collection, isOrdered: Bool
    ) async throws(StorageError) -> [(index: Int, error: CommandError)] {
        guard let rules = collection.insertRules else {
            return try await insertAccepted(documents, statements, into: collection, isOrdered: isOrdered)
        }
        let (accepted, refused) = rules.sift(documents, isOrdered: isOrdered)
        if accepted.isEmpty { return refused }
        let failed = try await insertAccepted(
            accepted.map { documents[$0] }, accepted.map { statements[$0] }, into: collection, isOrdered: isOrdered)
        return rules.merge(failed.map { (accepted[$0.index], $0.error) }, refused, of: documents, isOrdered: isOrdered)
    }

    private func insertAccepted(
        _ documents: [Document], _ statements: [Int32], into collection: Collection, isOrdered: Bool
    ) async throws(StorageError) -> [(index: Int, error: CommandError)] {
        if let transaction {
            return noting(
                try await transaction.insert(
                    documents, into: collection, isOrdered: isOrdered, bypassingValidation: bypassesValidation),
                of: documents, isOrdered)
        }
        guard documents.count == 1 else {
            return noting(
                try await engine.insert(
                    documents, into: collection, isOrdered: isOrdered, bypassingValidation: bypassesValidation,
                    guarded: guarded, statements: statements, deadline: deadline),
                of: documents, isOrdered)
        }
        do throws(StorageError) {
            _ = try await engine.once(guarded, statement: statements[0]) { claim async throws(StorageError) in
                let outcome = try await engine.insert(
                    documents[0], into: collection, bypassingValidation: bypassesValidation, claim: claim,
                    deadline: deadline)
                engine.metrics.documents.inserted.count()
                return WriteTally(outcome)
            }
            return []
        } catch {
            guard case .command(let refusal) = error else { throw error }
            return [(0, refusal)]
        }
    }

    private func noting(
        _ refused: [(index: Int, error: CommandError)], of documents: [Document], _ isOrdered: Bool
    ) -> [(index: Int, error: CommandError)] {
        engine.metrics.documents.noteInsert(of: documents.count, isOrdered: isOrdered, refused: refused)
        return refused
    }

    /// Applies `operation` to one matching document, the first in the order of `sort`.
    ///
    /// - Parameter statement: its number in its command.
    package func modifyOne(
        _ operation: DocumentOperation, statement: Int32, in collection: Collection, sort: SortPattern? = nil,
        deadline: Deadline
    ) async throws(StorageError) -> WriteTally {
        let operation = prepared(operation)
        if let transaction {
            return noting(
                WriteTally(
                    try await transaction.modifyOne(operation, in: collection, sort: sort, deadline: deadline)),
                of: operation)
        }
        return try await engine.once(guarded, statement: statement) { claim async throws(StorageError) in
            let outcome = try await engine.modifyOne(
                operation, in: collection, sort: sort, claim: claim, deadline: deadline)
            return noting(WriteTally(outcome), of: operation)
        }
    }

    /// Applies `operation` to all matching documents: chunk by chunk, or at once when it must happen once.
    package func modifyMany(
        _ operation: DocumentOperation, statement: Int32, in collection: Collection, deadline: Deadline
    ) async throws(StorageError) -> WriteTally {
        let operation = prepared(operation)
        if let transaction {
            return noting(
                try await transaction.modifyMany(operation, in: collection, deadline: deadline), of: operation)
        }
        guard let guarded else {
            return noting(
                try await engine.modifyMany(operation, in: collection, deadline: deadline), of: operation)
        }
        return try await engine.once(guarded, statement: statement) { claim async throws(StorageError) in
            noting(
                try await engine.modifyManyAtOnce(operation, in: collection, claim: claim, deadline: deadline),
                of: operation)
        }
    }

    private func noting(_ tally: WriteTally, of operation: DocumentOperation) -> WriteTally {
        engine.metrics.documents.note(tally, of: operation)
        return tally
    }
}

extension DocumentStore {
    private func prepared(_ operation: DocumentOperation) -> DocumentOperation {
        var operation = operation
        operation.bypassesValidation = bypassesValidation
        return operation
    }
}

// Reading.
extension DocumentStore {
    /// One document by the key of its `_id`.
    package func read(_ key: ByteBuffer, from collection: Collection) async throws(StorageError) -> ByteBuffer? {
        let found =
            if let transaction {
                try await transaction.read(key, from: collection)
            } else {
                try await engine.read(key, from: collection, deadline: deadline)
            }
        if found != nil {
            engine.metrics.documents.returned.count()
            collection.usage.examine(1, byKeys: true)
        }
        return found
    }

    /// The next batch of a query.
    package func fill(
        _ batch: ReplyBatch, from run: QueryRun, deadline: Deadline
    ) async throws(StorageError) -> (ReplyBatch, QueryRun) {
        let filled =
            if let transaction {
                try await transaction.fill(batch, from: run, deadline: deadline)
            } else {
                try await engine.fill(batch, from: run, deadline: deadline)
            }
        engine.metrics.documents.returned.count(filled.0.count)
        return filled
    }

    /// How many documents match, after `skip` and up to `limit`.
    package func count(_ query: FindQuery, in collection: Collection) async throws(StorageError) -> Int64 {
        guard let transaction else { return try await engine.count(query, in: collection) }
        return try await transaction.count(query, in: collection)
    }

    /// The distinct values at the collector's path among the matching documents.
    package func distinct(
        _ query: FindQuery, into collector: DistinctCollector, in collection: Collection
    ) async throws(StorageError) -> DistinctCollector {
        guard let transaction else { return try await engine.distinct(query, into: collector, in: collection) }
        return try await transaction.distinct(query, into: collector, in: collection)
    }
}
