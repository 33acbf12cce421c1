import BSON
import Testing

@testable import Access

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

/// A conversation that a specification prints.
struct ScramVector: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let mechanism: ScramMechanism
    let user: String
    let password: PreparedPassword
    let clientNonce: String
    let serverNonce: String
    let salt: String
    let proof: String
    let signature: String

    static let all = [
        ScramVector(
            testDescription: "RFC 5802, section 5", mechanism: .sha1, user: "user",
            password: PreparedPassword(raw: Array("pencil".utf8)), clientNonce: "fyko+d2lbbFgONRv9qkxdawL",
            serverNonce: "3rfcNHYJY1ZVvWVs7j", salt: "QSXCR+Q6sek8bf92", proof: "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
            signature: "rmF9pqV8S7suAoZWja4dJRkFsKQ="),
        ScramVector(
            testDescription: "RFC 7677, section 3", mechanism: .sha256, user: "user",
            password: PreparedPassword(raw: Array("pencil".utf8)), clientNonce: "rOprNGfwEbeRWgbNEkqO",
            serverNonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", salt: "W22ZaJ0SNY7soEsUEjb6gQ==",
            proof: "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            signature: "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
    ]

    var credentials: ScramCredentials {
        ScramCredentials(password, mechanism: mechanism, salt: Base64.decode(salt) ?? [], iterations: 4_096)
    }
}

@Suite("SCRAM")
struct ScramTests {
    private static let credentials = ScramCredentials(
        PreparedPassword(raw: Array("pencil".utf8)), mechanism: .sha256, salt: Array(0..<28), iterations: 4_096)

    private func server(
        _ first: ScramClientFirst, isKnownUser: Bool = true, skips: Bool = true
    ) -> ScramServer {
        ScramServer(first, Self.credentials, isKnownUser: isKnownUser, skipsEmptyExchange: skips)
    }

    private func client(password: String = "pencil") throws -> ScramClient {
        ScramClient(
            user: "user", password: PreparedPassword(raw: Array(password.utf8)), mechanism: .sha256)
    }

    @Test("the conversations of the specifications come out byte for byte", arguments: ScramVector.all)
    func vectors(vector: ScramVector) throws {
        var client = ScramClient(
            user: vector.user, password: vector.password, mechanism: vector.mechanism,
            nonce: Array(vector.clientNonce.utf8))
        #expect(text(client.firstMessage) == "n,,n=user,r=\(vector.clientNonce)")
        var server = ScramServer(
            try ScramClientFirst(client.firstMessage), vector.credentials, isKnownUser: true,
            skipsEmptyExchange: false, serverNonce: Array(vector.serverNonce.utf8))
        #expect(
            text(server.challenge) == "r=\(vector.clientNonce)\(vector.serverNonce),s=\(vector.salt),i=4096")
        let final = try client.finalMessage(answering: server.challenge)
        #expect(text(final) == "c=biws,r=\(vector.clientNonce)\(vector.serverNonce),p=\(vector.proof)")
        let answer = try server.receive(final)
        #expect(text(answer.payload) == "v=\(vector.signature)")
        #expect(!answer.isDone)
        #expect(client.accepts(answer.payload))
        #expect(try server.receive([]) == ScramServer.Answer(payload: [], isDone: true))
        #expect(throws: ScramFailure.self) { try server.receive([]) }
    }

    @Test("MongoDB's SCRAM-SHA-1 takes a digest of user and password")
    func digest() throws {
        let password = try PreparedPassword("pencil", of: "user", for: .sha1)
        #expect(text(password.bytes) == "1c33006ec1ffd90f9cadcbcc0e118200")
        var client = ScramClient(
            user: "user", password: password, mechanism: .sha1, nonce: Array("fyko+d2lbbFgONRv9qkxdawL".utf8))
        let challenge = "r=fyko+d2lbbFgONRv9qkxdawLHo+Vgk7qvUOKUwuWLIWg4l/9SraGMHEE,s=rQ9ZY3MntBeuP3E1TDVC4w==,i=10000"
        let final = try client.finalMessage(answering: Array(challenge.utf8))
        #expect(text(final).hasSuffix(",p=MC2T8BvbmWRckDw8oWl5IVghwCY="))
        #expect(client.accepts(Array("v=UMWeI25JD1yNYZRMpZ4VHvhZ9e0=".utf8)))
    }

    @Test("a client may skip the empty exchange")
    func skipping() throws {
        var client = try client()
        var server = server(try ScramClientFirst(client.firstMessage))
        #expect(try server.receive(client.finalMessage(answering: server.challenge)).isDone)
    }

    @Test("a wrong password is refused, and the conversation is over")
    func wrongPassword() throws {
        var (wrong, right) = (try client(password: "pen"), try client())
        var server = server(try ScramClientFirst(wrong.firstMessage))
        let challenge = server.challenge
        let final = try wrong.finalMessage(answering: challenge)
        #expect(throws: ScramFailure.refused) { try server.receive(final) }
        #expect(throws: ScramFailure.malformed("the conversation is over")) { try server.receive(final) }
        _ = right.firstMessage
        #expect(throws: ScramFailure.self) { try right.finalMessage(answering: challenge) }
    }

    @Test("a proof that was heard on the wire does not fit another conversation")
    func replay() throws {
        var client = try client()
        let first = try ScramClientFirst(client.firstMessage)
        var server = server(first)
        let final = try client.finalMessage(answering: server.challenge)
        _ = try server.receive(final)
        var next = self.server(first)
        #expect(throws: ScramFailure.refused) { try next.receive(final) }
    }

    @Test("a changed nonce or channel is refused although the proof covers it")
    func tampering() throws {
        let nonce = Array("abc".utf8)
        let credentials = Self.credentials
        for (channel, extra) in [("biws", "x"), ("eSws", "")] {
            let client = ScramClient(
                user: "user", password: PreparedPassword(raw: Array("pencil".utf8)), mechanism: .sha256, nonce: nonce)
            var server = ScramServer(
                try ScramClientFirst(client.firstMessage), credentials, isKnownUser: true, skipsEmptyExchange: true,
                serverNonce: Array("def".utf8))
            let withoutProof = "c=\(channel),r=abcdef\(extra)"
            let covered = Array("n=user,r=abc,\(text(server.challenge)),\(withoutProof)".utf8)
            let signature = ScramMechanism.sha256.authenticationCode(of: covered, key: credentials.storedKey)
            let keys = ScramKeys(
                PreparedPassword(raw: Array("pencil".utf8)), mechanism: .sha256, salt: credentials.salt,
                iterations: 4_096)
            let proof = text(ScramText.base64(zip(keys.clientKey, signature).map { $0 ^ $1 }))
            #expect(throws: ScramFailure.refused) { try server.receive(Array("\(withoutProof),p=\(proof)".utf8)) }
        }
    }

    @Test("a user who does not exist gets a salt that stays, and never in")
    func unknownUser() throws {
        func pretended(_ user: String, _ database: String = "admin", secret: UInt8 = 1) -> ScramCredentials {
            .pretended(
                for: user, in: database, mechanism: .sha256, secret: [UInt8](repeating: secret, count: 32),
                iterations: 15_000)
        }
        #expect(pretended("a") == pretended("a"))
        #expect(pretended("a").salt.count == ScramMechanism.sha256.saltLength)
        let salts = [pretended("a"), pretended("b"), pretended("a", "b"), pretended("a", secret: 2)].map(\.salt)
        #expect(Set(salts).count == salts.count)
        // Even who knows a password that fits.
        var client = try client()
        var server = server(try ScramClientFirst(client.firstMessage), isKnownUser: false)
        let final = try client.finalMessage(answering: server.challenge)
        #expect(throws: ScramFailure.refused) { try server.receive(final) }
    }

    @Test(
        "names are escaped and unescaped",
        arguments: [("a,b", "a=2Cb"), ("=", "=3D"), ("=2C", "=3D2C"), ("é,̈", "é=2C̈"), ("x", "x")])
    func escaping(name: String, escaped: String) throws {
        #expect(text(ScramText.escaped(name)).utf8.elementsEqual(escaped.utf8))
        #expect(try ScramClientFirst(Array("n,,n=\(escaped),r=a".utf8)).user.utf8.elementsEqual(name.utf8))
    }

    @Test("the client may name itself as whom it acts for, and nobody else")
    func authorizationIdentity() throws {
        #expect(try ScramClientFirst(Array("n,a=u=2Cv,n=u=2Cv,r=a".utf8)).user == "u,v")
        #expect(throws: ScramFailure.self) { try ScramClientFirst(Array("n,a=root,n=u,r=a".utf8)) }
    }

    @Test(
        "first messages that are none are refused",
        arguments: [
            "", "n", "n,,", "n,,n=user", "n,,r=a,n=user", "n,,n=,r=a", "n,,n=user,r=", "p=tls-unique,,n=user,r=a",
            "x,,n=user,r=a", "n,,m=x,n=user,r=a", "n,,n=us=er,r=a", "n,,n=user=2,r=a", "n,,n=user,r=a b",
            "n,,n=user,r=a\u{e9}", "n,,n=user,r=a,", "n,,n=user,r=a,xyz", "n,,n=us\u{0}er,r=a", "n,,n=user,r=a,m=1",
            "n,,n=user,r=" + String(repeating: "a", count: 1_025), String(repeating: ",", count: 8_193),
            "n,,n=" + String(repeating: "a", count: 8_192) + ",r=a",
        ])
    func malformedFirst(message: String) {
        #expect(throws: ScramFailure.self) { try ScramClientFirst(Array(message.utf8)) }
    }

    @Test("a first message that is not UTF-8 is refused")
    func notUTF8() {
        let message = Array("n,,n=us".utf8) + [0xFF, 0xC0, 0x80] + Array(",r=a".utf8)
        #expect(throws: ScramFailure.self) { try ScramClientFirst(message) }
    }

    @Test(
        "last messages that are none are refused",
        arguments: [
            "", "c=biws", "c=biws,r=a", "c=biws,p=YQ==", "r=a,c=biws,p=YQ==", "c=biws,r=a,p=YQ==,x=1",
            "c=!,r=a,p=YQ==", "c=biws,r=a,p=YQ", "c=biws,r=,p=YQ==", "c=biws,r=a,m=1,p=YQ==", "c=biws,r=a,p=YQ==\u{0}",
            "c=biws,r=a,p=" + String(repeating: "A", count: 8_192),
        ])
    func malformedFinal(message: String) throws {
        #expect(throws: ScramFailure.self) { try ScramClientFinal(Array(message.utf8)) }
        var server = server(try ScramClientFirst(Array("n,,n=user,r=a".utf8)))
        #expect(throws: ScramFailure.self) { try server.receive(Array(message.utf8)) }
    }

    @Test("random bytes are no message, and end nothing but the conversation")
    func randomBytes() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2_000 {
            let alphabet = Array("nrcpmia=,2CD\u{0}biws+/".utf8) + [0xC3, 0xA9, 0xFF]
            let bytes = (0..<Int.random(in: 0..<40)).map { _ in
                alphabet.randomElement(using: &generator) ?? 0
            }
            _ = try? ScramClientFirst(bytes)
            var server = server(try ScramClientFirst(Array("n,,n=user,r=a".utf8)))
            #expect(throws: ScramFailure.self, "\(bytes)") { try server.receive(bytes) }
        }
    }

    @Test("a client does not accept a server that asks for few iterations, or that answers another nonce")
    func suspiciousServer() throws {
        for challenge in ["r=abcd,s=YWJj,i=4095", "r=abc,s=YWJj,i=4096", "r=xbcd,s=YWJj,i=4096", "r=abcd,s=YWJj,i=-1"] {
            var client = ScramClient(
                user: "user", password: PreparedPassword(raw: []), mechanism: .sha256, nonce: Array("abc".utf8))
            #expect(throws: ScramFailure.self) { try client.finalMessage(answering: Array(challenge.utf8)) }
            #expect(!client.accepts(Array("v=".utf8)))
        }
    }

    @Test("secrets are equal only when all bytes are")
    func constantTime() {
        #expect(ConstantTime.areEqual([1, 2, 3], [1, 2, 3]))
        #expect(!ConstantTime.areEqual([1, 2, 3], [1, 2, 4]))
        #expect(!ConstantTime.areEqual([1, 2, 3], [0, 2, 3]))
        #expect(!ConstantTime.areEqual([1, 2], [1, 2, 3]))
        #expect(ConstantTime.areEqual([], []))
    }
}
