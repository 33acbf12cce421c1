package import Metrics
package import Postgres

/// What the engine counts. One for a server; the workers of the pools get the same one as the engine.
package final class StorageMetrics: Sendable {
    /// Statements that were answered from the record of their first execution.
    package let deduplicated = Counter()
    /// Lanes whose version was no longer the newest when it was to be replaced.
    package let casLost = Counter()
    /// Writes that one new version of a document holds.
    package let laneDepth = Histogram(.sizes)
    package let hotDocuments = HotDocuments()
    package let retries = RetryCounters()
    package let leases = LeaseCounters()
    package let documents = DocumentCounters()

    package init() {}

    /// The transaction of a group was rolled back by PostgreSQL and is run again.
    package func retried(_ state: SQLState) { retries.count(state) }
}

/// Retries by SQLSTATE: the codes that are retried, and all others together.
package struct RetryCounters: Sendable {
    private static let states: [SQLState] = [
        .serializationFailure, .deadlockDetected, .lockNotAvailable, .snapshotTooOld, .invalidSQLStatementName,
        .uniqueViolation, .undefinedTable,
    ]

    private let counters = CounterArray(count: states.count + 1)

    func count(_ state: SQLState) {
        counters.count(at: Self.states.firstIndex(of: state) ?? Self.states.count)
    }

    package var all: [(state: String, count: Int)] {
        (Self.states.map(\.description) + ["other"]).enumerated().map { ($1, counters[$0]) }
    }
}

/// Background work under a lease.
package final class LeaseCounters: Sendable {
    /// Leases this server holds now.
    package let held = Gauge()
    package let acquired = Counter()
    /// Ended otherwise than by giving it up: expired, or refused.
    package let lost = Counter()
    /// Writes that PostgreSQL refused because their lease had moved on.
    package let fenced = Counter()
    /// Rows of sessions that nobody will ask for any more.
    package let sessionsReaped = Counter()

    init() {}
}
