import BSON
import CommandModel
import Postgres
import Query
import SQL
import Testing

@testable import Storage

extension DatabaseTests {
    /// The end of what the guard remembers, and the question whether a transaction was committed.
    @Suite(.timeLimit(.minutes(20))) struct GuardFenceTests {
        private let stores: [TestStore]
        private let collection: Storage.Collection

        init() async throws {
            let database = try TestServer.database()
            stores = [try TestStore(database), try TestStore(database)]
            collection = try await stores[0].collection()
        }

        private func identity(_ number: Int64, session: UInt8 = 1) -> RetryIdentity {
            RetryIdentity(session: LogicalSessionID(uuid: [UInt8](repeating: session, count: 16)), number: number)
        }

        private func increment(_ identity: RetryIdentity, isRetry: Bool) async throws -> WriteTally {
            var store = DocumentStore(stores[0].engine)
            let guarded = StatementGuard(identity)
            if isRetry { try await stores[0].engine.load(guarded) }
            store.guarded = guarded
            return try await store.modifyOne(
                .update(#"{"_id": 1}"#, #"{"$inc": {"n": 1}}"#, images: true), statement: 0, in: collection,
                deadline: .never)
        }

        private func isThere(_ id: Int64) async throws -> Bool {
            try await stores[0].engine.read(key("\(id)"), from: collection) != nil
        }

        @Test("a session whose time is over starts anew, before and after its row is deleted; others do not")
        func expiry() async throws {
            try await stores[0].engine.fill([json(#"{"_id": 1, "n": 0}"#)], into: collection)
            let beside = try stores[0].connect()
            var keeper = LeaseKeeper(
                "job", holder: "a", engine: stores[0].engine, terms: LeaseTerms(), logger: TestServer.logger)
            await keeper.tick()
            var sum: Int64 = 0
            for (round, isReaped) in [false, true].enumerated() {
                for isRetry in [false, true] {
                    let session = UInt8(round * 2 + (isRetry ? 2 : 1))
                    let living = identity(7, session: session + 100)
                    let before = try await increment(identity(5, session: session), isRetry: false)
                    let kept = try await increment(living, isRetry: false)
                    sum += 2
                    _ = try beside.execute(
                        Statement(
                            "UPDATE martlet.sessions SET expires_at = now() - interval '1 second' WHERE lsid = $1",
                            [.bytea(identity(5, session: session).key)]))
                    if isReaped {
                        let reaped = await SessionReaper.run(
                            with: &keeper, counters: stores[0].engine.metrics.leases, logger: TestServer.logger)
                        #expect(reaped == 1)
                    }
                    // An older number is not too old for a session that nobody remembers, and the same is new.
                    for number in [Int64(3), 5] {
                        let after = try await increment(identity(number, session: session), isRetry: isRetry)
                        sum += 1
                        #expect(after.modified == 1 && after.image?.text != before.image?.text)
                    }
                    let again = try await increment(living, isRetry: isRetry)
                    #expect(again.image?.text == kept.image?.text)
                    #expect(
                        await errorCode { _ = try await increment(identity(6, session: session + 100), isRetry: false) }
                            == 225)
                }
            }
            #expect(try await stores[0].engine.texts(of: collection) == [json("{\"_id\": 1, \"n\": \(sum)}").text])
        }

        @Test("a commit that was said not to have happened cannot happen later; one that happened stays")
        func fenced() async throws {
            for number in Int64(1)...2 {
                let (identity, happens) = (identity(number), number == 2)
                let transaction = try await stores[0].open()
                try await transaction.insert("{\"_id\": \(number)}", into: collection)
                if happens { try await transaction.commit(recording: [identity.commitRecord]) }
                for store in stores { #expect(try await store.engine.isCommitted(identity) == happens) }
                let late = await transactionError {
                    let late = happens ? try await stores[1].open() : transaction
                    if happens { try await late.insert(#"{"_id": 3}"#, into: collection) }
                    try await late.commit(recording: [identity.commitRecord])
                }
                // The record is newer than the snapshot of a transaction that began before it: a conflict.
                #expect(late?.code.number == (happens ? 251 : 112))
                for store in stores { #expect(try await store.engine.isCommitted(identity) == happens) }
                #expect(try await isThere(number) == happens)
            }
            #expect(try await !isThere(3))
        }

        @Test("commit and question at once: the answer holds, whoever was faster")
        func race() async throws {
            let seed = SeededGenerator.seed()
            print("MARTLET_SEED=\(seed)")
            var random = SeededGenerator(seed: seed)
            let answers = Shared<[Bool: Int]>([:])
            for number in Int64(1)...60 {
                let identity = identity(number)
                let transaction = try await stores[0].open()
                try await transaction.insert("{\"_id\": \(number)}", into: collection)
                let answer = Shared<Bool?>(nil)
                let refusal = Shared<Int32?>(nil)
                // The question takes two round trips, the commit one: a head start makes it open who is faster.
                let headStart = Int.random(in: 0..<800, using: &random)
                try await concurrently(2) { [stores] task in
                    if task == 0 {
                        try await Task.sleep(for: .microseconds(headStart))
                        let code = await transactionError {
                            try await transaction.commit(recording: [identity.commitRecord])
                        }?.code.number
                        refusal.update { $0 = code }
                    } else {
                        let isCommitted = try await stores[1].engine.isCommitted(identity)
                        answer.update { $0 = isCommitted }
                    }
                }
                #expect(answer.value == (refusal.value == nil))
                #expect(refusal.value == nil || refusal.value == 251 || refusal.value == 112)
                #expect(try await isThere(number) == answer.value)
                #expect(try await stores[0].engine.isCommitted(identity) == answer.value)
                if let isCommitted = answer.value { answers.update { $0[isCommitted, default: 0] += 1 } }
            }
            print("committed before the question: \(answers.value[true] ?? 0) of 60")
        }

        @Test("the question waits for a commit that is under way, however long that takes", arguments: [true, false])
        func underWay(_ commits: Bool) async throws {
            let identity = identity(1)
            let (lost, beside) = (try stores[0].connect(), try stores[0].connect())
            try lost.execute(script: "BEGIN")
            _ = try lost.execute(identity.commitRecord)
            let (answer, isOver) = (Shared<Bool?>(nil), Shared(false))
            try await withThrowingTaskGroup(of: Void.self) { [stores] group in
                group.addTask {
                    defer { isOver.update { $0 = true } }
                    let isCommitted = try await stores[1].engine.isCommitted(identity)
                    answer.update { $0 = isCommitted }
                }
                // More than one wait is needed: each of them is cut short.
                var waits: Set<Int64> = []
                _ = try await eventually {
                    let wait = try beside.execute(
                        Statement(
                            """
                            SELECT coalesce(max((extract(epoch FROM query_start) * 1e6)::bigint), 0) \
                            FROM pg_stat_activity \
                            WHERE datname = current_database() AND wait_event_type = 'Lock'
                            """)
                    ).int8(row: 0, column: 0)
                    if let wait, wait > 0 { waits.insert(wait) }
                    return waits.count > 1 || isOver.value
                }
                #expect(!isOver.value)
                try lost.execute(script: commits ? "COMMIT" : "ROLLBACK")
                try await group.waitForAll()
            }
            #expect(answer.value == commits)
        }
    }
}
