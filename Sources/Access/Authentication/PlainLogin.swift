/// A login that sends the password itself (RFC 4616): for what cannot do better, and only where the connection is
/// encrypted.
package struct PlainLogin: Sendable {
    package let user: String
    private let password: String

    /// `[user] NUL user NUL password`
    package init(_ payload: [UInt8]) throws(ScramFailure) {
        guard payload.count <= ScramLimits.messageBytesMax else { throw .malformed("the message is too long") }
        let parts = payload.split(separator: 0, omittingEmptySubsequences: false)
        guard parts.count == 3, let user = String(validating: parts[1], as: UTF8.self), !user.isEmpty,
            let password = String(validating: parts[2], as: UTF8.self), !password.isEmpty
        else { throw .malformed("the message is not: identity, user, password") }
        guard parts[0].isEmpty || parts[0].elementsEqual(parts[1]) else {
            throw .malformed("the authorization identity must be the user")
        }
        (self.user, self.password) = (user, password)
    }

    /// Whether this is the password. Takes as long as a derivation of keys does: milliseconds.
    package func isPassword(of credentials: ScramCredentials) -> Bool {
        guard let prepared = try? PreparedPassword(password, of: user, for: credentials.mechanism) else { return false }
        let derived = ScramCredentials(
            prepared, mechanism: credentials.mechanism, salt: credentials.salt, iterations: credentials.iterations)
        return ConstantTime.areEqual(derived.storedKey, credentials.storedKey)
    }
}
