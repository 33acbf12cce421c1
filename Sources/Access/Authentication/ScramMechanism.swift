internal import Crypto

/// The two hash functions by which a client may prove that it knows a password.
///
/// Source: RFC 5802, RFC 7677; specifications/source/auth/auth.md
package enum ScramMechanism: String, Sendable, CaseIterable {
    case sha1 = "SCRAM-SHA-1"
    case sha256 = "SCRAM-SHA-256"

    /// Bytes of a key.
    package var keyLength: Int {
        switch self {
        case .sha1: Insecure.SHA1.byteCount
        case .sha256: SHA256.byteCount
        }
    }

    /// Bytes of a salt: such that its first block, with PBKDF2's counter, fills one hash.
    package var saltLength: Int { keyLength - 4 }

    package var iterationsDefault: Int {
        switch self {
        case .sha1: 10_000
        case .sha256: 15_000
        }
    }

    /// Clients refuse fewer (RFC 7677, section 4), and more than the maximum would only keep them busy.
    package static let iterationsRange = 4_096...10_000_000

    func hash(_ bytes: [UInt8]) -> [UInt8] {
        switch self {
        case .sha1: Array(Insecure.SHA1.hash(data: bytes))
        case .sha256: Array(SHA256.hash(data: bytes))
        }
    }

    func authenticationCode(of bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        switch self {
        case .sha1: Array(HMAC<Insecure.SHA1>.authenticationCode(for: bytes, using: SymmetricKey(data: key)))
        case .sha256: Array(HMAC<SHA256>.authenticationCode(for: bytes, using: SymmetricKey(data: key)))
        }
    }

    /// `Hi(password, salt, iterations)` of RFC 5802: the first block of PBKDF2 (RFC 8018). Takes milliseconds.
    func saltedPassword(_ password: [UInt8], salt: [UInt8], iterations: Int) -> [UInt8] {
        switch self {
        case .sha1: Self.stretch(HMAC<Insecure.SHA1>(key: SymmetricKey(data: password)), salt, iterations)
        case .sha256: Self.stretch(HMAC<SHA256>(key: SymmetricKey(data: password)), salt, iterations)
        }
    }

    private static func stretch<H: HashFunction>(_ keyed: HMAC<H>, _ salt: [UInt8], _ iterations: Int) -> [UInt8] {
        var first = keyed
        first.update(data: salt + [0, 0, 0, 1])
        var code = first.finalize()
        var result = Array(code)
        for _ in 1..<max(iterations, 1) {
            var next = keyed
            code.withUnsafeBytes { next.update(data: $0) }
            code = next.finalize()
            code.withUnsafeBytes { bytes in
                for index in result.indices where index < bytes.count { result[index] ^= bytes[index] }
            }
        }
        return result
    }
}

/// Secrets are compared in a time that does not tell how much of them is right.
package enum ConstantTime {
    package static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices { difference |= left[index] ^ right[index] }
        return difference == 0
    }
}

/// Bytes that nobody can guess.
package func secureRandomBytes(_ count: Int) -> [UInt8] {
    // The system's generator is getrandom(2).
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
}
