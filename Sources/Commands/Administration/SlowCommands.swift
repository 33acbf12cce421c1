package import CommandModel
internal import NIOConcurrencyHelpers
package import Storage

/// A command that took longer than `slowms`: what somebody sees who looks at the live page.
///
/// Not the command's text: it may hold what documents hold, and the page asks nobody who he is. The log has it.
package struct SlowCommand: Sendable {
    /// Milliseconds since 1970.
    package let endedAt: Int64
    package let name: String
    package let namespace: String
    package let nanoseconds: Int64
    /// Of the error that it ended with; nil for none.
    package let errorCode: Int64?
    package let applicationName: String?
    package let trace: OperationTrace
}

/// The last slow commands, newest first.
package final class SlowCommands: Sendable {
    package static let kept = 30

    private let commands = NIOLockedValueBox<[SlowCommand]>([])

    package init() {}

    package func note(_ command: SlowCommand) {
        commands.withLockedValue { commands in
            if commands.count >= Self.kept { commands.removeLast() }
            commands.insert(command, at: 0)
        }
    }

    package var all: [SlowCommand] { commands.withLockedValue { $0 } }
}
