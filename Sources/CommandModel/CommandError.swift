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

extension CommandError: CustomStringConvertible {
    package var description: String { "\(code.name) (\(code.number)): \(message)" }
}
