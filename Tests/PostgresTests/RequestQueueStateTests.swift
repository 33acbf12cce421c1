import Testing

@testable import Postgres

@Suite struct RequestQueueStateTests {
    /// All threads connected and asleep.
    private func state(_ policy: WakePolicy, threads: Int, batchMax: Int = 64) -> RequestQueueState {
        var state = RequestQueueState(threadCount: threads, policy: policy, batchMax: batchMax, queueMax: 1_000)
        for thread in 0..<threads { #expect(state.ready(thread) == .sleep) }
        return state
    }

    private func submit(_ count: Int, to state: inout RequestQueueState) -> [Int] {
        (0..<count).compactMap { _ in
            guard case .accepted(let signal) = state.submitted() else { return nil }
            return signal
        }
    }

    @Test("gather: the first request wakes one thread, and those that follow before it comes wake no other")
    func gatherFirst() {
        var state = state(.gather(threshold: 16), threads: 3)
        #expect(submit(10, to: &state) == [2])
        #expect(state.statuses[2] == .summoned)
        #expect(state.ready(2) == .run(10))
        #expect(state.balance() == nil)
    }

    @Test("gather: requests that wait for a busy thread post a watchman once, and a second thread at the threshold")
    func gatherThreshold() {
        var state = state(.gather(threshold: 4), threads: 3)
        #expect(submit(1, to: &state) == [2])
        #expect(state.ready(2) == .run(1))
        #expect(submit(3, to: &state) == [1])
        #expect(state.watchman == 1)
        #expect(submit(1, to: &state) == [1])
        #expect(state.statuses[1] == .summoned && state.watchman == nil)
        // The summoned thread will take up to 64: no third before it cannot.
        #expect(submit(60, to: &state).isEmpty)
        #expect(submit(4, to: &state) == [0])
    }

    @Test("gather: a watchman takes over when nothing was taken for a whole period")
    func watchman() {
        var state = state(.gather(threshold: 16), threads: 2)
        _ = submit(1, to: &state)
        _ = state.ready(1)
        #expect(submit(1, to: &state) == [0])
        #expect(state.watchExpired(0) == .run(1))
        #expect(state.watchman == nil && state.running == 2)
    }

    @Test("gather: a watchman that sees progress watches on, and one with nothing to watch sleeps for good")
    func watchmanProgress() {
        var state = state(.gather(threshold: 16), threads: 2)
        _ = submit(1, to: &state)
        _ = state.ready(1)
        _ = submit(1, to: &state)
        #expect(state.ready(1) == .run(1))
        _ = submit(1, to: &state)
        #expect(state.watchExpired(0) == .sleep)
        #expect(state.watchman == 0)
        #expect(state.ready(1) == .run(1))
        #expect(state.watchExpired(0) == .sleep)
        #expect(state.watchman == nil && state.statuses[0] == .idle)
    }

    @Test("eager: each request wakes a thread while there are idle ones")
    func eager() {
        var state = state(.eager, threads: 3, batchMax: 1)
        #expect(submit(5, to: &state) == [2, 1, 0])
        for thread in 0..<3 { #expect(state.ready(thread) == .run(1)) }
        #expect(state.waiting == 2)
        #expect(state.ready(1) == .run(1))
    }

    @Test("what is left after a full batch summons the next thread")
    func leftOver() {
        var state = state(.gather(threshold: 8), threads: 2, batchMax: 8)
        _ = submit(1, to: &state)
        _ = state.ready(1)
        #expect(submit(7, to: &state) == [0])
        #expect(state.ready(1) == .run(7))
        #expect(submit(20, to: &state).count == 1)
    }

    @Test("requests wait while a first attempt to connect is under way, fail when it fails, and are served after one")
    func breaker() {
        var state = RequestQueueState(threadCount: 2, policy: .eager, batchMax: 8, queueMax: 10)
        #expect(state.submitted() == .accepted(signal: nil))
        #expect(state.connectFailed() == true)
        #expect(state.waiting == 0 && state.submitted() == .broken)
        #expect(state.ready(0) == .sleep)
        #expect(state.submitted() == .accepted(signal: 0))
        // The other thread still has no luck: one is enough.
        #expect(state.connectFailed() == false)
        #expect(state.ready(0) == .run(1))
        #expect(state.lost(0) == nil)
        #expect(state.submitted() == .accepted(signal: nil))
    }

    @Test("the bound of the queue, and the end")
    func boundAndEnd() {
        var state = RequestQueueState(threadCount: 2, policy: .eager, batchMax: 2, queueMax: 2)
        _ = submit(2, to: &state)
        #expect(state.submitted() == .full)
        #expect(state.closed() == [0, 1])
        #expect(state.submitted() == .closed)
        #expect(state.ready(0) == .run(2))
        #expect(state.ready(0) == .end)
        #expect(state.ended(0) == false)
        #expect(state.ended(1) == true)
    }

    @Test("limited: no more threads are woken than may run, and one that comes too many sleeps")
    func limited() {
        var state = RequestQueueState(
            threadCount: 4, policy: .eager, batchMax: 1, queueMax: 100,
            concurrency: ConcurrencyLimit(bounds: 2...2, start: 2))
        for thread in 0..<4 { #expect(state.ready(thread) == .sleep) }
        #expect(submit(5, to: &state) == [3, 2])
        #expect(state.ready(3) == .run(1))
        // Thread 3 is done before thread 2 has come, and takes again.
        #expect(state.ready(3) == .run(1))
        #expect(state.ready(2) == .run(1))
        #expect(state.balance() == 1 && state.watchman == 1)
        // One that connects while the limit is reached has to wait, and is woken when one at work is lost.
        #expect(state.ready(1) == .sleep)
        #expect(state.lost(2) == 1)
        _ = state.closed()
        #expect(state.ready(1) == .run(1) && state.ready(0) == .run(1), "once closed, all help")
        #expect(state.ready(0) == .end)
    }

    @Test("limited: requests behind threads that are stuck get one thread more for each period")
    func limitedStall() {
        var state = RequestQueueState(
            threadCount: 4, policy: .eager, batchMax: 1, queueMax: 100,
            concurrency: ConcurrencyLimit(bounds: 1...1, start: 1))
        for thread in 0..<4 { #expect(state.ready(thread) == .sleep) }
        #expect(submit(1, to: &state) == [3])
        #expect(state.ready(3) == .run(1))
        #expect(submit(3, to: &state) == [2] && state.watchman == 2)
        #expect(state.watchExpired(2) == .run(1) && state.balance() == 1)
        #expect(state.watchExpired(1) == .run(1) && state.balance() == 0)
        #expect(state.ready(1) == .sleep && state.watchman == 0 && state.waiting == 1, "the limit holds again")
        #expect(state.watchExpired(0) == .run(1))
    }

    @Test("limited: a limit that rises wakes one thread more")
    func limitRises() {
        var state = RequestQueueState(
            threadCount: 3, policy: .eager, batchMax: 1, queueMax: 1_000,
            concurrency: ConcurrencyLimit(bounds: 1...3, start: 1))
        for thread in 0..<3 { #expect(state.ready(thread) == .sleep) }
        #expect(submit(500, to: &state) == [2])
        var now: UInt64 = 0
        #expect(state.ready(2) == .run(1))
        while state.runningMax == 1 && state.waiting > 0 {
            now += ConcurrencyLimit.windowNanoseconds / 32
            state.finished(2, at: now)
            #expect(state.ready(2) == .run(1))
        }
        #expect(state.runningMax == 2)
        #expect(state.balance() == 1 && state.statuses[1] == .summoned)
        #expect(state.ready(1) == .run(1))
    }

    @Test("no order of events leaves a request waiting with nobody to come for it", arguments: 0..<200 as Range<UInt64>)
    func neverStalls(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let policies: [WakePolicy] = [.eager, .gather(threshold: 3), .gather(threshold: 50)]
        let policy = policies[Int(seed % 3)]
        let threads = Int.random(in: 1...5, using: &generator)
        let limit = policy == .eager ? ConcurrencyLimit(bounds: 1...threads, start: threads / 2) : nil
        var state = RequestQueueState(
            threadCount: threads, policy: policy, batchMax: limit == nil ? 4 : 1, queueMax: 40, concurrency: limit)
        var now: UInt64 = 0
        for step in 0..<(limit == nil ? 400 : 4_000) {
            advance(&state, &now, using: &generator)
            if !isSound(state) { Issue.record("seed \(seed), step \(step): \(state)") }
        }
    }

    /// Lets one thing happen that may happen.
    private func advance(_ state: inout RequestQueueState, _ now: inout UInt64, using generator: inout SeededGenerator)
    {
        let thread = Int.random(in: 0..<state.statuses.count, using: &generator)
        guard Bool.random(using: &generator) else {
            _ = state.submitted()
            return
        }
        switch state.statuses[thread] {
        case .running where Int.random(in: 0..<5, using: &generator) == 0: _ = state.lost(thread)
        case .away where Bool.random(using: &generator): _ = state.connectFailed()
        case .running, .summoned, .away:
            now += UInt64.random(in: 0...ConcurrencyLimit.windowNanoseconds / 16, using: &generator)
            state.finished(thread, at: now)
            _ = state.ready(thread)
            _ = state.balance()
        case .watching:
            if state.watchExpired(thread) != .sleep { _ = state.balance() }
        case .idle, .ended: break
        }
    }

    private func isSound(_ state: RequestQueueState) -> Bool {
        let counts = (
            state.statuses.filter { $0 == .running }.count == state.running,
            state.statuses.filter { $0 == .summoned }.count == state.summoned,
            state.statuses.filter { $0 != .away && $0 != .ended }.count == state.connected
        )
        let isAtLimit = state.running + state.summoned >= state.runningMax
        let isAttended = state.waiting == 0 || state.sleeping.isEmpty || state.summoned > 0 || state.watchman != nil
        let isEagerlyServed =
            state.policy != .eager || state.waiting <= state.summoned || state.sleeping.isEmpty || isAtLimit
        return counts == (true, true, true) && isAttended && isEagerlyServed
    }
}

/// SplitMix64: the seed is the bug report.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
