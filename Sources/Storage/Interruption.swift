package import CommandModel
internal import NIOConcurrencyHelpers
package import NIOCore
package import Postgres
internal import Synchronization

/// The switch that stops a running operation from outside: an operator's `killOp`, or a client that has gone away.
///
/// It travels within the ``Deadline`` to all code that may run long. That code checks it between its steps; work on a
/// connection of the general pool is also cancelled within PostgreSQL.
package final class Interruption: Sendable {
    package enum Reason: UInt8, Sendable {
        case killed = 1
        /// Nobody reads the answer.
        case clientLeft
    }

    /// 0, or the first reason.
    private let flag = Atomic<UInt8>(0)
    private let held = NIOLockedValueBox(Held())

    private struct Held {
        var works: [CancellableWork] = []
        var progress: OperationProgress?
        var trace = OperationTrace()
    }

    /// The command that it stops, which what is sent to PostgreSQL names; nil for what has none.
    let request: CommandRequest?

    package init(of request: CommandRequest? = nil) {
        self.request = request
    }

    package var reason: Reason? { Reason(rawValue: flag.load(ordering: .acquiring)) }

    /// Never blocks. The first reason stays.
    package func interrupt(_ reason: Reason) {
        let (isFirst, _) = flag.compareExchange(expected: 0, desired: reason.rawValue, ordering: .acquiringAndReleasing)
        guard isFirst else { return }
        for work in held.withLockedValue({ $0.works }) { CancelWatch.shared.cancel(work, at: .now()) }
    }

    /// From now on `work` is cancelled with the operation, also when that is over already: of the two that may meet
    /// here, the one that comes second sees the other.
    func adopt(_ work: CancellableWork) {
        held.withLockedValue { $0.works.append(work) }
        if reason != nil { CancelWatch.shared.cancel(work, at: .now()) }
    }

    func release(_ work: CancellableWork) {
        held.withLockedValue { $0.works.removeAll { $0 === work } }
    }

    /// Where the operation has been, so far.
    package var trace: OperationTrace { held.withLockedValue { $0.trace } }

    func note(pool: String?, sql: String?) { held.withLockedValue { $0.trace.note(pool: pool, sql: sql) } }

    /// How far the operation is, where it tells.
    package var progress: OperationProgress? {
        get { held.withLockedValue { $0.progress } }
        set { held.withLockedValue { $0.progress = newValue } }
    }
}

/// How far a long operation is, for who asks.
package struct OperationProgress: Sendable, Equatable {
    package let message: String
    package let done: Int64
    package let total: Int64
}

extension Interruption.Reason {
    package var error: CommandError {
        switch self {
        case .killed: CommandError(.interrupted, "operation was interrupted")
        case .clientLeft: CommandError(.clientDisconnect, "operation was interrupted: the client has disconnected")
        }
    }
}
