import CommandModel
import Testing

@testable import Storage

@Suite(.timeLimit(.minutes(20))) struct SessionTurnsTests {
    private let first = LogicalSessionID(uuid: Array(repeating: 1, count: 16))
    private let second = LogicalSessionID(uuid: Array(repeating: 2, count: 16))

    @Test("one at a time for each session, in the order of arrival; sessions do not wait for one another")
    func state() {
        var state = SessionTurnState(waitersMax: 2)
        #expect(state.requested(first, by: 1) == .granted)
        #expect(state.requested(first, by: 2) == .waiting)
        #expect(state.requested(first, by: 3) == .waiting)
        #expect(state.requested(first, by: 4) == .full)
        #expect(state.requested(second, by: 5) == .granted)
        #expect(state.released(first) == 2)
        #expect(state.isInUse(first))
        #expect(state.released(first) == 3)
        #expect(state.released(first) == nil)
        #expect(!state.isInUse(first) && state.inUse == 1)
    }

    @Test("who gives up is passed over")
    func givingUp() {
        var state = SessionTurnState(waitersMax: 4)
        _ = state.requested(first, by: 1)
        _ = state.requested(first, by: 2)
        _ = state.requested(first, by: 3)
        #expect(state.gaveUp(first, 2) == true)
        #expect(state.gaveUp(first, 2) == false)
        #expect(state.gaveUp(second, 3) == false)
        #expect(state.released(first) == 3)
    }

    @Test("turns of many tasks never overlap, and none is lost")
    func exclusive() async throws {
        let turns = SessionTurns()
        let (inside, total) = (Shared(0), Shared(0))
        try await concurrently(100) { task in
            for _ in 0..<50 {
                try await turns.withTurn(task.isMultiple(of: 2) ? self.first : self.first) { () throws(CommandError) in
                    inside.update { $0 += 1 }
                    await Task.yield()
                    if inside.update({ value in
                        defer { value -= 1 }
                        return value
                    }) == 1 {
                        total.update { $0 += 1 }
                    }
                }
            }
        }
        #expect(total.value == 5_000)
        #expect(turns.inUse == 0)
    }

    @Test("a turn is given back when its body throws")
    func throwing() async throws {
        let turns = SessionTurns()
        let code = await errorCode {
            try await turns.withTurn(first) { () throws(CommandError) in throw CommandError(.badValue, "no") }
        }
        #expect(code == 2 && turns.inUse == 0)
    }

    @Test("a cancelled task leaves the queue, and those behind it get their turn")
    func cancelled() async throws {
        let turns = SessionTurns()
        try await turns.take(first)
        let served = Shared(false)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let code = await errorCode { try await turns.take(self.first) }
                #expect(code == 11601)
            }
            group.cancelAll()
            try await group.waitForAll()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await turns.withTurn(self.first) { () throws(CommandError) in served.update { $0 = true } }
            }
            turns.release(first)
            try await group.waitForAll()
        }
        #expect(served.value && turns.inUse == 0)
    }

    @Test("beyond the bound nobody waits")
    func full() async throws {
        let turns = SessionTurns(waitersMax: 0)
        try await turns.take(first)
        #expect(await errorCode { try await turns.take(first) } == 462)
        turns.release(first)
        try await turns.take(first)
    }
}
