package import BSON
internal import CommandModel
internal import Postgres
package import Query

/// The collections that a pipeline reads beside its own, by the names by which its stages know them.
package struct ForeignCollections: Sendable {
    package var database: String
    package var collections: [String: Collection] = [:]
    /// What the server knows of collections, as pipelines ask for it.
    package var facts: [ForeignFact: [Document]] = [:]

    package init(database: String) {
        self.database = database
    }

    package var isEmpty: Bool { collections.isEmpty }
}

extension ForeignCollections {
    /// How the stages of a pipeline would find the documents of other collections.
    package func joins(of pipeline: Pipeline) -> [JoinStrategy] {
        pipeline.joins(PipelineReader(self, for: FindQuery(filter: .everything)))
    }
}

/// Reads other collections for the stages of a pipeline, on the connection that it has for its batch.
//
// Safety: belongs to one `QueryRun`, and a cursor is checked out by one command at a time.
final class PipelineReader: CollectionReader, @unchecked Sendable {
    private let foreign: ForeignCollections
    private let query: FindQuery
    let tables = ForeignTables()
    private var turn: (connection: Connection, deadline: Deadline)?
    /// What went wrong, in Storage's own terms: stages know errors of commands only.
    private var failure: StorageError?

    init(_ foreign: ForeignCollections, for query: FindQuery) {
        self.foreign = foreign
        self.query = query
    }

    /// Calls `body`, during which there is a connection.
    func reading<R>(
        on connection: Connection, _ deadline: Deadline, _ body: () throws(StorageError) -> R
    ) throws(StorageError) -> R {
        turn = (connection, deadline)
        failure = nil
        defer { turn = nil }
        do throws(StorageError) { return try body() } catch { throw failure ?? error }
    }

    func open(_ name: String?, _ compiled: CompiledPipeline) throws(CommandError) -> any DocumentStream {
        var pipeline = compiled.pipeline
        if let server = compiled.server { return try open(server, of: name, pipeline) }
        guard let name, let collection = foreign.collections[name] else {
            let namespace = Namespace(database: foreign.database, collection: name ?? "$cmd.aggregate")
            return ForeignStream(
                QueryRun(over: compiled.documents ?? [], in: namespace, through: pipeline, reader: self), self)
        }
        var inner = FindQuery(absorbing: &pipeline)
        inner.narrowing = compiled.narrowing(for: pipeline, areKept: inner.sort != nil)
        inner.spill = query.spill
        inner.sortBytesMax = query.sortBytesMax
        inner.patience = query.patience
        inner.settings = query.settings
        return ForeignStream(QueryRun(inner, on: collection, through: pipeline, reader: self), self)
    }

    private func open(
        _ server: ServerSource, of name: String?, _ pipeline: Pipeline
    ) throws(CommandError) -> any DocumentStream {
        let namespace = Namespace(database: foreign.database, collection: name ?? "$cmd.aggregate")
        guard let name, let documents = foreign.facts[ForeignFact(collection: name, source: server)] else {
            throw CommandError(.notImplemented, "\(server.name) is not supported in the pipeline of a view yet")
        }
        return ForeignStream(QueryRun(over: documents, in: namespace, through: pipeline, reader: self), self)
    }

    /// By `_id`, or by an index that begins with the path. The condition is planned like that of any query.
    func findsByKeys(in name: String, at path: String, _ collator: Collator?) -> Bool {
        guard let collection = foreign.collections[name] else { return true }
        let isByID = path == "_id" && collection.isKeyedByID
        if isByID, collator?.collation == collection.collator?.collation { return true }
        return collection.readyIndexes.contains { index in
            let definition = index.definition
            return definition.fields.first?.path == path && definition.fields.first?.kind.isOrdered == true
                && !definition.isHidden && !definition.isSparse && definition.partialFilter == nil
                && definition.collator?.collation == collator?.collation
        }
    }

    /// How many rows the stages may read by scans.
    func rowsScanned(by pipeline: Pipeline, _ estimates: RowEstimates) -> Int64 {
        var rows: Int64 = 0
        pipeline.forEachScan(self) { name in
            if let collection = foreign.collections[name] { rows = max(rows, estimates[collection]) }
        }
        return rows
    }

    fileprivate func next(of run: inout QueryRun) throws(CommandError) -> Batch? {
        guard let turn else { throw CommandError(.internalError, "a stage reads while there is no connection") }
        do throws(StorageError) {
            return try run.nextBatch(on: turn.connection, deadline: turn.deadline)
        } catch {
            if case .command(let refusal) = error { throw refusal }
            failure = error
            throw CommandError(.internalError, "another collection could not be read")
        }
    }
}

private final class ForeignStream: DocumentStream {
    private var run: QueryRun
    private let reader: PipelineReader

    init(_ run: QueryRun, _ reader: PipelineReader) {
        self.run = run
        self.reader = reader
    }

    func next() throws(CommandError) -> Batch? { try reader.next(of: &run) }
}

extension IndexDefinition.Field.Kind {
    fileprivate var isOrdered: Bool { self == .ascending || self == .descending }
}
