import Metrics
import NIOCore
import Postgres
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    @Suite(.timeLimit(.minutes(20))) struct LeaseTests {
        private func keeper(_ holder: String, _ store: TestStore, _ terms: LeaseTerms = LeaseTerms()) -> LeaseKeeper {
            LeaseKeeper("job", holder: holder, engine: store.engine, terms: terms, logger: TestServer.logger)
        }

        /// Ends the lease by PostgreSQL's clock, as time would.
        private func expire(_ store: TestStore) throws {
            try store.connect().execute(script: "UPDATE martlet.leases SET expires_at = now() - interval '1 second'")
        }

        private func token(_ store: TestStore) throws -> Int64? {
            try store.connect().execute(Statement("SELECT token FROM martlet.leases WHERE name = 'job'"))
                .int8(row: 0, column: 0)
        }

        private func marks(_ store: TestStore) throws -> [String] {
            let result = try store.connect().execute(Statement("SELECT by FROM martlet.marks ORDER BY n"))
            return (0..<result.rowCount).compactMap { result.text(row: $0, column: 0) }
        }

        private func mark(_ by: String) -> Statement {
            Statement("INSERT INTO martlet.marks (by) VALUES ($1)", [.text(by)])
        }

        private func storeWithMarks() throws -> TestStore {
            let store = try TestStore.make()
            try store.connect().execute(
                script: "CREATE TABLE martlet.marks (n bigint GENERATED ALWAYS AS IDENTITY, by text)")
            return store
        }

        @Test("one of two holders gets the lease; given up, it goes to the other under a greater token")
        func twoHolders() async throws {
            let store = try TestStore.make()
            var (first, second) = (keeper("a", store), keeper("b", store))
            await first.tick()
            await second.tick()
            #expect(first.token == LeaseToken(name: "job", number: 1) && second.token == nil)
            await first.release()
            var third = keeper("c", store)
            await third.tick()
            #expect(first.token == nil && third.token?.number == 2)
            #expect(store.engine.metrics.leases.held.value == 1)
        }

        @Test("a holder that asks again, because it did not hear the answer, gets a new token")
        func sameHolder() async throws {
            let store = try TestStore.make()
            #expect(try await store.engine.acquireLease("job", holder: "a", milliseconds: 20_000) == 1)
            #expect(try await store.engine.acquireLease("job", holder: "a", milliseconds: 20_000) == 2)
            #expect(try await store.engine.acquireLease("job", holder: "b", milliseconds: 20_000) == nil)
        }

        @Test("a renewal keeps the token, and a lease that has ended is not renewed, even if nobody wants it")
        func renewal() async throws {
            let store = try TestStore.make()
            let lease = LeaseToken(name: "job", number: 1)
            #expect(try await store.engine.acquireLease("job", holder: "a", milliseconds: 20_000) == 1)
            #expect(try await store.engine.renewLease(lease, milliseconds: 20_000))
            try expire(store)
            #expect(try await store.engine.renewLease(lease, milliseconds: 20_000) == false)
            #expect(try await store.engine.acquireLease("job", holder: "b", milliseconds: 20_000) == 2)
            #expect(try await store.engine.renewLease(lease, milliseconds: 20_000) == false)
            #expect(try token(store) == 2)
        }

        @Test("of many that want a lease at once, one gets it")
        func storm() async throws {
            let store = try TestStore.make(TestStore.Sizes(general: 6))
            let winners = Shared<[Int64]>([])
            try await concurrently(12) { index in
                let token = try await store.engine.acquireLease("job", holder: "h\(index)", milliseconds: 20_000)
                if let token { winners.update { $0.append(token) } }
            }
            #expect(winners.value == [1])
        }

        @Test("the write of a holder that slept over the end of its lease is refused, and changes nothing")
        func fencing() async throws {
            let store = try storeWithMarks()
            var (first, second) = (keeper("a", store), keeper("b", store))
            await first.tick()
            #expect(try await first.execute(mark("a")) == 1)
            // The first holder sleeps here: by its clock no time has passed, so that it believes in its lease.
            try expire(store)
            await second.tick()
            #expect(second.token?.number == 2)
            #expect(try await second.execute(mark("b")) == 1)
            #expect(first.token != nil)
            #expect(try await first.execute(mark("a, too late")) == nil)
            #expect(first.token == nil)
            #expect(try await second.execute(mark("b")) == 1)
            #expect(try marks(store) == ["a", "b", "b"])
            #expect(store.engine.metrics.leases.fenced.value == 1)
        }

        @Test("a lease that has ended fences even before another takes it")
        func fencedByTime() async throws {
            let store = try storeWithMarks()
            var first = keeper("a", store)
            await first.tick()
            try expire(store)
            #expect(try await first.execute(mark("a")) == nil)
            #expect(try marks(store).isEmpty)
        }

        @Test("the lease cannot move on while a write under it is on its way to the commit")
        func lockedUntilCommit() async throws {
            let store = try storeWithMarks()
            var (first, second) = (keeper("a", store), keeper("b", store))
            await first.tick()
            let connection = try store.connect()
            try connection.execute(script: "BEGIN; SELECT martlet.check_lease('job', 1);")
            // Its time ends in the middle of the transaction; the row is locked, so by a clock that is set.
            let thief = try Connection.connect(store.database.setting("lock_timeout", "50ms"))
            #expect(throws: PostgresError.self) {
                try thief.execute(
                    script: "UPDATE martlet.leases SET holder = 'b', token = 2, expires_at = now() + interval '1 day'")
            }
            try connection.execute(script: "INSERT INTO martlet.marks (by) VALUES ('a'); COMMIT;")
            try expire(store)
            await second.tick()
            #expect(second.token?.number == 2)
            #expect(try marks(store) == ["a"])
        }

        @Test("expired sessions are forgotten in small transactions, by the holder only, and others stay")
        func reaping() async throws {
            let store = try TestStore.make()
            try store.connect().execute(
                script: """
                    CREATE TABLE IF NOT EXISTS martlet.sessions (
                        lsid bytea PRIMARY KEY, txn_number bigint NOT NULL, step integer NOT NULL,
                        results bytea NOT NULL, expires_at timestamptz NOT NULL);
                    INSERT INTO martlet.sessions (lsid, txn_number, step, results, expires_at)
                        SELECT decode(lpad(to_hex(n), 32, '0'), 'hex'), 1, 1, '',
                               now() + CASE WHEN n <= 2500 THEN -1 ELSE 1 END * interval '1 hour'
                          FROM generate_series(1, 2600) n
                    """)
            var (first, second) = (keeper("a", store), keeper("b", store))
            let counters = store.engine.metrics.leases
            await first.tick()
            #expect(await SessionReaper.run(with: &second, counters: counters, logger: TestServer.logger) == 0)
            #expect(await SessionReaper.run(with: &first, counters: counters, logger: TestServer.logger) == 2_500)
            let left = try store.connect().execute(Statement("SELECT count(*) FROM martlet.sessions"))
            #expect(left.int8(row: 0, column: 0) == 100 && counters.sessionsReaped.value == 2_500)
        }
    }
}
