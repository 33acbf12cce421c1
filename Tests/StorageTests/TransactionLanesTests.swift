import CommandModel
import Postgres
import Testing

@testable import Storage

@Suite(.timeLimit(.minutes(20))) struct TransactionLanesTests {
    /// No thread of it ever connects.
    private func lanes(count: Int, waitersMax: Int = 10, waitMilliseconds: Int = 3_600_000) throws -> TransactionLanes {
        let options = TransactionPool.options(
            connection: ConnectionOptions(conninfo: "host=/nonexistent"), laneCount: count)
        let pool = try DatabasePool(worker: GeneralWorker(), options: options)
        return TransactionLanes(pool: pool, waitersMax: waitersMax, waitMilliseconds: waitMilliseconds)
    }

    @Test("a lane has one holder at a time, whatever the rush, and all lanes are used")
    func exclusive() async throws {
        let lanes = try lanes(count: 3, waitersMax: 1_000)
        defer { lanes.pool.shutdown() }
        let holders = Shared<[Int: Int]>([:])
        let isTorn = Shared(false)
        try await concurrently(100) { _ in
            for _ in 0..<20 {
                let lane = try await lanes.lease()
                let here = holders.update { holders in
                    holders[lane, default: 0] += 1
                    return holders[lane, default: 0]
                }
                if here != 1 { isTorn.update { $0 = true } }
                await Task.yield()
                holders.update { $0[lane, default: 0] -= 1 }
                lanes.release(lane)
            }
        }
        #expect(!isTorn.value && holders.value.count == 3)
        #expect(lanes.leased == 0 && lanes.waiting == 0)
    }

    @Test("who waits too long, or is one too many, gets the overload error; the lane is not lost")
    func bounds() async throws {
        let lanes = try lanes(count: 1, waitersMax: 1, waitMilliseconds: 50)
        defer { lanes.pool.shutdown() }
        let lane = try await lanes.lease()
        try await concurrently(3) { _ in
            do {
                _ = try await lanes.lease()
                Issue.record("there was no lane")
            } catch let error as CommandError {
                #expect(error.code.number == 462)
                #expect(error.labels == ["SystemOverloadedError", "RetryableError"])
                #expect(error.details == CommandError.overloaded("").details && error.details != nil)
            }
        }
        #expect(lanes.waiting == 0)
        lanes.release(lane)
        #expect(try await lanes.lease() == lane)
    }

    @Test("a cancelled task leaves the queue")
    func cancelled() async throws {
        let lanes = try lanes(count: 1)
        defer { lanes.pool.shutdown() }
        let lane = try await lanes.lease()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { #expect(await errorCode { _ = try await lanes.lease() } == 11601) }
            #expect(try await eventually { lanes.waiting == 1 })
            group.cancelAll()
            try await group.waitForAll()
        }
        lanes.release(lane)
        #expect(lanes.leased == 0 && lanes.waiting == 0)
    }

    @Test("closed lanes are not given out, and those who wait learn it")
    func closed() async throws {
        let lanes = try lanes(count: 1)
        defer { lanes.pool.shutdown() }
        let lane = try await lanes.lease()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { #expect(await errorCode { _ = try await lanes.lease() } == 91) }
            #expect(try await eventually { lanes.waiting == 1 })
            lanes.close()
            try await group.waitForAll()
        }
        #expect(await errorCode { _ = try await lanes.lease() } == 91)
        lanes.release(lane)
        #expect(lanes.leased == 0)
    }
}
