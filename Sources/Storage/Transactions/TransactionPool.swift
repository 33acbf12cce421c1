package import Postgres

/// The connections that transactions hold from their first statement to their end.
package enum TransactionPool {
    package static let laneCountDefault = 32
    package static let lifetimeMillisecondsDefault = 60_000
    /// A transaction that meets a lock of another one has lost already, because that one is going to commit a version
    /// which its snapshot does not see. It waits only for what is released without a commit, as the lock on the end
    /// of a table's file.
    static let lockTimeoutMilliseconds = 10
    /// PostgreSQL's own limit is the last resort against a transaction that nobody ends: a bit more than ours.
    static let backstopMilliseconds = 10_000
    private static let idleConnectionMilliseconds = 60_000

    /// - Parameters:
    ///   - laneCount: transactions open at once. A lane that nobody uses has a sleeping thread and no connection.
    ///   - lifetimeMilliseconds: how long a transaction may last: ``TransactionRegistry`` ends it then.
    package static func options(
        connection: ConnectionOptions, laneCount: Int = laneCountDefault,
        lifetimeMilliseconds: Int = lifetimeMillisecondsDefault
    ) -> PoolOptions {
        let limit = String(lifetimeMilliseconds + backstopMilliseconds)
        // Rows are found by index wherever one serves: a sequential scan would make SERIALIZABLE take the whole table
        // for read, and conflict with every write of it.
        let session = connection.setting("enable_seqscan", "off").setting("enable_bitmapscan", "off")
            .setting("lock_timeout", String(lockTimeoutMilliseconds))
            .setting("statement_timeout", limit)
            .setting("idle_in_transaction_session_timeout", limit)
        var options = PoolOptions(
            name: "transactions", connection: session, threadCount: laneCount, routing: .lanes, batchMax: 1)
        options.keepsTransactions = true
        options.connectsLazily = true
        options.idleConnectionMilliseconds = idleConnectionMilliseconds
        return options
    }
}
