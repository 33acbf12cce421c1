package import CommandModel
internal import Crypto
package import NIOCore

/// What a command is recognized by when it comes again.
///
/// Either the session and the number that a driver gives to each retryable write, or a key that the application made:
/// such a key is kept as a session of its own, with one number, for as long as the server is told to.
package struct RetryIdentity: Sendable {
    /// Seconds for which the writes of a session are remembered: longer than clients keep an idle one.
    package static let sessionLifetimeSeconds: Int32 = 45 * 60

    package let session: LogicalSessionID
    package let number: Int64
    let lifetimeSeconds: Int32
    /// Statements without an effect are recorded, too: the reply to an application's key is the first one, whatever
    /// it was. A driver's retry of a statement without effect may run, since nothing happens twice.
    package let recordsEverything: Bool

    package init(session: LogicalSessionID, number: Int64) {
        self.session = session
        self.number = number
        lifetimeSeconds = Self.sessionLifetimeSeconds
        recordsEverything = false
    }

    /// - Parameter scope: keys are compared within it: the command and its collection.
    package init(key: String, scope: String, lifetimeSeconds: Int32) {
        var hash = SHA256()
        for part in [scope, key] {
            // The length keeps "a" + "bc" and "ab" + "c" apart.
            withUnsafeBytes(of: UInt64(part.utf8.count).littleEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: Array(part.utf8))
        }
        session = LogicalSessionID(uuid: Array(hash.finalize()))
        number = 0
        self.lifetimeSeconds = lifetimeSeconds
        recordsEverything = true
    }

    var key: ByteBuffer { ByteBuffer(bytes: session.uuid) }
}

/// The right of one statement to take effect: it goes with the write into its transaction, and is recorded there. Two
/// claims for the same step of a session cannot both be committed.
package struct StatementClaim: Sendable {
    let identity: RetryIdentity
    let statement: Int32
    /// The recording's number among those of the session's present number, from 1.
    let step: Int32
}
