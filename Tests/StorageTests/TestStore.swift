import BSON
import CommandModel
import NIOCore
import Postgres
import Query
import SQL
import Testing

@testable import Storage

/// A storage engine with pools of its own on one database: a server of Martlet without its sockets. Two of them on one
/// database are two servers.
final class TestStore: Sendable {
    struct Sizes {
        var readers = 1
        var writers = 2
        var general = 2
        var lanes = 4
        var strategy = WriteStrategy.hybrid
        /// Writes that share a transaction.
        var batchMax = 128
        var analyticsThreshold = ReadRouting.thresholdDefault
    }

    let engine: StorageEngine
    let database: ConnectionOptions
    private let readers: DatabasePool<ReadWorker>
    private let writers: DatabasePool<WriteWorker>
    private let general: DatabasePool<GeneralWorker>
    private let analytics: DatabasePool<GeneralWorker>
    private let lanes: DatabasePool<GeneralWorker>

    init(_ database: ConnectionOptions, _ sizes: Sizes = Sizes()) throws {
        self.database = database
        let metrics = StorageMetrics()
        var keyed = database.setting("plan_cache_mode", "force_generic_plan")
        keyed = keyed.setting("enable_seqscan", "off").setting("enable_bitmapscan", "off")
        keyed = keyed.setting("lock_timeout", "30ms")
        readers = try DatabasePool(
            worker: ReadWorker(),
            options: PoolOptions(
                name: "readers", connection: keyed, threadCount: sizes.readers,
                routing: .shared(.gather(threshold: 16)), batchMax: 128))
        writers = try DatabasePool(
            worker: WriteWorker(strategy: sizes.strategy, metrics: metrics),
            options: Self.writerOptions(keyed, sizes))
        general = try DatabasePool(
            worker: GeneralWorker(),
            options: PoolOptions(
                name: "general", connection: database.setting("lock_timeout", "30ms"), threadCount: sizes.general,
                routing: .shared(.eager),
                batchMax: 1))
        analytics = try DatabasePool(
            worker: GeneralWorker(),
            options: PoolOptions(
                name: "analytics",
                connection: database.setting("default_transaction_isolation", "repeatable read")
                    .setting("default_transaction_read_only", "on").setting("lock_timeout", "30ms"),
                threadCount: 1, routing: .shared(.eager), batchMax: 1))
        lanes = try DatabasePool(
            worker: GeneralWorker(), options: TransactionPool.options(connection: database, laneCount: sizes.lanes))
        engine = StorageEngine(
            readers: readers, writers: writers, general: general, analytics: analytics,
            transactions: TransactionRegistry(lanes: TransactionLanes(pool: lanes)),
            routing: ReadRouting(threshold: sizes.analyticsThreshold), metrics: metrics)
    }

    /// As the server has them.
    private static func writerOptions(_ keyed: ConnectionOptions, _ sizes: Sizes) -> PoolOptions {
        guard sizes.strategy != .hybrid else {
            return PoolOptions(
                name: "writers", connection: keyed, threadCount: sizes.writers, routing: .lanes,
                batchMax: sizes.batchMax)
        }
        return PoolOptions(
            name: "writers", connection: keyed.setting("lock_timeout", "0"), threadCount: sizes.writers,
            routing: .shared(.eager), batchMax: 1)
    }

    deinit {
        readers.shutdown()
        writers.shutdown()
        general.shutdown()
        analytics.shutdown()
        lanes.shutdown()
    }

    static func make(_ sizes: Sizes = Sizes()) throws -> TestStore {
        try TestStore(TestServer.database(), sizes)
    }

    func collection(_ name: String = "c") async throws -> Storage.Collection {
        try await engine.catalog.collectionOrCreate(namespace(name)).collection
    }

    /// A connection beside the pools, to look at and to disturb.
    func connect() throws -> Connection { try Connection.connect(database) }

    /// How many PostgreSQL has broken in this database, as far as its statistics have come.
    func deadlocks() throws -> Int64? {
        try connect().execute(
            Statement("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        ).int8(row: 0, column: 0)
    }
}

func namespace(_ name: String = "c") -> Namespace { Namespace(database: "test", collection: name) }

/// A document written as extended JSON; a mistake in it fails the test that uses it.
func json(_ text: String) -> Document {
    do {
        return try Document(extendedJSON: text)
    } catch {
        Issue.record("\(text): \(error)")
        return .empty
    }
}

extension Document {
    var text: String { extendedJSON(.relaxed) }
    var key: ByteBuffer { withRaw { $0["_id"].map { DocumentKey.encode($0) } } ?? DocumentKey.encode(.null) }
    func int(_ field: StaticString) -> Int64? { withRaw { $0[RawKey(field)]?.number?.asInt64Exact } }
}

/// The key of an `_id` written as extended JSON.
func key(_ id: String) -> ByteBuffer { json("{\"_id\": \(id)}").key }

extension DocumentOperation {
    static func update(
        _ filter: String, _ update: String, upsert: Bool = false, multi: Bool = false, images: Bool = false,
        in collection: String = "c"
    ) throws -> DocumentOperation {
        DocumentOperation(
            on: StorageTests.namespace(collection), filter: try Filter(compiling: json(filter)),
            action: .update(try UpdateProgram(compiling: .document(json(update)), multi: multi, isUpsert: upsert)),
            upsertID: upsert ? ObjectID(high: 7, low: 9) : nil, image: images ? .before : .none)
    }

    static func delete(_ filter: String, images: Bool = false) throws -> DocumentOperation {
        DocumentOperation(
            on: StorageTests.namespace(), filter: try Filter(compiling: json(filter)), action: .delete,
            image: images ? .before : .none)
    }
}

extension StorageEngine {
    /// The documents in insertion order, as relaxed extended JSON.
    func texts(
        of collection: Storage.Collection, where filter: String = "{}"
    ) async throws -> [String] {
        try await documents(of: collection, where: filter).map(\.text)
    }

    func documents(
        of collection: Storage.Collection, where filter: String = "{}", sort: String? = nil, batch: Int = .max
    ) async throws -> [Document] {
        var query = FindQuery(filter: try Filter(compiling: json(filter)))
        query.sort = try sort.map { try SortPattern(compiling: json($0)) }
        var run = QueryRun(query, on: collection)
        var all: [Document] = []
        while !run.isExhausted { all += try await next(&run, count: batch) }
        return all
    }

    /// The next batch of a query.
    func next(
        _ run: inout QueryRun, count: Int, deadline: Deadline = .never
    ) async throws -> [Document] {
        var batch = ReplyBatch(into: DocumentBuilder(), documentsMax: count)
        (batch, run) = try await fill(batch, from: run, deadline: deadline)
        return batch.builder.finish().withRaw { raw in
            raw.compactMap { $0.value.document.map(Document.init(copying:)) }
        }
    }

    func modify(_ operation: DocumentOperation, in collection: Storage.Collection) async throws -> DocumentOutcome {
        try await modifyOne(operation, in: collection, deadline: .never)
    }

    func fill(_ documents: [Document], into collection: Storage.Collection) async throws {
        let refused = try await insert(documents, into: collection, isOrdered: false)
        #expect(refused.isEmpty)
    }
}

/// The code of the client's error that `body` ends with; nil when it succeeds.
func errorCode(_ body: () async throws -> Void) async -> Int32? {
    do {
        try await body()
        return nil
    } catch let error as StorageError {
        return CommandError(error).code.number
    } catch let error as CommandError {
        return error.code.number
    } catch {
        Issue.record("unexpected error \(error)")
        return nil
    }
}

extension DocumentKey {
    /// Keys of collections without a collation.
    static func encode(_ id: RawValue) -> ByteBuffer { encode(id, collator: nil) }

    static func encode(_ id: Value) -> ByteBuffer { id.withRaw { encode($0) } }
}
