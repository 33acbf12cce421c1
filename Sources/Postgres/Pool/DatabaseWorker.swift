/// What a pool does with requests: the meeting point of the engine and a connection.
///
/// Every request submitted is given exactly once either to ``run(_:on:)`` or to ``fail(_:with:)``, and the worker
/// answers it there, whatever happens. One worker serves all threads of its pool at the same time.
package protocol DatabaseWorker: Sendable {
    associatedtype Request: Sendable

    /// A new connection, before the first batch on it. Throwing counts as a failure to connect.
    func connected(_ connection: Connection) throws(PostgresError)

    /// Serves all of `batch`, in order of submission, on the thread of `connection`; blocking is what the thread is
    /// for. Whatever it leaves behind (unread results, an open transaction) is cleaned up after it.
    func run(_ batch: [Request], on connection: Connection)

    /// None of `batch` was sent to the server. Called on a thread of the pool or on the one that submits: must not
    /// block.
    func fail(_ batch: [Request], with error: PostgresError)
}

extension DatabaseWorker {
    package func connected(_ connection: Connection) throws(PostgresError) {}
}
