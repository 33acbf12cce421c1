package import CommandModel
internal import NIOConcurrencyHelpers
internal import Storage
internal import Synchronization

/// The connections of this server, and what each is doing.
///
/// A connection runs one command at a time, so the running operations need no list of their own: each stands in a
/// slot of its connection, where nobody else competes for the lock, and only who looks walks over all of them.
package final class OperationRegistry: Sendable {
    private let lastID = Atomic<UInt32>(0)
    private let connections = NIOLockedValueBox<[Int64: ConnectionInfo]>([:])

    package init() {}

    package func opened(_ connection: ConnectionInfo) {
        connections.withLockedValue { $0[connection.id] = connection }
    }

    package func closed(_ connection: ConnectionInfo) {
        connections.withLockedValue { $0[connection.id] = nil }
    }

    /// Followed by ``ConnectionInfo/endOperation()``.
    package func begin(_ request: CommandRequest, on connection: ConnectionInfo) -> Operation {
        let id = lastID.wrappingAdd(1, ordering: .relaxed).newValue & UInt32(Int32.max)
        let operation = Operation(id: Int32(bitPattern: id), request: request)
        connection.begin(operation)
        return operation
    }

    /// In the order of the connections' ids.
    var all: [ConnectionInfo] {
        connections.withLockedValue { Array($0.values) }.sorted { $0.id < $1.id }
    }

    func kill(_ id: Int32) {
        kill { $0.id == id }
    }

    /// Stops what runs in these sessions, except for `caller`.
    func kill(sessions: Set<LogicalSessionID>, except caller: Operation?) {
        kill { operation in
            operation !== caller && operation.request.shared.sessionID.map(sessions.contains) ?? false
        }
    }

    private func kill(_ isMeant: (Operation) -> Bool) {
        for operation in all.compactMap(\.operation) where isMeant(operation) {
            operation.interruption.interrupt(.killed)
        }
    }
}
