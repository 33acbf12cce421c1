package import CommandModel
package import NIOCore
package import Storage

/// A command that is running: what `currentOp` shows, and the switch that `killOp` throws.
///
/// Made for each command, so it only holds on to what is there already. What is shown is worked out when somebody
/// looks.
package final class Operation: Sendable {
    package let id: Int32
    package let request: CommandRequest
    package let startedAt: NIODeadline
    package let interruption: Interruption

    init(id: Int32, request: CommandRequest, startedAt: NIODeadline = .now()) {
        self.id = id
        self.request = request
        self.startedAt = startedAt
        interruption = Interruption(of: request)
    }

    /// Nobody reads the answer any more. What only reads stops; a write goes on, because the client may have counted
    /// on it, and an unacknowledged one has gone away in good faith.
    func clientLeft() {
        if Self.readsOnly(request.name) { interruption.interrupt(.clientLeft) }
    }

    private static func readsOnly(_ command: String) -> Bool {
        switch command {
        case "find", "getMore", "count", "distinct", "explain", "validate", "collStats", "dataSize", "dbStats",
            "dbstats", "listCollections", "listDatabases", "listIndexes":
            true
        // So far; a pipeline that ends in $out or $merge will be a write.
        case "aggregate": true
        default: false
        }
    }
}

extension CommandContext {
    /// When `request` must end.
    package func deadline(of request: CommandRequest) -> Deadline {
        guard request.shared.timeLimit == nil, request.hasDefaultTimeLimit else {
            return deadline(maxTimeMilliseconds: request.shared.maxTimeMilliseconds)
        }
        return deadline(maxTimeMilliseconds: server.settings.defaultReadMilliseconds)
    }

    /// The same with another time limit than that of the command.
    func deadline(maxTimeMilliseconds: Int64) -> Deadline {
        Deadline(
            maxTimeMilliseconds: maxTimeMilliseconds, from: operation?.startedAt,
            interruption: operation?.interruption)
    }
}

extension CommandRequest {
    /// Whether `defaultMaxTimeMS` is meant for it.
    fileprivate var hasDefaultTimeLimit: Bool {
        switch name {
        case "find", "aggregate", "count", "distinct": !writes
        default: false
        }
    }
}
