internal import BSON
internal import CommandModel
internal import Query
internal import Storage

// https://www.mongodb.com/docs/manual/reference/operator/aggregation/out/
// https://www.mongodb.com/docs/manual/reference/operator/aggregation/merge/

/// Writes what comes out of a pipeline to where its last stage says: batch by batch, as it is read.
struct AggregateOutput {
    private let output: PipelineOutput
    private let namespace: Namespace
    private let request: CommandRequest
    private let context: CommandContext

    init(
        _ output: PipelineOutput, _ arguments: AggregateArguments, _ request: CommandRequest, _ context: CommandContext
    ) {
        self.output = output
        namespace = arguments.namespace
        self.request = request
        self.context = context.bypassingValidation(arguments.bypassesValidation)
    }

    /// - Returns: an empty cursor.
    func write(_ run: QueryRun) async throws(StorageError) -> CommandReply {
        switch output {
        case .out(let out): try await replace(out, by: run)
        case .merge(let merge): try await self.merge(run, by: merge)
        }
        _ = context.server.clock.tick()
        var reply = CommandTable.cursorReply(.first, namespace, id: 0) { _ in }
        request.shared.writeUnsatisfiedConcern(into: &reply.builder)
        return reply
    }

    /// What is checked also by an explain, which writes nothing.
    static func check(_ output: PipelineOutput?, _ context: CommandContext) async throws(CommandError) {
        switch output {
        case .out(let out)?: _ = try await OutputTarget(out.target, context).options(for: out)
        case .merge(let merge)?: try await OutputTarget(merge.target, context).check(merge)
        case nil: return
        }
    }

    /// Writes go past the transaction of a snapshot that is read.
    private var store: DocumentStore {
        var store = context.documents
        store.transaction = nil
        return store
    }

    private var catalog: Catalog { context.engine.catalog }

    /// Documents of one batch; it has 16 MiB at most.
    private static let batchMax = 1_000

    private func forEachBatch(
        of run: QueryRun, _ write: ([Document]) async throws(CommandError) -> Void
    ) async throws(StorageError) {
        let deadline = context.deadline(of: request)
        var (run, hasWritten) = (run, false)
        repeat {
            let batch: ReplyBatch
            do throws(StorageError) {
                (batch, run) = try await context.documents.fill(
                    ReplyBatch(into: DocumentBuilder(), documentsMax: Self.batchMax), from: run, deadline: deadline)
            } catch {
                // From the start again is no choice any more.
                throw hasWritten ? .command(error.asCursorFailure(namespace)) : error
            }
            let documents = batch.builder.finish().withRaw { raw in
                raw.compactMap { $0.value.document.map(Document.init(copying:)) }
            }
            guard !documents.isEmpty else { continue }
            hasWritten = true
            do throws(CommandError) { try await write(documents) } catch { throw .command(error) }
            try deadline.check()
        } while !run.isExhausted
    }
}

// $out.
extension AggregateOutput {
    /// Gathers everything in a collection of its own, which then takes the place of the target: who reads that sees all
    /// of the old or all of the new, and an error leaves the old.
    private func replace(_ out: Out, by run: QueryRun) async throws(StorageError) {
        let name = "tmp.agg_out.\(context.server.newObjectID().hexString)"
        let gathered = Namespace(database: out.target.database, collection: name)
        do throws(StorageError) {
            let options = try await begin(gathered, for: out)
            try await forEachBatch(of: run) { documents throws(CommandError) in
                try await insert(documents, into: gathered)
            }
            do throws(StorageError) { try await catalog.publish(gathered, as: out.target, options: options) } catch {
                throw .command(CommandError(error))
            }
        } catch {
            await catalog.abandon(gathered)
            throw error
        }
    }

    /// - Returns: the options that the result will have.
    private func begin(_ gathered: Namespace, for out: Out) async throws(StorageError) -> Document {
        do throws(CommandError) {
            let target = try await OutputTarget(out.target, context)
            let options = try target.options(for: out)
            try await context.engine.mapped { () async throws(StorageError) in
                try await catalog.createUnfinished(gathered, options: options, like: target.existing)
            }
            return options
        } catch { throw .command(error) }
    }

    private func insert(_ documents: [Document], into gathered: Namespace) async throws(CommandError) {
        let stored = try prepared(documents)
        let refused = try await context.engine.withCollection(gathered, for: .writing) {
            collection async throws(StorageError) in
            try await store.insert(
                stored, statements: numbers(of: stored), into: collection, isOrdered: true)
        }
        guard let refused else {
            throw CommandError(.queryPlanKilled, "\(gathered) was dropped while the result was gathered in it")
        }
        if let first = refused.first { throw first.error }
    }

    private func prepared(_ documents: [Document]) throws(CommandError) -> [Document] {
        var prepared: [Document] = []
        prepared.reserveCapacity(documents.count)
        for document in documents { prepared.append(try StoredDocument.prepare(document, context.server)) }
        return prepared
    }

    private func numbers(of documents: [Document]) -> [Int32] { documents.indices.map { Int32($0) } }
}

// $merge.
extension AggregateOutput {
    private func merge(_ run: QueryRun, by merge: Merge) async throws(StorageError) {
        let isSparse: Bool
        do throws(CommandError) {
            let target = try await OutputTarget(merge.target, context)
            try target.check(merge)
            isSparse = target.isSparse(for: merge)
        } catch { throw .command(error) }
        var pace = MergePace()
        try await forEachBatch(of: run) { documents throws(CommandError) in
            for document in documents {
                try document.withRaw { raw throws(CommandError) in try merge.check(raw, isSparse: isSparse) }
            }
            let stored = try prepared(documents)
            if case .fail = merge.whenMatched {
                try await insertNew(stored, into: merge.target)
            } else {
                let namesID = documents.map { merge.needsID || $0.withRaw { $0["_id"] != nil } }
                try await apply(stored, namesID, merge, &pace)
            }
        }
    }

    /// All that nothing is there for, before the first error is told.
    private func insertNew(_ documents: [Document], into target: Namespace) async throws(CommandError) {
        let refused = try await context.engine.withCollectionCreated(target) {
            collection async throws(StorageError) in
            try await store.insert(
                documents, statements: numbers(of: documents), into: collection, isOrdered: false)
        }
        if let first = refused.first { throw first.error }
    }

    /// Each document by itself: the first error is told when all have been tried.
    ///
    /// - Parameter namesID: for each whether its `_id` is its own, or one that it needs only if it is inserted.
    private func apply(
        _ documents: [Document], _ namesID: [Bool], _ merge: Merge, _ pace: inout MergePace
    ) async throws(CommandError) {
        var items: [MergeItem] = []
        var failure: CommandError?
        for (document, namesID) in zip(documents, namesID) {
            do throws(CommandError) {
                guard let operation = try operation(of: document, namesID: namesID, merge) else { continue }
                items.append(MergeItem(document, operation))
            } catch {
                failure = failure ?? error
            }
        }
        let inserts = merge.whenNotMatched == .insert
        let fields = merge.isByID ? nil : merge.on.map { MergeFields($0, comparedBy: merge.collator) }
        let outcomes = try await store.merge(items, on: fields, into: merge.target, creating: inserts, &pace)
        for outcome in outcomes where failure == nil {
            switch outcome {
            case .success(let outcome):
                if merge.whenNotMatched == .fail, !outcome.matched { failure = Self.notMatched }
            case .failure(let error): failure = error
            }
        }
        if let failure { throw failure }
    }

    private static let notMatched = CommandError(
        ErrorCode(13113, "MergeStageNoMatchingDocument"),
        "$merge could not find a matching document in the target collection for at least one document in the source "
            + "collection")

    private func operation(
        of document: Document, namesID: Bool, _ merge: Merge
    ) throws(CommandError) -> DocumentOperation? {
        guard let update = try merge.update(by: namesID ? document : document.withoutID) else { return nil }
        let filter = try document.withRaw { raw throws(CommandError) in try merge.filter(finding: raw) }
        let made = namesID ? nil : document.withRaw { $0["_id"]?.objectID }
        var operation = DocumentOperation(
            on: merge.target, filter: filter, action: .update(update),
            upsertID: merge.whenNotMatched == .insert ? made ?? context.server.newObjectID() : nil)
        operation.bypassesValidation = context.documents.bypassesValidation
        if merge.insertsAsGiven { operation.supplied = document }
        return operation
    }
}

extension Document {
    fileprivate var withoutID: Document {
        withRaw { raw in
            Document { builder in
                for field in raw where !(field.key == "_id") { builder.append(field) }
            }
        }
    }
}

/// The collection that `$out` or `$merge` writes, as it is before.
private struct OutputTarget {
    private let target: Namespace
    let existing: Collection?

    init(_ target: Namespace, _ context: CommandContext) async throws(CommandError) {
        self.target = target
        // Its options must be those of this moment.
        context.engine.catalog.forget(target)
        existing = try await context.engine.mapped { () async throws(StorageError) in
            try await context.engine.catalog.collection(target)
        }
    }

    /// The options that the collection will have: those that it has.
    func options(for out: Out) throws(CommandError) -> Document {
        let wanted = try out.timeseries.map { document throws(CommandError) in try Self.timeseries(document) }
        guard let existing else { return wanted ?? .empty }
        if let wanted {
            guard existing.timeseries != nil else {
                throw CommandError(
                    ErrorCode(7_268_700), "Cannot create a time-series collection from a non time-series one: \(target)"
                )
            }
            guard Self.timeseries(of: wanted) == Self.timeseries(of: existing.options) else {
                throw CommandError(
                    ErrorCode(7_406_103),
                    "the time-series options must match those of the existing collection \(target)")
            }
        }
        guard existing.view == nil else { throw .notSupportedOnView(target) }
        guard !existing.isCapped else {
            throw CommandError(
                ErrorCode(17152), "namespace '\(target)' is capped so it can't be used for $out")
        }
        return existing.options
    }

    private static func timeseries(_ document: Document) throws(CommandError) -> Document {
        let argument = try document.withRaw { raw throws(CommandError) in
            try TimeseriesArgument(
                Argument(
                    command: "$out", key: RawKey("timeseries"), value: RawValue(type: .document, bytes: raw.bytes)),
                checksNames: false)
        }
        return Document { argument.write(into: &$0) }
    }

    private static func timeseries(of options: Document) -> Document? {
        options.withRaw { $0["timeseries"]?.document.map(Document.init(copying:)) }
    }

    /// - Throws: CommandNotSupportedOnView (166), Location51183 without a unique index.
    func check(_ merge: Merge) throws(CommandError) {
        guard existing?.view == nil, existing?.timeseries == nil else { throw .notSupportedOnView(target) }
        guard let fields = merge.on else { return }
        // A collection that is to be made will have an index on `_id`.
        guard existing?.hasUniqueIndex(on: fields, under: merge.collator) ?? (fields == ["_id"]) else {
            throw .noUniqueIndex(on: fields)
        }
    }

    /// Whether documents are found by an index that does not hold all of them.
    func isSparse(for merge: Merge) -> Bool {
        guard let fields = merge.on, !merge.isByID else { return false }
        return existing?.uniqueIndex(on: fields, under: merge.collator)?.definition.isSparse ?? false
    }
}
