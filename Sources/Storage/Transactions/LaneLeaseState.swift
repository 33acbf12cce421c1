internal import DequeModule

/// Who has which lane, and who waits for one. Pure: ``TransactionLanes`` feeds it events and carries out what it says.
///
/// A lane that is given back goes to whoever waits longest, without being free in between: nobody who comes later can
/// snatch it. Otherwise the lane used last is given out first, so that few transactions use few connections.
///
/// Invariants: a lane is free or leased, never both; nobody waits while a lane is free; at most `waitersMax` wait.
struct LaneLeaseState {
    enum Request: Equatable {
        case granted(lane: Int)
        case waiting
        case full
        case closed
    }

    private(set) var free: [Int]
    private(set) var waiters = Deque<UInt64>()
    private(set) var isClosed = false
    private let laneCount: Int
    private let waitersMax: Int

    init(laneCount: Int, waitersMax: Int) {
        self.laneCount = laneCount
        self.waitersMax = waitersMax
        free = Array((0..<laneCount).reversed())
    }

    var leased: Int { laneCount - free.count }
    var mustWait: Bool { free.isEmpty && !isClosed }

    /// - Parameter ticket: names the one who asks, in case it has to wait.
    mutating func requested(by ticket: UInt64) -> Request {
        if isClosed { return .closed }
        if let lane = free.popLast() { return .granted(lane: lane) }
        guard waiters.count < waitersMax else { return .full }
        waiters.append(ticket)
        return .waiting
    }

    /// - Returns: who has the lane now.
    mutating func released(_ lane: Int) -> UInt64? {
        precondition(!free.contains(lane), "a lane was given back twice")
        if let next = waiters.popFirst() { return next }
        free.append(lane)
        return nil
    }

    /// A waiter's time is up, or its task was cancelled.
    ///
    /// - Returns: false when it does not wait any more; it has a lane then, or never came.
    mutating func gaveUp(_ ticket: UInt64) -> Bool {
        guard let index = waiters.firstIndex(of: ticket) else { return false }
        waiters.remove(at: index)
        return true
    }

    /// - Returns: who waits in vain. Lanes under way are still given back.
    mutating func closed() -> [UInt64] {
        isClosed = true
        defer { waiters.removeAll() }
        return Array(waiters)
    }
}
