import BSON
import CommandModel
import NIOCore
import Postgres
import Query
import SQL
import Testing

@testable import Storage

/// A store with lanes for transactions beside it.
final class TestTransactions: Sendable {
    let store: TestStore
    let pool: DatabasePool<GeneralWorker>
    let lanes: TransactionLanes
    let registry: TransactionRegistry

    init(
        _ database: ConnectionOptions, laneCount: Int = 4, waitersMax: Int = 100, waitMilliseconds: Int = 5_000,
        lifetime: TimeAmount = .minutes(1)
    ) throws {
        store = try TestStore(database)
        pool = try DatabasePool(
            worker: GeneralWorker(), options: TransactionPool.options(connection: database, laneCount: laneCount))
        lanes = TransactionLanes(pool: pool, waitersMax: waitersMax, waitMilliseconds: waitMilliseconds)
        registry = TransactionRegistry(lanes: lanes, lifetime: lifetime)
    }

    deinit { pool.shutdown() }

    static func make(laneCount: Int = 4) throws -> TestTransactions {
        try TestTransactions(TestServer.database(), laneCount: laneCount)
    }

    var engine: StorageEngine { store.engine }

    func open(
        _ isolation: OpenTransaction.Isolation = .snapshot, isReadOnly: Bool = false
    ) async throws -> OpenTransaction {
        try await OpenTransaction.open(on: lanes, isolation: isolation, isReadOnly: isReadOnly)
    }

    /// A collection with these documents.
    func collection(_ documents: String...) async throws -> Storage.Collection {
        let collection = try await store.collection()
        try await engine.fill(documents.map(json), into: collection)
        return collection
    }

    /// No lane is leaked: the lane of whatever has ended is free.
    func expectLanesFree(sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(lanes.leased == 0 && lanes.waiting == 0, sourceLocation: sourceLocation)
    }

    /// Ends the connections of transactions, as an administrator would.
    func killConnections() throws {
        let killer = try store.connect()
        let result = try killer.execute(
            Statement(
                """
                SELECT count(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
                """))
        #expect(result.int8(row: 0, column: 0) ?? 0 > 0)
    }
}

extension OpenTransaction {
    func update(_ filter: String, _ update: String, in collection: Storage.Collection) async throws -> DocumentOutcome {
        try await modifyOne(.update(filter, update), in: collection, deadline: .never)
    }

    func insert(_ document: String, into collection: Storage.Collection) async throws {
        let refused = try await insert([json(document)], into: collection, isOrdered: true)
        if let error = refused.first?.error { throw error }
    }

    /// The documents in insertion order, as relaxed extended JSON.
    func texts(of collection: Storage.Collection, where filter: String = "{}", sort: String? = nil) async throws
        -> [String]
    {
        var query = FindQuery(filter: try Filter(compiling: json(filter)))
        query.sort = try sort.map { try SortPattern(compiling: json($0)) }
        var run = QueryRun(query, on: collection)
        var texts: [String] = []
        while !run.isExhausted {
            var batch = ReplyBatch(into: DocumentBuilder(), documentsMax: 7)
            (batch, run) = try await fill(batch, from: run, deadline: .never)
            texts += batch.builder.finish().withRaw { raw in
                raw.compactMap { $0.value.document.map { Document(copying: $0).text } }
            }
        }
        return texts
    }
}

/// The error of a transaction in the client's terms.
func transactionError(_ body: () async throws -> Void) async -> CommandError? {
    do {
        try await body()
        return nil
    } catch let error as StorageError {
        return CommandError(inTransaction: error)
    } catch let error as CommandError {
        return error
    } catch {
        Issue.record("unexpected error \(error)")
        return nil
    }
}

/// That `body` ends with a conflict which makes drivers run the transaction again.
func expectConflict(sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> Void) async {
    let error = await transactionError(body)
    #expect(
        error?.code.number == 112 && error?.labels == ["TransientTransactionError"], "\(String(describing: error))",
        sourceLocation: sourceLocation)
}
