import BSON
import CommandModel
import Postgres
import Query
import Storage

/// A storage engine whose PostgreSQL is not there: the commands about server and sessions need none.
enum TestEngine {
    static let shared = make()

    static func make() -> Result<StorageEngine, PostgresError> {
        Result { () throws(PostgresError) in
            StorageEngine(
                readers: try pool(ReadWorker()), writers: try pool(WriteWorker()),
                general: try pool(GeneralWorker()), analytics: try pool(GeneralWorker()),
                transactions: TransactionRegistry(lanes: TransactionLanes(pool: try pool(GeneralWorker()))))
        }
    }

    private static func pool<Worker: DatabaseWorker>(_ worker: Worker) throws(PostgresError) -> DatabasePool<Worker> {
        let nowhere = ConnectionOptions(conninfo: "host=/nonexistent dbname=nothing")
        return try DatabasePool(
            worker: worker,
            options: PoolOptions(
                name: "test", connection: nowhere, threadCount: 1, routing: .shared(.eager), batchMax: 1))
    }

    static let namespace = Namespace(database: "test", collection: "c")

    /// A cursor that nobody reads.
    static func cursor(of session: LogicalSessionID?) -> Cursor {
        let collection = Collection(namespace: namespace, number: 1, uuid: [], options: .empty)
        return Cursor(
            namespace: namespace, run: QueryRun(FindQuery(filter: .everything), on: collection), sessionID: session,
            command: "find", isImmortal: false, maxTimeMilliseconds: 0)
    }
}
