internal import BSON

/// The conversation is over, and the client is not who it says.
package enum ScramFailure: Error, Sendable, Equatable {
    /// The bytes are no message of the mechanism; what is wrong with them, without anything that the client sent.
    case malformed(String)
    /// Proof, nonce or channel do not fit.
    case refused
}

/// Bounds of what a client may send.
enum ScramLimits {
    static let messageBytesMax = 8_192
    static let nonceBytesMax = 1_024
}

/// The first message: `n,,n=user,r=nonce`.
package struct ScramClientFirst: Sendable, Equatable {
    package let user: String
    let nonce: [UInt8]
    /// The part that says how the channel is bound, which the last message must repeat.
    let header: [UInt8]
    /// The part that the proof covers.
    let bare: [UInt8]

    package init(_ payload: [UInt8]) throws(ScramFailure) {
        try ScramText.check(payload)
        let parts = payload.split(separator: ScramText.comma, maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed("the first message has no header") }
        guard parts[0].elementsEqual("n".utf8) || parts[0].elementsEqual("y".utf8) else {
            throw .malformed("channel binding is not supported")
        }
        header = Array(payload[..<parts[2].startIndex])
        bare = Array(parts[2])
        let attributes = try ScramText.attributes(bare)
        guard attributes.count >= 2, attributes[0].name == "n", attributes[1].name == "r" else {
            throw .malformed("the first message must name the user, then the nonce")
        }
        user = try ScramText.unescaped(attributes[0].value)
        guard !user.isEmpty else { throw .malformed("the name of the user is empty") }
        nonce = try ScramText.nonce(attributes[1].value)
        try Self.check(authorizing: parts[1], user)
    }

    /// Nobody may act for another.
    private static func check(authorizing name: ArraySlice<UInt8>, _ user: String) throws(ScramFailure) {
        guard !name.isEmpty else { return }
        guard name.starts(with: "a=".utf8),
            try ScramText.unescaped(name.dropFirst(2)).utf8.elementsEqual(user.utf8)
        else { throw .malformed("the authorization identity must be the user") }
    }
}

/// The last message: `c=biws,r=nonce,p=proof`.
struct ScramClientFinal: Equatable {
    let channel: [UInt8]
    let nonce: [UInt8]
    let proof: [UInt8]
    let withoutProof: [UInt8]

    init(_ payload: [UInt8]) throws(ScramFailure) {
        let attributes = try ScramText.attributes(payload)
        guard attributes.count >= 3, attributes[0].name == "c", attributes[1].name == "r",
            let last = attributes.last, last.name == "p"
        else { throw .malformed("the last message must hold the channel binding, the nonce and the proof") }
        guard let channel = ScramText.base64Decoded(attributes[0].value),
            let proof = ScramText.base64Decoded(last.value)
        else { throw .malformed("the channel binding or the proof is not base64") }
        (self.channel, self.proof) = (channel, proof)
        nonce = try ScramText.nonce(attributes[1].value)
        withoutProof = Array(payload.dropLast(last.value.count + ",p=".utf8.count))
    }
}

/// What the server answers to the first message: `r=nonce,s=salt,i=iterations`.
struct ScramServerFirst {
    let nonce: [UInt8]
    let salt: [UInt8]
    let iterations: Int

    init(_ payload: [UInt8]) throws(ScramFailure) {
        let attributes = try ScramText.attributes(payload)
        guard attributes.count >= 3, attributes[0].name == "r", attributes[1].name == "s", attributes[2].name == "i",
            let salt = ScramText.base64Decoded(attributes[1].value),
            let iterations = Int(String(decoding: attributes[2].value, as: UTF8.self))
        else { throw .malformed("the server's first message must hold nonce, salt and iterations") }
        guard ScramMechanism.iterationsRange.contains(iterations) else {
            throw .malformed("the server asks for too few or too many iterations")
        }
        nonce = try ScramText.nonce(attributes[0].value)
        (self.salt, self.iterations) = (salt, iterations)
    }
}

/// The grammar of RFC 5802, section 7, over bytes: what Swift takes for one character may hold a comma.
enum ScramText {
    static let comma = UInt8(ascii: ",")

    static func check(_ payload: [UInt8]) throws(ScramFailure) {
        guard payload.count <= ScramLimits.messageBytesMax else { throw .malformed("the message is too long") }
        guard !payload.contains(0) else { throw .malformed("the message contains a null byte") }
        guard String(validating: payload, as: UTF8.self) != nil else {
            throw .malformed("the message is not UTF-8")
        }
    }

    /// `a=value`, separated by commas. A letter m would stand for an extension that must be understood.
    static func attributes(
        _ payload: [UInt8]
    ) throws(ScramFailure) -> [(name: Unicode.Scalar, value: ArraySlice<UInt8>)] {
        try check(payload)
        var attributes: [(name: Unicode.Scalar, value: ArraySlice<UInt8>)] = []
        for part in payload.split(separator: comma, omittingEmptySubsequences: false) {
            guard let name = part.first.map(Unicode.Scalar.init), name.isASCII, name.properties.isAlphabetic,
                part.dropFirst().first == UInt8(ascii: "=")
            else { throw .malformed("the message is not a list of attributes") }
            guard name != "m" else { throw .malformed("extensions are not supported") }
            attributes.append((name, part.dropFirst(2)))
        }
        return attributes
    }

    /// A comma is written `=2C` and an equals sign `=3D`; another equals sign must not be there.
    static func unescaped(_ name: ArraySlice<UInt8>) throws(ScramFailure) -> String {
        var result: [UInt8] = []
        var rest = name
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                result.append(byte)
                continue
            }
            switch String(decoding: rest.prefix(2), as: UTF8.self) {
            case "2C": result.append(comma)
            case "3D": result.append(byte)
            default: throw .malformed("the name of the user is not well escaped")
            }
            rest = rest.dropFirst(2)
        }
        return String(decoding: result, as: UTF8.self)
    }

    static func escaped(_ name: String) -> [UInt8] {
        name.utf8.flatMap { byte in
            switch byte {
            case comma: Array("=2C".utf8)
            case UInt8(ascii: "="): Array("=3D".utf8)
            default: [byte]
            }
        }
    }

    /// Printable ASCII.
    static func nonce(_ text: ArraySlice<UInt8>) throws(ScramFailure) -> [UInt8] {
        guard !text.isEmpty, text.count <= ScramLimits.nonceBytesMax, text.allSatisfy({ (0x21...0x7E).contains($0) })
        else { throw .malformed("the nonce is not printable ASCII, or too long") }
        return Array(text)
    }

    static func base64Decoded(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        Base64.decode(String(decoding: text, as: UTF8.self))
    }

    static func base64(_ bytes: [UInt8]) -> [UInt8] {
        Array(bytes.withUnsafeBytes { Base64.encode($0) }.utf8)
    }

    /// A fresh nonce: printable, without a comma.
    static func randomNonce() -> [UInt8] { base64(secureRandomBytes(24)) }
}
