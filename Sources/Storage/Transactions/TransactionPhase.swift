/// Where one transaction stands: whether BEGIN is due, whether a statement may still run, and who gives the lane
/// back. Pure: ``OpenTransaction`` feeds it events and carries out what it says.
///
/// Statements, commit and abort arrive on the lane's thread one after another, each with what the connection says
/// about itself at that moment. The end can be ordered from anywhere at any time (a limit, a killed session, a
/// shutdown), while a statement runs or waits for its thread.
///
/// The obvious design keeps a flag "open" beside a flag "failed" and lets everyone who sees the end give the lane
/// back. Two of them then do: the statement that failed, and the abort that was ordered meanwhile; and the second
/// takes the lane away from the transaction that got it in between. So there is one state, and ``ended()`` is true
/// once.
///
/// The other invariant: a statement runs only on the connection that BEGIN ran on. A pool replaces a connection
/// that broke, and on the new one the statement would be a transaction of its own, committed at once. The new one is
/// recognized by not being in a transaction.
struct TransactionPhase: Equatable {
    enum Phase: Equatable {
        /// Nothing was sent.
        case new
        case open
        case committing
        /// The order to roll back is on its way to the lane's thread.
        case aborting
        /// The lane is, or is being, given back.
        case ended
    }

    enum Start: Equatable {
        /// First BEGIN.
        case begin
        case proceed
        /// The connection broke between two statements, so the transaction is gone. Give the lane back.
        case lost
        case over
    }

    enum Commit: Equatable {
        case commit
        case lost
        case over
    }

    enum Abort: Equatable {
        /// Roll back on the lane's thread, then report ``ended()``.
        case rollBack
        /// Nothing was sent: give the lane back.
        case release
        /// It has ended, or is being ended by someone else.
        case nothing
    }

    private(set) var phase = Phase.new

    mutating func statementStarts(onConnectionInTransaction isInTransaction: Bool) -> Start {
        switch phase {
        case .new:
            phase = .open
            return .begin
        case .open where isInTransaction: return .proceed
        case .open:
            phase = .ended
            return .lost
        case .committing, .aborting, .ended: return .over
        }
    }

    mutating func commitStarts(onConnectionInTransaction isInTransaction: Bool) -> Commit {
        switch phase {
        case .open where isInTransaction:
            phase = .committing
            return .commit
        case .open:
            phase = .ended
            return .lost
        case .new, .committing, .aborting, .ended: return .over
        }
    }

    /// A commit is ordered: when no statement ever ran there is nothing to send.
    ///
    /// - Returns: whether it is done with that. Give the lane back then.
    mutating func endsUntouched() -> Bool {
        phase == .new ? ended() : false
    }

    mutating func abortOrdered() -> Abort {
        switch phase {
        case .new:
            phase = .ended
            return .release
        case .open:
            phase = .aborting
            return .rollBack
        case .committing, .aborting, .ended: return .nothing
        }
    }

    /// A statement failed and was rolled back on the spot.
    ///
    /// - Returns: whether to give the lane back. Not when an abort is on its way: that needs the lane still.
    mutating func statementFailed() -> Bool {
        phase == .aborting ? false : ended()
    }

    /// The transaction is committed or rolled back, or its connection is lost.
    ///
    /// - Returns: whether to give the lane back.
    mutating func ended() -> Bool {
        defer { phase = .ended }
        return phase != .ended
    }
}
