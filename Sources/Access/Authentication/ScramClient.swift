/// The client's part: for the tools that ask a server something, and for tests.
///
/// Source: RFC 5802, sections 3 and 5.
package struct ScramClient: Sendable {
    private let mechanism: ScramMechanism
    private let password: PreparedPassword
    private let bare: [UInt8]
    private let nonce: [UInt8]
    private var serverSignature: [UInt8]?

    /// - Parameter nonce: for tests.
    package init(
        user: String, password: PreparedPassword, mechanism: ScramMechanism, nonce: [UInt8]? = nil
    ) {
        let nonce = nonce ?? ScramText.randomNonce()
        self.mechanism = mechanism
        self.password = password
        self.nonce = nonce
        bare = Array("n=".utf8) + ScramText.escaped(user) + Array(",r=".utf8) + nonce
    }

    package var firstMessage: [UInt8] { Array("n,,".utf8) + bare }

    /// Takes the server's challenge and gives the proof.
    package mutating func finalMessage(answering payload: [UInt8]) throws(ScramFailure) -> [UInt8] {
        let challenge = try ScramServerFirst(payload)
        guard challenge.nonce.starts(with: nonce), challenge.nonce.count > nonce.count else { throw .refused }
        let keys = ScramKeys(password, mechanism: mechanism, salt: challenge.salt, iterations: challenge.iterations)
        let withoutProof = Array("c=biws,r=".utf8) + challenge.nonce
        let covered = bare + [ScramText.comma] + payload + [ScramText.comma] + withoutProof
        let signature = mechanism.authenticationCode(of: covered, key: mechanism.hash(keys.clientKey))
        serverSignature = mechanism.authenticationCode(of: covered, key: keys.serverKey)
        let proof = zip(keys.clientKey, signature).map { $0 ^ $1 }
        return withoutProof + Array(",p=".utf8) + ScramText.base64(proof)
    }

    /// Whether the server knows the password, too.
    package func accepts(_ payload: [UInt8]) -> Bool {
        guard let serverSignature else { return false }
        return ConstantTime.areEqual(payload, Array("v=".utf8) + ScramText.base64(serverSignature))
    }
}
