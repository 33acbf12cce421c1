/// The server's part of one SCRAM conversation: values in, values out.
///
/// ```
/// client                                         server
///   n,,n=user,r=abc                 ───────►
///                                   ◄───────     r=abcdef,s=salt,i=15000
///   c=biws,r=abcdef,p=proof         ───────►
///                                   ◄───────     v=signature
///   (nothing)                       ───────►     unless the client has asked to skip this exchange
///                                   ◄───────     (nothing)
/// ```
///
/// Source: RFC 5802, sections 3 and 5; specifications/source/auth/auth.md (skipEmptyExchange).
package struct ScramServer: Sendable {
    private enum State {
        case awaitingProof
        case awaitingEmptyMessage
        case done
        case failed
    }

    /// What is sent, and whether the client is now known.
    package struct Answer: Sendable, Equatable {
        package let payload: [UInt8]
        package let isDone: Bool
    }

    private let credentials: ScramCredentials
    private let isKnownUser: Bool
    private let skipsEmptyExchange: Bool
    private let first: ScramClientFirst
    private let nonce: [UInt8]
    private var state = State.awaitingProof
    /// The answer to the first message.
    package let challenge: [UInt8]

    /// - Parameters:
    ///   - isKnownUser: false for ``ScramCredentials/pretended(for:in:mechanism:secret:iterations:)``: then no proof is
    ///     taken, whatever it is.
    ///   - serverNonce: for tests; else one that nobody can foresee.
    package init(
        _ first: ScramClientFirst, _ credentials: ScramCredentials, isKnownUser: Bool, skipsEmptyExchange: Bool,
        serverNonce: [UInt8]? = nil
    ) {
        self.first = first
        self.credentials = credentials
        self.isKnownUser = isKnownUser
        self.skipsEmptyExchange = skipsEmptyExchange
        nonce = first.nonce + (serverNonce ?? ScramText.randomNonce())
        challenge =
            Array("r=".utf8) + nonce + Array(",s=".utf8) + ScramText.base64(credentials.salt)
            + Array(",i=\(credentials.iterations)".utf8)
    }

    /// Takes the next message of the client. After a failure the conversation is over.
    package mutating func receive(_ payload: [UInt8]) throws(ScramFailure) -> Answer {
        let before = state
        state = .failed
        switch before {
        case .awaitingProof:
            let signature = try check(ScramClientFinal(payload))
            state = skipsEmptyExchange ? .done : .awaitingEmptyMessage
            return Answer(payload: Array("v=".utf8) + ScramText.base64(signature), isDone: skipsEmptyExchange)
        case .awaitingEmptyMessage:
            guard payload.isEmpty else { throw .malformed("the conversation ends with an empty message") }
            state = .done
            return Answer(payload: [], isDone: true)
        case .done, .failed: throw .malformed("the conversation is over")
        }
    }

    /// - Returns: the server's signature.
    private func check(_ message: ScramClientFinal) throws(ScramFailure) -> [UInt8] {
        let mechanism = credentials.mechanism
        let covered = first.bare + [ScramText.comma] + challenge + [ScramText.comma] + message.withoutProof
        let signature = mechanism.authenticationCode(of: covered, key: credentials.storedKey)
        guard message.proof.count == signature.count else { throw .refused }
        let clientKey = zip(message.proof, signature).map { $0 ^ $1 }
        // All of it is worked out before anything is decided.
        let isProven = ConstantTime.areEqual(mechanism.hash(clientKey), credentials.storedKey)
        let isSameNonce = ConstantTime.areEqual(message.nonce, nonce)
        let isSameChannel = ConstantTime.areEqual(message.channel, first.header)
        let serverSignature = mechanism.authenticationCode(of: covered, key: credentials.serverKey)
        guard isProven, isSameNonce, isSameChannel, isKnownUser else { throw .refused }
        return serverSignature
    }
}
