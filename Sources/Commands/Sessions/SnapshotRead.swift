package import CommandModel
internal import Storage

// specifications/source/sessions/snapshot-sessions.md

/// A read with read concern `snapshot` (or `serializable`) outside transactions: it reads in a snapshot of its own, or
/// in the one that an earlier read of the session has told the time of.
package enum SnapshotRead {
    package static func isMeant(by shared: SharedArguments) -> Bool {
        shared.readConcern?.level == .snapshot || shared.readConcern?.level == .serializable
    }

    package static func run(
        _ entry: CommandTable.Entry, _ request: CommandRequest, _ context: CommandContext
    ) async throws(CommandError) -> CommandReply {
        let snapshots = context.engine.snapshots
        var context = context
        if let time = request.shared.readConcern?.atClusterTime {
            context.documents.transaction = try snapshots.find(time, of: request.shared.sessionID)
            context.snapshotTime = time
        } else {
            let time = context.server.clock.tick()
            context.documents.transaction = try await snapshots.open(
                at: time, for: request.shared.sessionID,
                isolation: request.shared.readConcern?.level == .serializable ? .serializable : .snapshot)
            context.snapshotTime = time
        }
        do throws(CommandError) {
            return try await entry.handler(request, context)
        } catch {
            throw error.outsideTransaction
        }
    }
}

extension CommandError {
    /// There is no transaction that the client could run again.
    var outsideTransaction: CommandError {
        guard labels.contains("TransientTransactionError") else { return self }
        return .snapshotTooOld
    }
}
