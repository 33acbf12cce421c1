internal import Crypto

/// What a server keeps of a password: enough to check a proof of it, not to make one.
///
/// Source: RFC 5802, section 3.
package struct ScramCredentials: Sendable, Equatable {
    package let mechanism: ScramMechanism
    package let salt: [UInt8]
    package let iterations: Int
    /// Checks the client's proof.
    package let storedKey: [UInt8]
    /// Makes the server's own.
    package let serverKey: [UInt8]

    package init(
        mechanism: ScramMechanism, salt: [UInt8], iterations: Int, storedKey: [UInt8], serverKey: [UInt8]
    ) {
        self.mechanism = mechanism
        self.salt = salt
        self.iterations = iterations
        self.storedKey = storedKey
        self.serverKey = serverKey
    }

    /// Derives them from a password that has been prepared for the mechanism. Takes milliseconds.
    package init(
        _ password: PreparedPassword, mechanism: ScramMechanism, salt: [UInt8], iterations: Int
    ) {
        let keys = ScramKeys(password, mechanism: mechanism, salt: salt, iterations: iterations)
        self.init(
            mechanism: mechanism, salt: salt, iterations: iterations,
            storedKey: mechanism.hash(keys.clientKey), serverKey: keys.serverKey)
    }

    /// What stands in for a user who does not exist: no password fits, and the salt is the same each time, as that of
    /// a user would be.
    ///
    /// - Parameter secret: of the database, so that all servers on it say the same.
    package static func pretended(
        for user: String, in database: String, mechanism: ScramMechanism, secret: [UInt8], iterations: Int
    ) -> ScramCredentials {
        func derived(_ purpose: String) -> [UInt8] {
            // The lengths keep user and database apart.
            let text = "\(purpose):\(mechanism.rawValue):\(database.utf8.count):\(database):\(user)"
            return ScramMechanism.sha256.authenticationCode(of: Array(text.utf8), key: secret)
        }
        return ScramCredentials(
            mechanism: mechanism, salt: Array(derived("salt").prefix(mechanism.saltLength)), iterations: iterations,
            storedKey: Array(derived("stored key").prefix(mechanism.keyLength)),
            serverKey: Array(derived("server key").prefix(mechanism.keyLength)))
    }
}

/// What a client makes of the password and the server's salt.
struct ScramKeys {
    let clientKey: [UInt8]
    let serverKey: [UInt8]

    init(_ password: PreparedPassword, mechanism: ScramMechanism, salt: [UInt8], iterations: Int) {
        let salted = mechanism.saltedPassword(password.bytes, salt: salt, iterations: iterations)
        clientKey = mechanism.authenticationCode(of: Array("Client Key".utf8), key: salted)
        serverKey = mechanism.authenticationCode(of: Array("Server Key".utf8), key: salted)
    }
}

/// A password in the form that a mechanism derives keys from.
package struct PreparedPassword: Sendable {
    let bytes: [UInt8]

    /// - Throws: ``SASLprepFailure`` for what SASLprep forbids; only SCRAM-SHA-256 asks it.
    package init(_ password: String, of user: String, for mechanism: ScramMechanism) throws(SASLprepFailure) {
        switch mechanism {
        case .sha1: bytes = Self.digest(user: user, password: password)
        case .sha256: bytes = Array(try SASLprep.prepared(password).utf8)
        }
    }

    /// A client may send the digest in place of the password (`digestPassword: false`).
    package init(digest: String) { bytes = Array(digest.utf8) }

    init(raw bytes: [UInt8]) { self.bytes = bytes }

    /// What MongoDB's SCRAM-SHA-1 takes for the password: its first mechanism kept this hash, so that users could be
    /// carried over.
    private static func digest(user: String, password: String) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        let digest = Insecure.MD5.hash(data: Array("\(user):mongo:\(password)".utf8))
        return digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }
}
