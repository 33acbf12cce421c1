internal import NIOConcurrencyHelpers
package import NIOCore
package import Postgres
internal import SQL

/// News of documents in capped collections, for the cursors that wait behind the last one.
///
/// A wait occupies no thread and no connection: it is a continuation in a list, with a timer. What this server writes
/// is told at once. What others write is found by one question for all collections that somebody waits for, ten times
/// a second and only while somebody does: `newest` in martlet.capped. LISTEN would tell it sooner, but NOTIFY takes a
/// lock that all transactions of the PostgreSQL server share, from before their commit to its end, and every insert
/// into a capped collection would have to pay for it, whether or not somebody waits.
///
/// News may be false, and a wait may end for no reason: who waited looks again.
package final class Arrivals: Sendable {
    /// How often PostgreSQL is asked, and whether a wait may go on.
    static let period = TimeAmount.milliseconds(100)

    private let state = NIOLockedValueBox(ArrivalState())
    private let pool: DatabasePool<GeneralWorker>

    init(pool: DatabasePool<GeneralWorker>) {
        self.pool = pool
    }

    /// To be asked before reading, and given to ``wait(in:since:until:while:)`` after it: what comes in between ends
    /// the wait before it begins.
    package func news(of collection: Collection) -> UInt64 {
        state.withLockedValue { $0.news(of: collection.number) }
    }

    /// Something may have been inserted into `collection` by this server.
    func noteWrite(in collection: Collection) {
        guard collection.isCapped else { return }
        finish(state.withLockedValue { $0.tell(collection.number) })
    }

    /// Returns when there are news, when `end` has come, when `mayGoOn` says no, or when the task is cancelled.
    package func wait(
        in collection: Collection, since seen: UInt64, until end: NIODeadline,
        while mayGoOn: @escaping @Sendable () -> Bool
    ) async {
        let waiter = Waiter()
        guard state.withLockedValue({ $0.begin(waiter, in: collection.number, since: seen) }) else { return }
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await waiter.wait() }
            group.addTask { await self.watch(until: end, while: mayGoOn) }
            await group.next()
            group.cancelAll()
        }
        state.withLockedValue { $0.end(waiter) }
    }

    /// The server is ending: who finds nothing says so, instead of looking again and again until its time is over.
    package var isShutDown: Bool { state.withLockedValue { $0.isShutDown } }

    /// Ends all waits, and lets none begin.
    package func shutDown() {
        finish(state.withLockedValue { $0.shutDown() })
    }

    private func watch(until end: NIODeadline, while mayGoOn: @Sendable () -> Bool) async {
        while mayGoOn(), !Task.isCancelled {
            let left = end - .now()
            guard left.nanoseconds > 0 else { return }
            try? await Task.sleep(for: .nanoseconds(min(left.nanoseconds, Self.period.nanoseconds)))
            // One of those who wait asks for all.
            guard let numbers = state.withLockedValue({ $0.beginPoll(now: .now()) }) else { continue }
            let rows = await newest(numbers)
            finish(state.withLockedValue { $0.endPoll(of: numbers, rows) })
        }
    }

    /// The rid of the newest document of each collection; nil when PostgreSQL gives no answer. Those who wait then have
    /// their own end.
    private func newest(_ numbers: [Int64]) async -> [Int64: Int64]? {
        do throws(StorageError) {
            return try await pool.withConnection { connection throws(StorageError) in
                do throws(PostgresError) { return try Self.newest(numbers, on: connection) } catch {
                    throw .postgres(error)
                }
            }
        } catch {
            return nil
        }
    }

    private static func newest(
        _ numbers: [Int64], on connection: Connection
    ) throws(PostgresError) -> [Int64: Int64] {
        let result = try connection.execute(
            Statement("SELECT number, newest FROM martlet.capped WHERE number = ANY($1)", [.int8Array(numbers)]))
        var newest: [Int64: Int64] = [:]
        for row in 0..<result.rowCount {
            guard let number = result.int8(row: row, column: 0) else { continue }
            newest[number] = result.int8(row: row, column: 1)
        }
        return newest
    }

    private func finish(_ waiters: [Waiter]) {
        for waiter in waiters { waiter.finish() }
    }
}

/// Who waits for which collection, and what is known of those. Pure.
struct ArrivalState {
    private var waits: [(number: Int64, waiter: Waiter)] = []
    /// Counts the news of each collection.
    private var news: [Int64: UInt64] = [:]
    /// What PostgreSQL said last of the collections that are waited for.
    private var newest: [Int64: Int64] = [:]
    private var isPolling = false
    private var nextPoll = NIODeadline.uptimeNanoseconds(0)
    private(set) var isShutDown = false

    func news(of number: Int64) -> UInt64 { news[number, default: 0] }

    /// - Returns: whether there is anything to wait for.
    mutating func begin(_ waiter: Waiter, in number: Int64, since seen: UInt64) -> Bool {
        guard !isShutDown, news(of: number) == seen else { return false }
        waits.append((number, waiter))
        return true
    }

    mutating func end(_ waiter: Waiter) {
        waits.removeAll { $0.waiter === waiter }
    }

    /// - Returns: whose wait is over.
    mutating func tell(_ number: Int64) -> [Waiter] {
        news[number, default: 0] &+= 1
        return waits.filter { $0.number == number }.map(\.waiter)
    }

    /// - Returns: the collections that PostgreSQL is to be asked for; nil when it is not time, or somebody asks
    ///   already.
    mutating func beginPoll(now: NIODeadline) -> [Int64]? {
        let numbers = Set(waits.map(\.number))
        guard !isPolling, now >= nextPoll, !numbers.isEmpty else { return nil }
        isPolling = true
        newest = newest.filter { numbers.contains($0.key) }
        // A little less than the period, or every second tick would come too early.
        nextPoll = now + Arrivals.period - .milliseconds(10)
        return Array(numbers)
    }

    /// What is seen for the first time may be news: it is not known what those who wait have seen. So is a collection
    /// that is not there any more.
    ///
    /// - Parameter rows: nil when there was no answer.
    /// - Returns: whose wait is over.
    mutating func endPoll(of numbers: [Int64], _ rows: [Int64: Int64]?) -> [Waiter] {
        isPolling = false
        guard let rows else { return [] }
        var told: [Waiter] = []
        for number in numbers where rows[number] == nil || newest[number] != rows[number] {
            newest[number] = rows[number]
            told += tell(number)
        }
        return told
    }

    mutating func shutDown() -> [Waiter] {
        isShutDown = true
        return waits.map(\.waiter)
    }
}
