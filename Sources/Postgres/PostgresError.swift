/// What went wrong between us and PostgreSQL.
package struct PostgresError: Error, Sendable {
    package enum Kind: Sendable, Equatable {
        /// The server answered a statement with an error; ``PostgresError/state`` says which.
        case server
        /// An earlier statement of the same sync group failed, so this one was skipped. ``PostgresError/state`` and
        /// the other fields are those of the statement that failed.
        case pipelineAborted
        /// No connection could be made. Nothing was sent.
        case connectionFailed
        /// A connection was made, and the server or the database is none that can be used: another try is in vain.
        case unsuitable
        /// The connection broke with statements under way: whether they took effect is unknown.
        case connectionLost
        /// No answer within the connection's response timeout. The connection is given up, as with `connectionLost`.
        case timeout
        /// The pool is shutting down. Nothing was sent.
        case poolClosed
        /// The pool's queue is at its bound. Nothing was sent.
        case queueFull
    }

    package var kind: Kind
    package var state: SQLState
    package var message: String
    package var detail: String?
    /// The constraint that was violated: for a unique violation the name of the index.
    package var constraint: String?
    package var table: String?
    /// Set when the plan kept by the connection no longer fits the catalog. The connection has forgotten it: the same
    /// statements succeed when they are run again.
    package var isStalePlan = false

    package init(
        _ kind: Kind, _ message: String, state: SQLState = .none, detail: String? = nil, constraint: String? = nil,
        table: String? = nil
    ) {
        self.kind = kind
        self.state = state
        self.message = message
        self.detail = detail
        self.constraint = constraint
        self.table = table
    }

    /// The error that statements report which were skipped because of this one.
    var forSkippedStatements: PostgresError {
        var error = self
        if kind == .server { error.kind = .pipelineAborted }
        return error
    }

    /// Sent by nobody: found before sending, and the code the server would have chosen.
    static let tooLarge = PostgresError(
        .server, "the parameters of a statement exceed what one message holds", state: .programLimitExceeded)

    static let poolClosed = PostgresError(.poolClosed, "the pool is shut down")
}

extension PostgresError: CustomStringConvertible {
    package var description: String {
        let code = state == .none ? "" : " [\(state)]"
        return "\(kind)\(code): \(message)" + (detail.map { " (\($0))" } ?? "")
    }
}
