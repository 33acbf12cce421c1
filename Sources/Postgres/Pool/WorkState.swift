/// A piece of work on a pool's connection that may be cancelled from another thread: the pure half of
/// ``CancellableWork``.
///
/// # What it guarantees
///
/// 1. The work is answered exactly once: by itself when it has run, or by the cancellation when it has not begun.
///    A caller with a time limit is thus answered in time, however long the queue is.
/// 2. A cancel request is only ever sent while the work runs, and the work does not end while one is on its way. So
///    it hits a statement of this work or none, never one of whoever gets the connection next.
/// 3. A cancellation is not lost: a request that arrives between two statements is ignored by PostgreSQL, so it is
///    repeated until the work is over.
///
/// # The obvious design, and why not
///
/// PostgreSQL's `statement_timeout` needs no thread and no request, but it holds for one statement (a scan is many),
/// not while the work waits for a connection, and not for an operator who wants to stop it. Cancelling "the
/// connection of this client" without the bracket of begin and end is a race: the request travels over a connection
/// of its own, and PostgreSQL stops whatever runs when it arrives.
///
/// The shell holds a lock over each of these events, and over the sending of the request: that is what makes the
/// second point true. `PQcancel` returns when PostgreSQL has signalled the process, and a process without a statement
/// ignores the signal.
struct WorkState: Equatable {
    enum Phase: Equatable {
        /// In the queue of the pool.
        case waiting
        case running
        case over
    }

    enum Cancellation: Equatable {
        /// Answer in its place: it will not run.
        case answer
        /// Send a cancel request, and come back to see whether it has helped.
        case request
        case nothing
    }

    private(set) var phase = Phase.waiting
    private(set) var hasSentRequest = false

    mutating func cancelled() -> Cancellation {
        switch phase {
        case .waiting:
            phase = .over
            return .answer
        case .running:
            hasSentRequest = true
            return .request
        case .over: return .nothing
        }
    }

    /// Its turn has come. False when it was answered already: whoever took it leaves it.
    mutating func began() -> Bool {
        guard phase == .waiting else { return false }
        phase = .running
        return true
    }

    /// It will use the connection no more.
    ///
    /// - Returns: whether a cancel request was sent, which the connection had better absorb.
    mutating func ended() -> Bool {
        phase = .over
        return hasSentRequest
    }
}
