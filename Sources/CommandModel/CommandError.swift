package import BSON

/// The client asked for something invalid, or the database refused: the reply is `ok: 0`, the connection lives.
package struct CommandError: Error, Sendable {
    package var code: ErrorCode
    package var message: String
    package var labels: [String]
    /// Fields that some errors carry beside the message (`keyPattern`, `keyValue`, `errInfo` …), appended as they are.
    package var details: Document?

    package init(_ code: ErrorCode, _ message: String, labels: [String] = [], details: Document? = nil) {
        self.code = code
        self.message = message
        self.labels = labels
        self.details = details
    }
}

extension CommandError {
    /// The server has more to do than it takes on, has not begun with this, and asks for patience: drivers send the
    /// same again, after a pause drawn at random up to twice this base, and up to four times when refused again.
    ///
    /// More than drivers take that are told nothing (100 ms): the longest queue, 10,000 writes, takes about 0.7 s at
    /// the rates measured (ARCHITECTURE.md), and two pauses of 250 and 500 ms in the mean outlast it.
    ///
    /// Source: specifications/source/client-backpressure/client-backpressure.md
    package static func overloaded(_ message: String) -> CommandError {
        CommandError(
            .ingressRequestRateLimitExceeded, message, labels: ["SystemOverloadedError", "RetryableError"],
            details: Document { $0.append("baseBackoffMS", int32: baseBackoffMilliseconds) })
    }

    package static let baseBackoffMilliseconds: Int32 = 250
}

extension CommandError: CustomStringConvertible {
    package var description: String { "\(code.name) (\(code.number)): \(message)" }
}
