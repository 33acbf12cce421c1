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
    /// What the command was when the key was first used; nil for a driver's number, which stands for one command only.
    let fingerprint: [UInt8]?
    /// Statements without an effect are recorded, too: the reply to an application's key is the first one, whatever
    /// it was. A driver's retry of a statement without effect may run, since nothing happens twice.
    package let recordsEverything: Bool

    package init(session: LogicalSessionID, number: Int64) {
        self.session = session
        self.number = number
        lifetimeSeconds = Self.sessionLifetimeSeconds
        fingerprint = nil
        recordsEverything = false
    }

    /// - Parameters:
    ///   - scope: keys are compared within it: the command and its collection.
    ///   - owner: the hash of the user, for whom alone the reply is.
    ///   - fingerprint: of the command: a key that comes with another one is refused.
    package init(key: String, scope: String, owner: [UInt8]? = nil, fingerprint: Fingerprint, lifetimeSeconds: Int32) {
        self.fingerprint = fingerprint.bytes
        var hash = SHA256()
        for part in [scope, key] {
            // The length keeps "a" + "bc" and "ab" + "c" apart.
            withUnsafeBytes(of: UInt64(part.utf8.count).littleEndian) { hash.update(bufferPointer: $0) }
            hash.update(data: Array(part.utf8))
        }
        if let owner { hash.update(data: owner) }
        session = LogicalSessionID(uuid: Array(hash.finalize()))
        number = 0
        self.lifetimeSeconds = lifetimeSeconds
        recordsEverything = true
    }

    var key: ByteBuffer { ByteBuffer(bytes: session.key) }

    /// A hash over what a command says, to tell two uses of a key apart.
    package struct Fingerprint: Sendable {
        static let length = 16
        private var hash = SHA256()

        package init() {}

        package mutating func add(_ bytes: UnsafeRawBufferPointer) {
            withUnsafeBytes(of: UInt64(bytes.count).littleEndian) { hash.update(bufferPointer: $0) }
            hash.update(bufferPointer: bytes)
        }

        var bytes: [UInt8] { Array(hash.finalize().prefix(Self.length)) }
    }
}

/// The right of one statement to take effect: it goes with the write into its transaction, and is recorded there. Two
/// claims for the same step of a session cannot both be committed.
package struct StatementClaim: Sendable {
    let identity: RetryIdentity
    let statement: Int32
    /// The recording's number among those of the session's present number, from 1.
    let step: Int32
}
