package import CommandModel
package import NIOCore

/// When an operation must be over: the client's `maxTimeMS`, or never.
package struct Deadline: Sendable {
    private let instant: NIODeadline?

    package static let never = Deadline(instant: nil)

    private init(instant: NIODeadline?) {
        self.instant = instant
    }

    /// - Parameter milliseconds: from now; 0 means no limit, as in MongoDB.
    package init(maxTimeMilliseconds milliseconds: Int64) {
        instant = milliseconds > 0 ? .now() + .milliseconds(milliseconds) : nil
    }

    package var isNever: Bool { instant == nil }

    package var hasPassed: Bool { instant.map { $0 <= .now() } ?? false }

    /// At least 1; nil when there is no limit.
    package var remainingMilliseconds: Int64? {
        instant.map { max(1, ($0 - .now()).nanoseconds / 1_000_000) }
    }
}

extension CommandError {
    package static let timeLimitExceeded = CommandError(.maxTimeMSExpired, "operation exceeded time limit")
}
