import Glibc
import Metrics
import Testing

@testable import Postgres
@testable import SQL

/// Pools of many threads few of which are in use.
@Suite(.timeLimit(.minutes(20))) struct LazyPoolTests {
    private typealias Pool = DatabasePool<ScriptedWorker>

    private func pool(
        _ connection: ConnectionOptions, threads: Int = 8, idleMilliseconds: Int? = nil
    ) throws -> Pool {
        var options = PoolOptions(
            name: "lazy", connection: connection, threadCount: threads, routing: .lanes, batchMax: 1)
        options.connectsLazily = true
        options.keepsTransactions = true
        options.idleConnectionMilliseconds = idleMilliseconds
        return try DatabasePool(worker: ScriptedWorker(), options: options)
    }

    private func run(_ sql: String, on pool: Pool, lane: Int = 0) -> ScriptedWorker.Outcome {
        let request = ScriptedWorker.Request(sql: sql)
        pool.submit(request, lane: lane)
        #expect(eventually { request.outcome.isKnown })
        return request.outcome
    }

    @Test("a thread connects when it gets its first batch, and stays connected")
    func connectsAtFirstBatch() throws {
        let options = try TestServer.options()
        let pool = try pool(options)
        defer { pool.shutdown() }
        let beside = try Connection.connect(options)
        let others = Statement(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
        #expect(try beside.execute(others).int8(row: 0, column: 0) == 0)
        let pid = run("SELECT pg_backend_pid()::text", on: pool, lane: 3).text
        #expect(run("SELECT pg_backend_pid()::text", on: pool, lane: 3).text == pid)
        _ = run("SELECT 1", on: pool, lane: 5)
        #expect(pool.metrics.connected == 2)
        #expect(try beside.execute(others).int8(row: 0, column: 0) == 2)
    }

    @Test("an idle connection is closed, and the next batch has a new one")
    func closesIdle() throws {
        let pool = try pool(TestServer.options(), idleMilliseconds: 50)
        defer { pool.shutdown() }
        for _ in 0..<3 {
            #expect(run("SELECT 'served'", on: pool).text == "served")
            #expect(eventually { pool.metrics.connected == 0 })
        }
        #expect(pool.metrics.reconnects == 2)
    }

    @Test("an idle connection in a transaction is kept")
    func keepsTransaction() throws {
        let pool = try pool(TestServer.options(), idleMilliseconds: 20)
        defer { pool.shutdown() }
        _ = run("CREATE TABLE t ()", on: pool)
        _ = run("BEGIN", on: pool)
        _ = run("INSERT INTO t DEFAULT VALUES", on: pool)
        usleep(200_000)
        #expect(run("SELECT count(*)::text FROM t", on: pool).text == "1")
        _ = run("COMMIT", on: pool)
        #expect(eventually { pool.metrics.connected == 0 })
    }

    @Test("a server that is away fails requests at once, and is reached without a request when it is back")
    func breaker() throws {
        let directory = "/tmp/martlet-lazy-\(getpid())"
        let real = try TestServer.options().conninfo
        let host = try #require(real.split(separator: "'").first { $0.hasPrefix("/") })
        let detour = real.replacing(host, with: directory)
        let pool = try pool(ConnectionOptions(conninfo: detour), threads: 1)
        defer {
            pool.shutdown()
            unlink(directory)
        }
        #expect(run("SELECT 1", on: pool).error?.kind == .connectionFailed)
        #expect(eventually { run("SELECT 1", on: pool).error != nil && pool.metrics.queued == 0 })
        #expect(symlink(String(host), directory) == 0)
        #expect(eventually { pool.metrics.connected == 1 })
        #expect(run("SELECT 'back'", on: pool).text == "back")
    }

    @Test("shutdown ends threads that never connected")
    func shutdownUnused() throws {
        let pool = try pool(ConnectionOptions(conninfo: "host=/nonexistent"))
        pool.shutdown()
        #expect(run("SELECT 1", on: pool).error?.kind == .poolClosed)
    }
}
