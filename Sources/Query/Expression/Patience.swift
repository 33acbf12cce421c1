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

    private let end: Mutex<End>

    package init(_ end: @escaping End) {
        self.end = Mutex(end)
    }

    package func renew(_ end: @escaping End) {
        self.end.withLock { $0 = end }
    }

    func check() throws(CommandError) {
        let end = end.withLock { $0 }
        if let failure = end() { throw failure }
    }
}
