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
        let answer1 = state.tell(2)
        #expect(answer1.isEmpty)
        let answer2 = state.begin(Waiter(), in: 1, since: seen)
        #expect(answer2)
        let answer3 = state.tell(1)
        #expect(answer3.count == 1)
        let answer4 = state.begin(Waiter(), in: 1, since: seen)
        #expect(!answer4)
        let answer5 = state.begin(Waiter(), in: 1, since: state.news(of: 1))
        #expect(answer5)
    }

    @Test("one asks for all, and not too often")
    func polling() {
        var state = ArrivalState()
        let answer6 = state.beginPoll(now: time(0))
        #expect(answer6 == nil)
        let waiters = [Waiter(), Waiter(), Waiter()]
        for (waiter, number) in zip(waiters, [Int64(1), 1, 2]) {
            let isWaiting = state.begin(waiter, in: number, since: 0)
            #expect(isWaiting)
        }
        let answer7 = state.beginPoll(now: time(0))
        #expect(answer7?.sorted() == [1, 2])
        let answer8 = state.beginPoll(now: time(500))
        #expect(answer8 == nil)
        _ = state.endPoll(of: [1, 2], [1: 7, 2: 7])
        let answer9 = state.beginPoll(now: time(50))
        #expect(answer9 == nil)
        let answer10 = state.beginPoll(now: time(100))
        #expect(answer10?.count == 2)
    }

    @Test("who waits is told of what is new, unknown or gone, and of nothing when there is no answer")
    func answers() {
        var state = ArrivalState()
        let waiter = Waiter()
        func poll(_ rows: [Int64: Int64]?, at milliseconds: Int64) -> Int {
            guard let numbers = state.beginPoll(now: time(milliseconds)) else { return -1 }
            return state.endPoll(of: numbers, rows).count
        }
        let answer11 = state.begin(waiter, in: 1, since: 0)
        #expect(answer11)
        #expect(poll([1: 7], at: 0) == 1)
        #expect(poll([1: 7], at: 200) == 0)
        #expect(poll(nil, at: 400) == 0)
        #expect(poll([1: 8], at: 600) == 1)
        #expect(poll([1: 8], at: 800) == 0)
        #expect(poll([:], at: 1_000) == 1)
        #expect(state.news(of: 1) == 3)
        state.end(waiter)
        #expect(poll([1: 9], at: 1_200) == -1)
        let answer12 = state.tell(1)
        #expect(answer12.isEmpty)
    }

    @Test("a server that stops ends all waits, and lets none begin")
    func shutDown() {
        var state = ArrivalState()
        let answer13 = state.begin(Waiter(), in: 1, since: 0)
        #expect(answer13 && state.begin(Waiter(), in: 2, since: 0))
        #expect(state.shutDown().count == 2)
        let answer14 = state.begin(Waiter(), in: 1, since: 0)
        #expect(!answer14)
    }
}
