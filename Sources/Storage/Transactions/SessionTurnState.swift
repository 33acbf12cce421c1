internal import CommandModel
internal import DequeModule

/// Who may use which session, and who waits for it. Pure: ``SessionTurns`` feeds it events.
///
/// A session without an entry is free; one with an empty queue is in use, and nobody waits. So the usual case
/// costs an entry in a table that has room for it.
struct SessionTurnState {
    enum Request: Equatable {
        case granted
        case waiting
        case full
    }

    private var waiters: [LogicalSessionID: Deque<UInt64>] = [:]
    private let waitersMax: Int

    /// - Parameter waitersMax: for one session.
    init(waitersMax: Int) {
        self.waitersMax = waitersMax
    }

    var inUse: Int { waiters.count }

    func isInUse(_ id: LogicalSessionID) -> Bool { waiters[id] != nil }

    mutating func requested(_ id: LogicalSessionID, by ticket: UInt64) -> Request {
        guard let queue = waiters[id] else {
            waiters[id] = Deque()
            return .granted
        }
        guard queue.count < waitersMax else { return .full }
        waiters[id]?.append(ticket)
        return .waiting
    }

    /// - Returns: whose turn it is now.
    mutating func released(_ id: LogicalSessionID) -> UInt64? {
        precondition(waiters[id] != nil, "a session that nobody uses was given back")
        if let next = waiters[id]?.popFirst() { return next }
        waiters[id] = nil
        return nil
    }

    /// - Returns: false when it does not wait any more, or not yet.
    mutating func gaveUp(_ id: LogicalSessionID, _ ticket: UInt64) -> Bool {
        guard let index = waiters[id]?.firstIndex(of: ticket) else { return false }
        waiters[id]?.remove(at: index)
        return true
    }
}
