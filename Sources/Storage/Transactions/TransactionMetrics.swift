internal import Synchronization

/// What became of the transactions of this server.
package struct TransactionMetrics: Sendable, Equatable {
    package struct Outcomes: Sendable, Equatable {
        package var started = 0
        package var committed = 0
        /// By the client, by an error, by a newer transaction or by the end of the session.
        package var aborted = 0
        /// Their time was up.
        package var expired = 0
        /// COMMIT was sent and not answered.
        package var unknown = 0

        package init() {}
    }

    package var snapshot = Outcomes()
    package var serializable = Outcomes()
    /// In progress now.
    package var open = 0
    /// Lanes taken now, and who waits for one.
    package var lanesLeased = 0
    package var waitingForLane = 0

    package init() {}
}

enum TransactionEvent {
    case started
    case committed
    case aborted
    case expired
    case unknown
}

extension TransactionMetrics {
    mutating func count(_ event: TransactionEvent, _ isolation: OpenTransaction.Isolation) {
        switch isolation {
        case .snapshot: snapshot.count(event)
        case .serializable: serializable.count(event)
        }
    }
}

extension TransactionMetrics.Outcomes {
    fileprivate mutating func count(_ event: TransactionEvent) {
        switch event {
        case .started: started += 1
        case .committed: committed += 1
        case .aborted: aborted += 1
        case .expired: expired += 1
        case .unknown: unknown += 1
        }
    }
}
