import NIOCore
import Testing

@testable import Storage

@Suite("who is told of documents in capped collections")
struct ArrivalStateTests {
    private func time(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(1_000_000_000) + .milliseconds(milliseconds)
    }

    @Test("what came between the look and the wait ends the wait before it begins")
    func between() {
        var state = ArrivalState()
        let seen = state.news(of: 1)
        #expect(state.tell(2).isEmpty)
        #expect(state.begin(Waiter(), in: 1, since: seen))
        #expect(state.tell(1).count == 1)
        #expect(!state.begin(Waiter(), in: 1, since: seen))
        #expect(state.begin(Waiter(), in: 1, since: state.news(of: 1)))
    }

    @Test("one asks for all, and not too often")
    func polling() {
        var state = ArrivalState()
        #expect(state.beginPoll(now: time(0)) == nil)
        let waiters = [Waiter(), Waiter(), Waiter()]
        for (waiter, number) in zip(waiters, [Int64(1), 1, 2]) { #expect(state.begin(waiter, in: number, since: 0)) }
        #expect(state.beginPoll(now: time(0))?.sorted() == [1, 2])
        #expect(state.beginPoll(now: time(500)) == nil)
        _ = state.endPoll(of: [1, 2], [1: 7, 2: 7])
        #expect(state.beginPoll(now: time(50)) == nil)
        #expect(state.beginPoll(now: time(100))?.count == 2)
    }

    @Test("who waits is told of what is new, unknown or gone, and of nothing when there is no answer")
    func answers() {
        var state = ArrivalState()
        let waiter = Waiter()
        func poll(_ rows: [Int64: Int64]?, at milliseconds: Int64) -> Int {
            guard let numbers = state.beginPoll(now: time(milliseconds)) else { return -1 }
            return state.endPoll(of: numbers, rows).count
        }
        #expect(state.begin(waiter, in: 1, since: 0))
        #expect(poll([1: 7], at: 0) == 1)
        #expect(poll([1: 7], at: 200) == 0)
        #expect(poll(nil, at: 400) == 0)
        #expect(poll([1: 8], at: 600) == 1)
        #expect(poll([1: 8], at: 800) == 0)
        #expect(poll([:], at: 1_000) == 1)
        #expect(state.news(of: 1) == 3)
        state.end(waiter)
        #expect(poll([1: 9], at: 1_200) == -1)
        #expect(state.tell(1).isEmpty)
    }

    @Test("a server that stops ends all waits, and lets none begin")
    func shutDown() {
        var state = ArrivalState()
        #expect(state.begin(Waiter(), in: 1, since: 0) && state.begin(Waiter(), in: 2, since: 0))
        #expect(state.shutDown().count == 2)
        #expect(!state.begin(Waiter(), in: 1, since: 0))
    }
}
