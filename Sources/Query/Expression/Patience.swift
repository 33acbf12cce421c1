package import CommandModel
internal import Synchronization

/// How long the expressions of a command may run: they can loop over large arrays within each other, and nobody else
/// can stop them meanwhile.
///
/// One for all programs of a command. What a cursor runs outlives the command that compiled it, so each command that
/// continues it sets its own end.
package final class Patience: Sendable {
    /// Why the command must end now; nil while it may go on.
    package typealias End = @Sendable () -> CommandError?

    /// A closure that stands bare in a generic value such as a lock is wrapped into two thunks more by each access, so
    /// that a check would take the longer, the more checks went before.
    private struct Current {
        var end: End
    }

    private let current: Mutex<Current>

    package init(_ end: @escaping End) {
        current = Mutex(Current(end: end))
    }

    package func renew(_ end: @escaping End) {
        current.withLock { $0.end = end }
    }

    package func check() throws(CommandError) {
        let now = current.withLock { $0 }
        if let failure = now.end() { throw failure }
    }
}
