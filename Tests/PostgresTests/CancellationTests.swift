import NIOCore
import SQL
import Synchronization
import Testing

@testable import Postgres

@Suite("cancellation")
struct CancellationTests {
    @Test("work that waits is answered by the cancellation, and does not run")
    func waiting() {
        let state = Events()
        #expect(state.cancelled() == .answer)
        #expect(!state.began())
        #expect(state.cancelled() == .nothing, "it has its answer")
    }

    @Test("work that runs is asked to stop as often as it is cancelled, until it is over")
    func running() {
        let state = Events()
        #expect(state.began())
        #expect(state.cancelled() == .request)
        #expect(state.cancelled() == .request)
        #expect(state.ended(), "a request may still be on its way")
        #expect(state.cancelled() == .nothing, "whatever runs on that connection now is somebody else's")
    }

    @Test("work that nobody cancels leaves nothing behind")
    func undisturbed() {
        let state = Events()
        #expect(state.began())
        #expect(!state.ended())
        #expect(state.cancelled() == .nothing)
    }

    /// Every order of events of three kinds: at most one answer, and requests only between begin and end.
    @Test("no order of events sends a request outside of the work or answers twice")
    func orders() {
        for number in 0..<(1 << 10) {
            var state = WorkState()
            var (answers, isRunning) = (0, false)
            for step in 0..<5 {
                switch number >> (2 * step) & 3 {
                case 0:
                    if state.began() { isRunning = true }
                case 1 where isRunning:
                    _ = state.ended()
                    (isRunning, answers) = (false, answers + 1)
                default:
                    switch state.cancelled() {
                    case .answer: answers += 1
                    case .request: #expect(isRunning)
                    case .nothing: #expect(!isRunning)
                    }
                }
            }
            #expect(answers <= 1 && !(isRunning && answers > 0), "order \(number)")
        }
    }

    @Test("what is due is given once, in its time, and its watcher looks no later")
    func due() {
        func at(_ milliseconds: Int64) -> NIODeadline { .uptimeNanoseconds(0) + .milliseconds(milliseconds) }
        var list = DueList<String>()
        #expect(list.wakeAt == nil)
        func set(_ id: String, _ milliseconds: Int64) -> Bool { list.set(id, at: at(milliseconds)) }
        func takeDue(_ milliseconds: Int64) -> [String] { list.takeDue(now: at(milliseconds)) }
        #expect(set("b", 20))
        #expect(!set("c", 30), "the watcher looks at 20 anyway")
        #expect(set("a", 10))
        #expect(!set("a", 40), "the earlier one counts")
        #expect(takeDue(9) == [])
        #expect(takeDue(10) == ["a"])
        #expect(list.wakeAt == at(20))
        list.remove("b")
        #expect(takeDue(25) == [])
        #expect(list.wakeAt == at(30))
        #expect(takeDue(31) == ["c"])
        #expect(list.wakeAt == nil && list.count == 0)
    }

    @Test("a cancelled statement ends, and the next user of the connection is not hit")
    func neverTheNext() throws {
        let connection = try TestServer.connect()
        for _ in 0..<20 {
            let work = CancellableWork { Issue.record("it has begun") }
            #expect(work.begin(on: connection))
            CancelWatch.shared.cancel(work, at: .now() + .milliseconds(Int64.random(in: 0...5)))
            do throws(PostgresError) {
                _ = try connection.execute(script: "SELECT pg_sleep(60)")
                Issue.record("it has slept")
            } catch {
                #expect(error.category == .cancelled)
            }
            work.end(on: connection)
            CancelWatch.shared.forget(work)
            // The next user.
            for _ in 0..<20 { _ = try connection.execute(script: "SELECT 1") }
        }
    }

    @Test("work that is cancelled while it ends does not hurt who comes next")
    func atTheEnd() throws {
        let connection = try TestServer.connect()
        for _ in 0..<300 {
            let work = CancellableWork {}
            guard work.begin(on: connection) else { continue }
            CancelWatch.shared.cancel(work, at: .now())
            // Ends by itself about when the request arrives.
            _ = try? connection.execute(script: "SELECT 1")
            work.end(on: connection)
            #expect(throws: Never.self) { try connection.execute(script: "SELECT 1") }
        }
    }
}

/// The state machine behind a reference: `#expect` takes no mutating calls.
private final class Events {
    private var state = WorkState()

    func cancelled() -> WorkState.Cancellation { state.cancelled() }
    func began() -> Bool { state.began() }
    func ended() -> Bool { state.ended() }
}
