import BSON
import CommandModel
import NIOCore
import Query
import Testing

@testable import Storage

@Suite struct CursorRegistryTests {
    private let registry = CursorRegistry()

    private func session(_ number: UInt8) -> LogicalSessionID {
        LogicalSessionID(uuid: [UInt8](repeating: number, count: 16))
    }

    private func cursor(
        on name: String = "c", session: LogicalSessionID? = nil, isImmortal: Bool = false
    ) -> Cursor {
        let collection = Storage.Collection(namespace: namespace(name), number: 1, uuid: [], options: .empty)
        return Cursor(
            namespace: namespace(name), run: QueryRun(FindQuery(filter: .everything), on: collection),
            sessionID: session, command: "find", isImmortal: isImmortal, maxTimeMilliseconds: 0)
    }

    private func state(of id: Int64) -> String {
        switch registry.checkOut(id) {
        case .cursor(let cursor):
            registry.checkIn(id, cursor)
            return "idle"
        case .missing: return "missing"
        case .inUse: return "in use"
        }
    }

    @Test("ids are positive and different")
    func ids() throws {
        let ids = try (0..<1_000).map { _ in try registry.open(cursor()) }
        #expect(Set(ids).count == 1_000 && ids.allSatisfy { $0 > 0 })
        #expect(registry.count == 1_000)
    }

    @Test("a cursor that is checked out is nobody else's until it is back")
    func checkOut() throws {
        let id = try registry.open(cursor())
        guard case .cursor(let cursor) = registry.checkOut(id) else { return #expect(Bool(false)) }
        #expect(state(of: id) == "in use")
        registry.checkIn(id, cursor)
        #expect(state(of: id) == "idle")
        registry.close(id)
        #expect(state(of: id) == "missing")
    }

    @Test("of many tasks that check out one cursor at once, one has it at a time")
    func exclusive() async throws {
        let id = try registry.open(cursor())
        let registry = registry
        let taken = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    if case .cursor = registry.checkOut(id) { return true }
                    return false
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(taken == 1)
    }

    @Test("a cursor killed while checked out does not come back")
    func killWhileCheckedOut() throws {
        let id = try registry.open(cursor())
        guard case .cursor(let cursor) = registry.checkOut(id) else { return #expect(Bool(false)) }
        #expect(registry.kill(id))
        registry.checkIn(id, cursor)
        #expect(state(of: id) == "missing")
        #expect(registry.count == 0)
    }

    @Test("kill says whether there was such a cursor")
    func killTwice() throws {
        let id = try registry.open(cursor())
        #expect(registry.kill(id))
        #expect(!registry.kill(id))
    }

    @Test("the end of a session kills its cursors, idle or not, and no others")
    func sessions() throws {
        let idle = try registry.open(cursor(session: session(1)))
        let busy = try registry.open(cursor(session: session(1)))
        let other = try registry.open(cursor(session: session(2)))
        let none = try registry.open(cursor())
        guard case .cursor(let cursor) = registry.checkOut(busy) else { return #expect(Bool(false)) }
        registry.kill(sessions: [session(1), session(3)])
        registry.checkIn(busy, cursor)
        #expect([idle, busy, other, none].map(state) == ["missing", "missing", "idle", "idle"])
    }

    @Test("reaping takes what was idle for too long, but neither immortal cursors nor those at work")
    func reap() throws {
        let idle = try registry.open(cursor())
        let immortal = try registry.open(cursor(isImmortal: true))
        let busy = try registry.open(cursor())
        guard case .cursor(let cursor) = registry.checkOut(busy) else { return #expect(Bool(false)) }
        #expect(registry.reap(now: .now() + CursorRegistry.idleMax - .minutes(1)) == 0)
        #expect(registry.reap(now: .now() + CursorRegistry.idleMax) == 1)
        registry.checkIn(busy, cursor)
        #expect([idle, immortal, busy].map(state) == ["missing", "idle", "idle"])
    }
}
