/// What an error calls for. The one table of the SQLSTATEs that Martlet treats specially.
package enum ErrorCategory: Sendable, Equatable {
    /// Lost against a concurrent transaction: nothing happened, run the whole transaction again.
    case conflict
    /// The connection's plan was stale: nothing happened, run the sync group again at once.
    case stalePlan
    /// The unique constraint ``PostgresError/constraint`` refuses the row.
    case duplicateKey
    /// No connection, or it broke. ``PostgresError/mayHaveTakenEffect`` says whether the outcome is unknown.
    case connection
    /// The server or the pool is at a bound: memory, disk, connections, queue.
    case resources
    /// A table, schema, function or cursor that the statement names is gone: the catalog we knew is stale.
    case missingObject
    /// A cancel request or a statement timeout stopped the statement.
    case cancelled
    /// The server accepts no writes: a standby.
    case readOnly
    /// Anything else: a defect of ours, or of the data.
    case other
}

extension PostgresError {
    package var category: ErrorCategory {
        switch kind {
        case .connectionFailed, .unsuitable, .connectionLost, .timeout: .connection
        case .poolClosed: .connection
        case .queueFull: .resources
        case .server, .pipelineAborted: isStalePlan ? .stalePlan : state.category
        }
    }

    /// The outcome of the statements under way is unknown: the server may have committed them before we lost it.
    package var mayHaveTakenEffect: Bool {
        kind == .connectionLost || kind == .timeout || state == .statementCompletionUnknown
    }
}

extension SQLState {
    package var category: ErrorCategory {
        switch self {
        case .serializationFailure, .deadlockDetected, .lockNotAvailable, .snapshotTooOld: .conflict
        case .uniqueViolation: .duplicateKey
        case .undefinedTable, .invalidSchemaName, .undefinedFunction, .undefinedColumn, .undefinedObject,
            .invalidCursorName, .invalidCatalogName:
            .missingObject
        case .queryCanceled: .cancelled
        case .readOnlySQLTransaction: .readOnly
        case .invalidSQLStatementName: .stalePlan
        case .adminShutdown, .crashShutdown, .cannotConnectNow, .databaseDropped, .idleSessionTimeout,
            .idleInTransactionSessionTimeout:
            .connection
        default: errorClass.categoryOfClass
        }
    }

    private var categoryOfClass: ErrorCategory {
        switch self {
        case .connectionException: .connection
        case .insufficientResources: .resources
        default: .other
        }
    }
}
