import Glibc
import Metrics
import Synchronization
import Testing

@testable import Postgres
@testable import SQL

/// Runs SQL texts; the request says which, the outcome is the first column or the error.
final class ScriptedWorker: DatabaseWorker {
    struct Request: Sendable {
        let sql: String
        let outcome = Outcome()
    }

    final class Outcome: Sendable {
        private let value = Mutex<Result<String, PostgresError>?>(nil)
        private let times = Atomic<Int>(0)

        func set(_ result: Result<String, PostgresError>) {
            times.add(1, ordering: .sequentiallyConsistent)
            value.withLock { $0 = result }
        }

        var isKnown: Bool { value.withLock { $0 != nil } }
        var answers: Int { times.load(ordering: .sequentiallyConsistent) }
        var text: String? { value.withLock { try? $0?.get() } }
        var error: PostgresError? {
            guard case .failure(let error)? = value.withLock({ $0 }) else { return nil }
            return error
        }
    }

    /// The sizes of the batches, in order.
    let batches = Mutex<[Int]>([])

    func run(_ batch: [Request], on connection: Connection) {
        batches.withLock { $0.append(batch.count) }
        for request in batch {
            connection.enqueue(.once(request.sql))
            connection.enqueueSync()
        }
        for request in batch {
            do throws(PostgresError) {
                let result = try connection.next()
                request.outcome.set(.success(result.text(row: 0, column: 0) ?? ""))
            } catch {
                request.outcome.set(.failure(error))
            }
            try? connection.nextSync()
        }
    }

    func fail(_ batch: [Request], with error: PostgresError) {
        for request in batch { request.outcome.set(.failure(error)) }
    }
}

@Suite(.timeLimit(.minutes(20))) struct DatabasePoolTests {
    private typealias Pool = DatabasePool<ScriptedWorker>

    private func pool(
        _ options: ConnectionOptions, threads: Int = 1, routing: Routing = .shared(.gather(threshold: 16)),
        batchMax: Int = 64, queueMax: Int = 10_000, keepsTransactions: Bool = false
    ) throws -> (Pool, ScriptedWorker) {
        var poolOptions = PoolOptions(
            name: "test", connection: options, threadCount: threads, routing: routing, batchMax: batchMax,
            queueMax: queueMax)
        poolOptions.keepsTransactions = keepsTransactions
        let worker = ScriptedWorker()
        return (try DatabasePool(worker: worker, options: poolOptions), worker)
    }

    private func submit(_ sql: String, to pool: Pool, lane: Int? = nil) -> ScriptedWorker.Outcome {
        let request = ScriptedWorker.Request(sql: sql)
        if let lane { pool.submit(request, lane: lane) } else { pool.submit(request) }
        return request.outcome
    }

    private func run(_ sql: String, on pool: Pool) -> ScriptedWorker.Outcome {
        let outcome = submit(sql, to: pool)
        #expect(eventually { outcome.isKnown })
        return outcome
    }

    @Test("requests that come while one runs become one batch, and each is answered once")
    func batching() throws {
        let (pool, worker) = try pool(TestServer.options())
        defer { pool.shutdown() }
        let slow = submit("SELECT pg_sleep(0.3)::text", to: pool)
        #expect(eventually { worker.batches.withLock { !$0.isEmpty } })
        let outcomes = (0..<50).map { submit("SELECT '\($0)'", to: pool) }
        #expect(eventually { outcomes.allSatisfy(\.isKnown) && slow.isKnown })
        #expect(outcomes.enumerated().allSatisfy { $1.text == "\($0)" && $1.answers == 1 })
        #expect(worker.batches.withLock { $0 } == [1, 50])
        let metrics = pool.metrics
        #expect(metrics.queued == 0 && metrics.connected == 1 && metrics.batches == 2 && metrics.requests == 51)
        #expect(metrics.failed == 0 && metrics.shed == 0 && metrics.reconnects == 0 && metrics.breakersOpen == 0)
        // 1 and 50, in buckets up to 1 and up to 64.
        #expect(metrics.batchSizes.buckets == [1, 0, 0, 0, 0, 0, 1, 0, 0, 0])
        #expect(metrics.waits.count == 51)
        #expect(metrics.threads == 1 && eventually { pool.metrics.busy == 0 && pool.metrics.busyNanoseconds > 0 })
    }

    @Test("a request does not wait for ever behind a thread that is stuck")
    func noStall() throws {
        let (pool, _) = try pool(TestServer.options(), threads: 2, routing: .shared(.gather(threshold: 1_000)))
        defer { pool.shutdown(gracePeriodMilliseconds: 0) }
        #expect(eventually { pool.metrics.connected == 2 })
        let stuck = submit("SELECT pg_sleep(60)::text", to: pool)
        #expect(eventually { pool.metrics.batches == 1 })
        #expect(run("SELECT 'through'", on: pool).text == "through")
        #expect(!stuck.isKnown)
    }

    @Test("a pool whose requests only wait finds out that more threads finish more of them")
    func findsLimit() throws {
        var options = PoolOptions(
            name: "test", connection: try TestServer.options(), threadCount: 8, routing: .shared(.eager), batchMax: 1)
        options.connectsLazily = true
        options.runningMin = 2
        let pool = try DatabasePool(worker: ScriptedWorker(), options: options)
        defer { pool.shutdown(gracePeriodMilliseconds: 0) }
        #expect(pool.metrics.runningMax == 4)
        var most = 0
        #expect(
            eventually {
                for _ in pool.metrics.queued..<100 { _ = submit("SELECT pg_sleep(0.01)::text", to: pool) }
                most = max(most, pool.metrics.busy)
                return pool.metrics.runningMax >= 6
            })
        #expect((4...8).contains(most) && pool.metrics.threads == 8)
        #expect(pool.metrics.connected >= 5, "and has made connections for them")
    }

    @Test("eager threads run requests side by side")
    func eager() throws {
        let (pool, worker) = try pool(TestServer.options(), threads: 3, routing: .shared(.eager), batchMax: 1)
        defer { pool.shutdown(gracePeriodMilliseconds: 0) }
        #expect(eventually { pool.metrics.connected == 3 })
        // None ends before the pool does, so all three are running at once.
        let outcomes = (0..<3).map { _ in submit("SELECT pg_sleep(60)::text", to: pool) }
        #expect(eventually { worker.batches.withLock { $0 } == [1, 1, 1] })
        #expect(outcomes.allSatisfy { !$0.isKnown })
    }

    @Test("a lane is always the same connection, and lanes do not wait for one another")
    func lanes() throws {
        let (pool, _) = try pool(TestServer.options(), threads: 2, routing: .lanes)
        defer { pool.shutdown(gracePeriodMilliseconds: 0) }
        let pid = "SELECT pg_backend_pid()::text"
        let outcomes = (-4..<8).map { submit(pid, to: pool, lane: $0) }
        #expect(eventually { outcomes.allSatisfy(\.isKnown) })
        let pids = outcomes.map(\.text)
        for lane in 0..<10 { #expect(pids[lane] == pids[lane + 2]) }
        #expect(pids[0] != pids[1])
        _ = submit("SELECT pg_sleep(60)::text", to: pool, lane: 0)
        #expect(eventually { pool.metrics.batches >= 3 })
        let other = submit("SELECT 'free'", to: pool, lane: 1)
        #expect(eventually { other.isKnown })
    }

    @Test("a transaction left open is rolled back before the next batch")
    func leftTransaction() throws {
        let options = try TestServer.options()
        let (pool, _) = try pool(options)
        defer { pool.shutdown() }
        _ = run("CREATE TABLE t ()", on: pool)
        _ = run("BEGIN", on: pool)
        _ = run("INSERT INTO t DEFAULT VALUES", on: pool)
        let other = try Connection.connect(options)
        #expect(try other.execute(.once("SELECT FROM t")).rowCount == 1)
    }

    @Test("a pool whose transactions span batches keeps them")
    func keptTransaction() throws {
        let (pool, _) = try pool(TestServer.options(), keepsTransactions: true)
        defer { pool.shutdown() }
        _ = run("CREATE TABLE t ()", on: pool)
        _ = run("BEGIN", on: pool)
        _ = run("INSERT INTO t DEFAULT VALUES", on: pool)
        _ = run("ROLLBACK", on: pool)
        #expect(run("SELECT count(*)::text FROM t", on: pool).text == "0")
    }

    @Test("a connection killed under a batch fails what was under way, and the next batch has a new one")
    func reconnect() throws {
        let options = try TestServer.options()
        let (pool, worker) = try pool(options)
        defer { pool.shutdown() }
        let victim = submit("SELECT pg_sleep(60)::text", to: pool)
        #expect(eventually { worker.batches.withLock { !$0.isEmpty } })
        let next = submit("SELECT 'again'", to: pool)
        let killer = try Connection.connect(options)
        _ = try killer.execute(
            .once(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    + "WHERE query LIKE 'SELECT pg_sleep%' AND datname = current_database()"))
        #expect(eventually { victim.isKnown && next.isKnown })
        #expect(victim.error?.kind == .connectionLost && next.text == "again")
        #expect(pool.metrics.reconnects == 1)
    }

    @Test("a connection that died while nobody used it is replaced before anybody does")
    func diedIdle() throws {
        let options = try TestServer.options()
        let (pool, _) = try pool(options)
        defer { pool.shutdown() }
        let pid = run("SELECT pg_backend_pid()::text", on: pool).text ?? ""
        let killer = try Connection.connect(options)
        _ = try killer.execute(.once("SELECT pg_terminate_backend(\(pid), 10000)"))
        #expect(run("SELECT 'served'", on: pool).text == "served")
    }

    @Test("a server that is away fails requests at once, and shutdown still ends")
    func away() throws {
        let (pool, _) = try pool(ConnectionOptions(conninfo: "host=/nonexistent"), threads: 2)
        #expect(run("SELECT 1", on: pool).error?.kind == .connectionFailed)
        #expect(run("SELECT 1", on: pool).error?.kind == .connectionFailed)
        #expect(pool.metrics.batches == 0 && pool.metrics.connected == 0)
        pool.shutdown()
        #expect(run("SELECT 1", on: pool).error?.kind == .poolClosed)
    }

    @Test("a full queue refuses, and what is queued at shutdown is served")
    func fullAndShutdown() async throws {
        let (pool, worker) = try pool(TestServer.options(), queueMax: 3)
        let slow = submit("SELECT pg_sleep(0.3)::text", to: pool)
        #expect(eventually { worker.batches.withLock { !$0.isEmpty } })
        let outcomes = (0..<5).map { submit("SELECT '\($0)'", to: pool) }
        await pool.shutdownGracefully()
        #expect(slow.text == "")
        #expect(outcomes.map(\.text) == ["0", "1", "2", nil, nil])
        #expect(outcomes.suffix(2).allSatisfy { $0.error?.kind == .queueFull })
        #expect(pool.metrics.shed == 2 && pool.metrics.failed == 2)
        #expect(pool.metrics.connected == 0)
    }

    @Test("shutdown cancels what outlasts the grace period")
    func cancelledAtShutdown() throws {
        let (pool, worker) = try pool(TestServer.options())
        let endless = submit("SELECT pg_sleep(600)::text", to: pool)
        #expect(eventually { worker.batches.withLock { !$0.isEmpty } })
        pool.shutdown(gracePeriodMilliseconds: 50)
        #expect(endless.error?.state == .queryCanceled)
    }

    @Test("many threads submitting at once: each request is answered exactly once")
    func contention() throws {
        let (pool, _) = try pool(
            TestServer.options(), threads: 3, routing: .shared(.gather(threshold: 8)), batchMax: 16)
        defer { pool.shutdown() }
        let outcomes = Mutex<[ScriptedWorker.Outcome]>([])
        let submitters = (0..<4).compactMap { number in
            NativeThread.start(name: "submit") {
                for index in 0..<250 {
                    let outcome = self.submit("SELECT '\(number) \(index)'", to: pool)
                    outcomes.withLock { $0.append(outcome) }
                }
            }
        }
        for thread in submitters { thread.join() }
        let all = outcomes.withLock { $0 }
        #expect(eventually { all.allSatisfy(\.isKnown) })
        #expect(all.count == 1_000 && all.allSatisfy { $0.answers == 1 && $0.text != nil })
        #expect(pool.metrics.requests == 1_000 && pool.metrics.batches < 1_000)
    }
}
